"""The flat program computes what the function does, without its dead code."""

import jax
import jax.numpy as jnp
import numpy as np

from mconn.jaxprs import evaluate, trace


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (3 * g,))

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


def calls(x):
    unused = jnp.sort(x @ x.T)
    del unused
    h = jax.jit(lambda x: (jax.nn.relu(x), jnp.cumsum(x)))(x)[0]
    h = jax.checkpoint(lambda h: jnp.sin(h) + np.arange(3.0))(h)
    return {"h": doubled(h), "x": x, "one": 1.0}


def test_calls_are_inlined_and_dead_code_is_dropped():
    program = trace(calls, X)
    names = {equation.primitive for equation in program.equations}
    assert {"max", "sin", "mul"} <= names
    assert not names & {"jit", "pjit", "custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint"}
    assert not names & {"sort", "dot_general", "cumsum"}


def test_evaluation_gives_the_outputs_and_any_value():
    program = trace(calls, X)
    outputs = evaluate(program, [X], program.outputs)
    for found, expected in zip(outputs, jax.tree.leaves(calls(X)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    (sine,) = (e.outputs[0] for e in program.equations if e.primitive == "sin")
    np.testing.assert_allclose(evaluate(program, [X], [sine])[0], np.sin(np.maximum(X, 0)))


def test_control_flow_keeps_its_bodies():
    def loops(x):
        x, steps = jax.lax.scan(lambda c, _: (c * 2, c), x, None, length=3)
        x = jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: x + 1, x)
        return jax.lax.cond(x[0, 0] > 0, jnp.sin, jnp.cos, x), steps

    program = trace(loops, X)
    bodies = {e.primitive: len(e.bodies) for e in program.equations if e.bodies}
    assert bodies == {"scan": 1, "while": 2, "cond": 2}
    (scan,) = (e for e in program.equations if e.primitive == "scan")
    assert (scan.parameters["num_consts"], scan.parameters["num_carry"]) == (0, 1)
    for found, expected in zip(evaluate(program, [X], program.outputs), loops(X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_custom_derivatives_are_kept_if_asked_for():
    def value(x, custom_derivatives):
        program = trace(calls, x, custom_derivatives=custom_derivatives)
        return evaluate(program, [x], program.outputs)[0].sum()

    expected = jax.grad(lambda x: calls(x)["h"].sum())(X)
    found = jax.grad(lambda x: value(x, True))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not np.allclose(jax.grad(lambda x: value(x, False))(X), expected)
