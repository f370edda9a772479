"""Narrow networks, evaluated in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn.jaxprs import trace
from mconn.symmetry.certify import evaluate_in_double

X = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)


def steps(x):
    def step(carry, row):
        return jnp.tanh(carry + row @ jnp.ones((3, 3), x.dtype)), carry

    return jax.lax.scan(step, jnp.zeros(3, x.dtype), x, reverse=True)


def loop(x):
    return jax.lax.while_loop(
        lambda state: state[0] < 3, lambda state: (state[0] + 1, jnp.sin(state[1])), (0, x)
    )


def choice(x):
    return jax.lax.cond(x[0, 0] > 0, lambda x: x / 3, lambda x: x * 3, x)


def half(x):
    return (x.astype(jnp.bfloat16) / 3).astype(jnp.float32)


@pytest.mark.parametrize("function", [steps, loop, choice])
def test_it_is_the_function_in_double_precision(function):
    program = trace(function, X)
    with jax.enable_x64(True):
        expected = jax.tree.leaves(function(np.float64(X)))
        found = evaluate_in_double(program, [X])
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype or one.dtype == np.int32
            np.testing.assert_allclose(one, other, rtol=1e-14)


def test_a_narrow_layer_is_widened():
    program = trace(half, X)
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            evaluate_in_double(program, [X])[0], np.float64(X) / 3, rtol=1e-15
        )


def test_what_holds_a_width_keeps_it():
    def bits(x):
        return jax.lax.bitcast_convert_type(x, jnp.int32), x.at[0].add(1.0)

    program = trace(bits, X)
    with jax.enable_x64(True):
        integers, added = evaluate_in_double(program, [X])
        np.testing.assert_array_equal(integers, X.view(np.int32))
        assert added.dtype == np.float64
        np.testing.assert_allclose(added, X + np.array([[1.0], [0.0]]), rtol=1e-6)
