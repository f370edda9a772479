"""Networks built to fool the discovery, and random ones: the group may be small, never wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from symmetry_programs import random_network

from mconn import symmetry

POSITIONS = np.arange(6.0)


def interrupted(middle):
    """A hidden layer of 6 units, something done to it, and an output layer."""

    def apply(params, x):
        return middle(jnp.tanh(x @ params["w"] + params["b"])) @ params["out"]

    return apply


def discovered(apply, params, *inputs):
    group = symmetry.discover(apply, params, *inputs)
    symmetry.certify(group, apply, params, *inputs, key=jax.random.key(3)).check()
    return symmetry.permutations(group).sizes


def weights(**shapes):
    random = np.random.default_rng(5)
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


X = np.random.default_rng(4).normal(size=(5, 4))

CONTROLS = {
    "cumulative sum": (lambda h: jnp.cumsum(h, -1), {}),
    "cumulative maximum": (lambda h: jax.lax.cummax(h, 1), {}),
    "flip": (lambda h: h[:, ::-1], {}),
    "stride": (lambda h: h[:, ::2], {}),
    "roll": (lambda h: jnp.roll(h, 1, -1), {"w": 5}),
    "roll and add": (lambda h: h + jnp.roll(h, 1, -1), {}),
    "roll by a half and add": (lambda h: h + jnp.roll(h, 3, -1), {"w": 3}),
    "positions": (lambda h: h + jnp.arange(6), {}),
    "constant": (lambda h: h * POSITIONS, {}),
    "constant on two parts": (lambda h: h * np.repeat([1.0, 2.0], 3), {}),
    "equal constant": (lambda h: h * np.full(6, 2.0), {"w": 6}),
    "write to one unit": (lambda h: h.at[:, 0].add(1.0), {}),
    "first unit": (lambda h: h * h[:, :1], {"w": 5}),
    "argmax": (lambda h: h * jnp.argmax(h, -1, keepdims=True), {}),
    "one-hot argmax": (lambda h: jax.nn.one_hot(jnp.argmax(h, -1), 6), {}),
    "top k": (lambda h: jax.lax.top_k(h, 2)[0], {}),
    "argsort": (lambda h: jnp.argsort(h, -1).astype(float), {}),
    "Fourier transform": (lambda h: jnp.abs(jnp.fft.fft(h)), {}),
    "mask": (lambda h: jnp.where(jnp.arange(6) < 3, h, 0), {}),
    "triangle": (lambda h: h @ jnp.tril(jnp.ones((6, 6))), {}),
    "noise": (lambda h: h + jax.random.normal(jax.random.key(0), (6,)), {}),
    "dropout": (lambda h: h * jax.random.bernoulli(jax.random.key(0), 0.5, h.shape), {}),
    "neighbours": (lambda h: h[:, 1:] - h[:, :-1], {}),
    "windows": (
        lambda h: jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2), (1, 1), "SAME"),
        {},
    ),
    "maxout": (lambda h: h.reshape(5, 3, 2).max(-1), {"w": 3, "w#2": 2}),
    "halves multiplied": (lambda h: h[:, :3] * h[:, 3:], {"w": 3}),
    "unit picked by the input": (
        lambda h: jax.lax.dynamic_slice_in_dim(h, jnp.argmax(X[:, 0]), 1, 1),
        {},
    ),
    "gathered units": (lambda h: h[:, np.array([0, 2, 4])], {}),
    "stop gradient": (lambda h: h + jax.lax.stop_gradient(h), {"w": 6}),
    "softmax": (lambda h: jax.nn.softmax(h), {"w": 6}),
    "associative scan": (lambda h: jax.lax.associative_scan(jnp.add, h, axis=1), {}),
    "scan over units": (lambda h: jax.lax.scan(lambda c, u: (c + u, c * u), h[:, 0], h.T)[1].T, {}),
    "reshape across units": (lambda h: (h.reshape(6, 5) + 1.0).reshape(5, 6), {}),
    "units into the batch": (
        lambda h: h.reshape(5, 2, 3).swapaxes(1, 2).reshape(5, 6),
        {"w": 2, "w#2": 3},
    ),
    "tile": (lambda h: jnp.tile(h, (1, 2)), {"w": 6, "out": 2}),
    "repeat": (lambda h: jnp.repeat(h, 2, 1), {"w": 6, "out": 2}),
    "unstack and stack": (lambda h: jnp.stack(jnp.unstack(h, axis=1), 1), {}),
    "stack": (lambda h: jnp.stack([h, 2 * h], 1).reshape(5, 12), {"w": 6}),
    "outer product": (lambda h: (h[:, :, None] * h[:, None]).sum(1), {"w": 6}),
    "diagonal": (lambda h: jnp.diagonal(h[:, :, None] * h[:, None], axis1=1, axis2=2), {}),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_what_tells_units_apart_makes_the_group_smaller(name):
    middle, expected = CONTROLS[name]
    width = jax.eval_shape(middle, jnp.zeros((5, 6))).shape[-1]
    params = weights(w=(4, 6), b=(6,), out=(width, 3))
    assert discovered(interrupted(middle), params, X) == expected


def test_an_axis_used_twice():
    params = weights(w=(4, 6), square=(6, 6), out=(6, 3))

    def apply(params, x):
        h = jnp.tanh(x @ params["w"])
        return (h @ params["square"] + h) @ params["out"]

    assert discovered(apply, params, X) == {"w": 6}


def test_tied_input_and_output_fix_the_shared_axis():
    params = weights(embedding=(7, 6), w=(6, 6))
    tokens = np.array([[0, 1, 2], [3, 4, 6]])

    def apply(params, tokens):
        h = jnp.tanh(params["embedding"][tokens] @ params["w"])
        return h @ params["embedding"].T

    assert discovered(apply, params, tokens) == {"embedding": 6}


def test_what_is_not_used_is_not_permuted():
    params = weights(w=(4, 6), out=(9, 3), counter=(6,))
    group = symmetry.discover(lambda p, x: jnp.tanh(x @ p["w"]) @ p["out"][:6], params, X)
    assert symmetry.permutations(group).sizes == {"w": 6}
    unused = [(pin.leaf, pin.size) for pin in group.pinned if pin.reason == "not used"]
    assert unused == [("counter", 6), ("out", 3)]


def test_an_unknown_primitive_pins_and_warns_once():
    params = weights(w=(4, 6), v=(6, 6), out=(6, 3))

    def apply(params, x):
        h = jnp.tanh(x @ params["w"])
        triangle = jax.lax.linalg.cholesky(h.T @ h + 1.0)
        again = jax.lax.linalg.cholesky(triangle @ triangle.T + 1.0)
        return jnp.tanh(h @ again @ params["v"]) @ params["out"]

    with pytest.warns(UserWarning, match="cholesky at .*test_soundness") as caught:
        group = symmetry.discover(apply, params, X)
    assert len(caught) == 1
    assert symmetry.permutations(group).sizes == {"v": 6}
    assert {pin.reason for pin in group.pinned if pin.leaf == "w"} >= {"cholesky"}


@given(st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=2, max_size=8))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_random_networks(steps):
    apply, params, x = random_network(steps)
    discovered(apply, params, x)
