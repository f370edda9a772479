"""Planted elements of every kind of group are undone, inside copies too."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from mconn import align, symmetry, trees
from mconn.symmetry import draw_part
from tests.align.on_host import act

INPUTS = zoo.examples().inputs


def linear(params, x):
    return jnp.tanh(x @ params["w0"] @ params["w1"]) @ params["w2"]


def stream(params, x):
    """A stream under RMSNorms without scale, two blocks."""
    h = x @ params["embed"]
    for i in range(2):
        normed = h / jnp.sqrt((h**2).mean(axis=-1, keepdims=True))
        h = h + jax.nn.gelu(normed @ params[f"in{i}"]) @ params[f"out{i}"]
    return h @ params["head"]


def grouped(params, x):
    """A dense layer in three groups of four units, then a dense layer."""
    groups = jax.nn.gelu(jnp.einsum("bi,gij->bgj", x, params["in"]))
    return jnp.einsum("bgj,gjo->bo", groups, params["out"])


SHAPES = {
    linear: {"w0": (5, 4), "w1": (4, 6), "w2": (6, 3)},
    stream: {
        "embed": (5, 6),
        "in0": (6, 4),
        "out0": (4, 6),
        "in1": (6, 4),
        "out1": (4, 6),
        "head": (6, 3),
    },
    grouped: {"in": (3, 5, 4), "out": (3, 4, 3)},
}
KINDS = {
    zoo.mlp: {"permutation", "scaling"},
    zoo.tanh_mlp: {"permutation", "sign"},
    zoo.attention: {"permutation", "general linear"},
    linear: {"permutation", "sign", "general linear"},
    stream: {"permutation", "orthogonal"},
    grouped: {"permutation"},
}
NETWORKS = tuple(KINDS)


def draw(apply, seed=0):
    if apply not in SHAPES:
        return zoo.draw(apply, seed)
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
        for name, shape in SHAPES[apply].items()
    }


@functools.cache
def group_of(apply):
    group = symmetry.discover(apply, draw(apply), INPUTS[:2])
    assert {g.kind for g in group.generators} == KINDS[apply]
    return group


@functools.cache
def jitted(apply):
    return jax.jit(apply)


def element_of(group, seed):
    """A random element, drawn by NumPy."""
    rng = np.random.default_rng(seed)
    return {generator.name: draw_part(generator, rng) for generator in group.generators}


def norm(network):
    return sum((np.asarray(leaf) ** 2).sum() for leaf in jax.tree.leaves(network)) ** 0.5


def gap(a, b):
    return norm(jax.tree.map(lambda x, y: np.asarray(x) - np.asarray(y), a, b))


def assert_same_function(apply, moved, b, atol):
    np.testing.assert_allclose(jitted(apply)(moved, INPUTS), jitted(apply)(b, INPUTS), atol=atol)


@pytest.mark.parametrize(
    ("apply", "seed"),
    [(apply, seed) for apply in NETWORKS for seed in range(1 if apply is zoo.attention else 2)],
)
def test_a_planted_element_is_undone(apply, seed):
    group, a = group_of(apply), draw(apply, seed)
    b = act(group, element_of(group, seed + 10), a)
    moved = act(group, align.match(group, a, b).element, b)
    # Matrices that share leaves approach their optimum by turns, ever slower.
    tolerance = 2e-2 if apply is zoo.attention else 2e-3
    assert gap(a, moved) <= tolerance * norm(a)
    assert_same_function(apply, moved, b, 1e-4)


@pytest.mark.parametrize("apply", NETWORKS)
def test_the_ascent_climbs_to_a_fixed_point_below_its_bound(apply):
    group, a, b = group_of(apply), draw(apply), draw(apply, seed=1)
    # Four groups of invertible matrices that share leaves take more than a hundred sweeps.
    many = apply is zoo.attention
    for start in ("profile",) if many else ("profile", "identity", element_of(group, 5)):
        schedule = align.Schedule(sweeps=10 if many else 100)
        found = align.match(group, a, b, start=start, schedule=schedule)
        assert np.all(np.diff(found.history) >= 0)
        assert found.fixed_point or many
        assert found.objective <= found.bound * (1 + 1e-5)
        moved = act(group, found.element, b)
        # The objective is minus half the squared distance, but for a constant.
        expected = (norm(a) ** 2 + norm(b) ** 2 - gap(a, moved) ** 2) / 2
        assert found.objective == pytest.approx(float(expected), rel=1e-4, abs=1e-4)
        assert_same_function(apply, moved, b, 1e-3)
        if found.fixed_point:
            again = align.match(group, a, b, start=found.element)
            assert again.objective == pytest.approx(found.objective, rel=1e-3)


@pytest.mark.parametrize("apply", NETWORKS)
def test_more_of_the_group_comes_closer(apply):
    group, a, b = group_of(apply), draw(apply), draw(apply, seed=1)
    part = align.match(symmetry.permutations(group), a, b)
    lifted = trees.to_numpy(symmetry.lift(group, part.element))
    sweeps = 3 if apply is zoo.attention else 100
    whole = align.match(group, a, b, start=lifted, schedule=align.Schedule(sweeps=sweeps))
    assert whole.objective >= part.objective * (1 - 1e-6)
