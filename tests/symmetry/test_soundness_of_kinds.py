"""What takes a scaling, a sign, a matrix or the freedom of the copies away, one thing at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_tables import table
from symmetry_zoo import UNITS as SHAPES, Case, discovered, pure, stacked

from mconn import symmetry

X = np.random.default_rng(4).normal(size=(5, 4)).astype(np.float32)


def layer(activation):
    """A hidden layer with this activation."""
    return lambda p, x: activation(x @ p["w"] + p["b"]) @ p["out"]


NOTHING_MORE = {"permutation": {"w": "6"}}
SCALED = NOTHING_MORE | {"scaling": {"w": "6"}}
SIGNED = NOTHING_MORE | {"sign": {"w": "6"}}
MATRIX = {"general linear": {"w": "6"}}

ACTIVATIONS = {
    "relu": (jax.nn.relu, SCALED),
    "relu 6 has a corner of its own": (jax.nn.relu6, NOTHING_MORE),
    "maximum with a constant": (lambda h: jnp.maximum(h, 0.1), NOTHING_MORE),
    "leaky relu": (jax.nn.leaky_relu, SCALED),
    "absolute value": (jnp.abs, SCALED | SIGNED),
    "even": (jnp.cos, SIGNED),
    "odd": (jnp.sin, SIGNED),
    "odd and shifted": (lambda h: jnp.tanh(h) + 0.5, NOTHING_MORE),
    "odd and doubled": (lambda h: 2 * jnp.tanh(h), SIGNED),
    "elu": (jax.nn.elu, NOTHING_MORE),
    "square": (jnp.square, SCALED | SIGNED),
    "cube": (lambda h: h**3, SCALED | SIGNED),
    "square root of the absolute value": (lambda h: jnp.sqrt(jnp.abs(h)), SCALED | SIGNED),
    "sign": (jnp.sign, SCALED | SIGNED),
    "step": (lambda h: (h > 0).astype(jnp.float32), SCALED),
    "step away from zero": (lambda h: (h > 1).astype(jnp.float32), NOTHING_MORE),
    "rounded": (lambda h: h.astype(jnp.int32).astype(jnp.float32), NOTHING_MORE),
    "switched by its sign": (lambda h: jnp.where(h > 0, h, -h), SCALED),
    "identity": (lambda h: h, MATRIX),
    "halved": (lambda h: h / 2, MATRIX),
    "shifted by a constant": (lambda h: h + 1, NOTHING_MORE),
    "shifted by zero": (lambda h: h + 0 * h, MATRIX),
    "divided by its sum of squares": (
        lambda h: h / (1 + (h * h).sum(-1, keepdims=True)),
        {"orthogonal": {"w": "6"}},
    ),
    "divided by its sum": (lambda h: h / (1 + h.sum(-1, keepdims=True) ** 2), NOTHING_MORE),
    "divided by its sum of fourth powers": (
        lambda h: h / (1 + (h**4).sum(-1, keepdims=True)),
        SIGNED,
    ),
    "softmax": (jax.nn.softmax, NOTHING_MORE),
    "largest entry": (lambda h: h * h.max(-1, keepdims=True), NOTHING_MORE),
}


def check(case, expected, key):
    group = discovered(case)
    symmetry.certify(group, case.apply, case.params, *case.inputs, key=key).check()
    assert table(group) == expected


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, key):
    activation, expected = ACTIVATIONS[name]
    check(pure(layer(activation), SHAPES, X), expected, key)


@pytest.mark.parametrize("dtype", [np.int32, np.bool_])
def test_whole_numbers_and_flags_are_permuted_and_not_multiplied(dtype, key):
    def apply(p, x):
        return jnp.tanh(x @ p["w"]) * p["mask"] @ p["out"]

    case = pure(apply, {"w": (4, 6), "mask": (6,), "out": (6, 3)}, X)
    params = {**case.params, "mask": np.array([1, 0, 1, 1, 0, 1], dtype)}
    check(Case(apply, params, case.inputs), SIGNED, key)


def heads(contraction, shape=(4, 2, 3)):
    def apply(p, x):
        query, key = (jnp.einsum("nc,chd->nhd", x, p[name]) for name in ("query", "key"))
        scores = jax.nn.softmax(jnp.einsum(contraction, query, key), axis=-1)
        return (scores @ jnp.arange(5.0)).reshape(-1, 5).mean(0)

    return pure(apply, {"query": shape, "key": shape}, X)


def positions(mix):
    """Every position has hidden units of its own, until positions are mixed."""

    def apply(p, x):
        h = jnp.tanh(jnp.einsum("nt,tm->ntm", x, p["up"]))
        return jnp.einsum("ntm,tmo->no", mix(h, p, x), p["down"])

    return pure(apply, {"up": (4, 5), "down": (4, 5, 3), "square": (4, 4), "other": (4, 5)}, X)


def overwritten(h, p, x):
    """Other units, of the same number, in the place of those of one position."""
    return jax.lax.dynamic_update_slice(h, jnp.tanh(x @ p["other"])[:, None], (0, 1, 0))


COPIES = {
    "every head has matrices of its own": (
        lambda: heads("nhd,mhd->hnm"),
        {"permutation": {"query": "2"}, "general linear": {"query#2": "2 x 3"}},
    ),
    "heads that meet each other share them": (
        lambda: heads("nhd,mgd->hgnm"),
        {"permutation": {"query": "2", "key": "2"}, "general linear": {"query#2": "3"}},
    ),
    "every layer has units of its own": (
        lambda: stacked(lambda h, layer, p: h + jnp.tanh(h @ layer["up"]) @ layer["down"]),
        {
            "general linear": {"in": "6"},
            "permutation": {"layers": "3 x 5"},
            "sign": {"layers": "3 x 5"},
        },
    ),
    "layers that share a bias share them": (
        lambda: stacked(
            lambda h, layer, p: h + jnp.tanh(h @ layer["up"] + p["bias"]) @ layer["down"]
        ),
        {"general linear": {"in": "6"}, "permutation": {"bias": "5"}, "sign": {"bias": "5"}},
    ),
    "positions apart": (
        lambda: positions(lambda h, p, x: h),
        {"permutation": {"up": "4 x 5"}, "sign": {"up": "4 x 5"}},
    ),
    # The positions have signs, for tanh is odd, and what comes out of the mixture is linear.
    "positions mixed by a square matrix": (
        lambda: positions(lambda h, p, x: jnp.einsum("ntm,ts->nsm", h, p["square"])),
        {
            "permutation": {"up": "5"},
            "sign": {"up": "4", "up#2": "5"},
            "general linear": {"square": "4"},
        },
    ),
    "positions mixed, with a shortcut": (
        lambda: positions(lambda h, p, x: h + jnp.einsum("ntm,ts->nsm", h, p["square"])),
        {"permutation": {"up": "5"}, "sign": {"up": "4", "up#2": "5"}},
    ),
    "positions summed up one after the other": (
        lambda: positions(lambda h, p, x: h + jnp.cumsum(h, axis=1)),
        {"permutation": {"up": "5"}, "sign": {"up": "5"}},
    ),
    "positions shifted": (
        lambda: positions(lambda h, p, x: h + jnp.roll(h, 1, axis=1)),
        {"permutation": {"up": "5"}, "sign": {"up": "5"}},
    ),
    "positions averaged": (
        lambda: positions(lambda h, p, x: h - h.mean(1, keepdims=True)),
        {"permutation": {"up": "5"}, "sign": {"up": "5"}},
    ),
    # The largest of some numbers is no odd function of them.
    "largest of neighbouring positions": (
        lambda: positions(
            lambda h, p, x: jax.lax.reduce_window(
                h, -jnp.inf, jax.lax.max, (1, 2, 1), (1, 1, 1), "SAME"
            )
        ),
        {"permutation": {"up": "5"}},
    ),
    "positions sorted": (
        lambda: positions(lambda h, p, x: jnp.sort(h, axis=1)),
        {"permutation": {"up": "5"}},
    ),
    "largest positions": (
        lambda: positions(lambda h, p, x: jax.lax.top_k(h.mT, 4)[0].mT),
        {"permutation": {"up": "5"}},
    ),
    "a position overwritten": (
        lambda: positions(overwritten),
        {"permutation": {"up": "5"}, "sign": {"up": "5"}},
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies(name, key):
    case, expected = COPIES[name]
    check(case(), expected, key)
