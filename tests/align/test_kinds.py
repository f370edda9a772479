"""Planted elements of every kind of group are undone, inside copies too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import align, symmetry, trees

INPUTS = np.random.default_rng(3).normal(size=(50, 6)).astype(np.float32)


def draw(shapes, seed=0):
    generator = np.random.default_rng(seed)
    return {
        name: (generator.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
        for name, shape in shapes.items()
    }


def element_of(group, seed):
    """A random element, drawn by NumPy."""
    generator = np.random.default_rng(seed)
    parts = {}
    for g in group.generators:
        copies = g.shape[: len(g.fibres)]
        if g.kind == "permutation":
            parts[g.name] = np.argsort(generator.random(g.shape), axis=-1)
        elif g.kind == "scaling":
            parts[g.name] = np.exp(0.5 * generator.normal(size=g.shape))
        elif g.kind == "sign":
            parts[g.name] = generator.choice([-1.0, 1.0], g.shape)
        elif g.kind == "rotation":
            parts[g.name] = generator.uniform(-3, 3, g.shape)
        else:
            matrix = generator.normal(size=(*copies, g.size, g.size))
            left, factors, right = np.linalg.svd(matrix)
            if g.kind == "orthogonal":
                factors = np.ones_like(factors)
            else:
                factors = np.exp(0.3 * generator.normal(size=factors.shape))
            parts[g.name] = (left * factors[..., None, :]) @ right
    return parts


def relu(params, x):
    hidden = jax.nn.relu(x @ params["w0"] + params["b0"])
    return jax.nn.relu(hidden @ params["w1"]) @ params["w2"]


def tanh(params, x):
    return jnp.tanh(jnp.tanh(x @ params["w0"] + params["b0"]) @ params["w1"]) @ params["w2"]


def linear(params, x):
    return jnp.tanh(x @ params["w0"] @ params["w1"]) @ params["w2"]


def stream(params, x):
    """A stream under RMSNorms without scale, two blocks."""
    h = x @ params["embed"]
    for i in range(2):
        normed = h / jnp.sqrt((h**2).mean(axis=-1, keepdims=True))
        h = h + jax.nn.gelu(normed @ params[f"in{i}"]) @ params[f"out{i}"]
    return h @ params["head"]


def attention(params, x):
    """Four heads of three entries over three positions."""
    tokens = jnp.stack([x, x[:, ::-1] ** 2, jnp.cos(x)], axis=1) @ params["embed"]
    queries, keys, values = (
        jnp.einsum("btd,dhk->bthk", tokens, params[name]) for name in ("q", "k", "v")
    )
    weights = jax.nn.softmax(jnp.einsum("bthk,bshk->bhts", queries, keys))
    mixed = jnp.einsum("bhts,bshk->bthk", weights, values)
    return jnp.einsum("bthk,hkd->btd", mixed, params["o"]).mean(axis=1) @ params["head"]


def grouped(params, x):
    """A dense layer in three groups of four units, then a dense layer."""
    groups = jax.nn.gelu(jnp.einsum("bi,gij->bgj", x, params["in"]))
    return jnp.einsum("bgj,gjo->bo", groups, params["out"])


NETWORKS = {
    "relu": (relu, {"w0": (6, 9), "b0": (9,), "w1": (9, 7), "w2": (7, 3)}),
    "tanh": (tanh, {"w0": (6, 9), "b0": (9,), "w1": (9, 7), "w2": (7, 3)}),
    "linear": (linear, {"w0": (6, 4), "w1": (4, 8), "w2": (8, 3)}),
    "stream": (
        stream,
        {
            "embed": (6, 5),
            "in0": (5, 8),
            "out0": (8, 5),
            "in1": (5, 8),
            "out1": (8, 5),
            "head": (5, 3),
        },
    ),
    "attention": (
        attention,
        {
            "embed": (6, 6),
            "q": (6, 4, 3),
            "k": (6, 4, 3),
            "v": (6, 4, 3),
            "o": (4, 3, 6),
            "head": (6, 3),
        },
    ),
    "grouped": (grouped, {"in": (3, 6, 4), "out": (3, 4, 3)}),
}
KINDS = {
    "relu": {"permutation", "scaling"},
    "tanh": {"permutation", "sign"},
    "linear": {"permutation", "sign", "general linear"},
    "stream": {"permutation", "orthogonal"},
    "attention": {"permutation", "general linear"},
    "grouped": {"permutation"},
}


def setting(name, seed=0):
    apply, shapes = NETWORKS[name]
    network = draw(shapes, seed)
    group = symmetry.discover(apply, network, INPUTS[:2])
    assert {g.kind for g in group.generators} == KINDS[name]
    return apply, group, network


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NETWORKS)
def test_a_planted_element_is_undone(name, seed):
    apply, group, a = setting(name, seed)
    b = symmetry.act(group, element_of(group, seed + 10), a)
    found = align.match(group, a, b)
    moved = symmetry.act(group, found.element, b)
    # Matrices that share leaves approach their optimum by turns, ever slower.
    tolerance = 2e-2 if name == "attention" else 2e-3
    assert float(trees.distance(a, moved)) <= tolerance * float(jnp.sqrt(trees.inner(a, a)))
    np.testing.assert_allclose(apply(moved, INPUTS), apply(b, INPUTS), atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n == "attention" else ()) for n in NETWORKS],
)
def test_the_ascent_climbs_to_a_fixed_point_below_its_bound(name):
    apply, group, a = setting(name)
    b = draw(NETWORKS[name][1], seed=1)
    for start in ("profile", "identity", element_of(group, 5)):
        found = align.match(group, a, b, start=start)
        assert np.all(np.diff(found.history) >= 0)
        # Four groups of invertible matrices that share leaves take more than a hundred sweeps.
        assert found.fixed_point or name == "attention"
        assert found.objective <= found.bound * (1 + 1e-5)
        moved = symmetry.act(group, found.element, b)
        # The objective is minus half the squared distance, but for a constant.
        constant = (trees.inner(a, a) + trees.inner(b, b)) / 2
        expected = constant - trees.distance(a, moved) ** 2 / 2
        assert found.objective == pytest.approx(float(expected), rel=1e-4, abs=1e-4)
        np.testing.assert_allclose(apply(moved, INPUTS), apply(b, INPUTS), atol=1e-3)
        if found.fixed_point:
            again = align.match(group, a, b, start=found.element)
            assert again.objective == pytest.approx(found.objective, rel=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_more_of_the_group_comes_closer(name):
    _, group, a = setting(name)
    b = draw(NETWORKS[name][1], seed=1)
    part = align.match(symmetry.permutations(group), a, b)
    lifted = symmetry.lift(group, part.element)
    whole = align.match(group, a, b, start=lifted)
    assert whole.objective >= part.objective * (1 - 1e-6)
