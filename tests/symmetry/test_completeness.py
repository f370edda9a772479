"""On small networks of equal widths a blind search finds no symmetry that the discovery misses.

For generic parameters the transposition of units 0 and 1 is tried on every non-empty set of
parameter axes of one length; the sets that leave the function unchanged must be those that the
generators predict.
"""

from itertools import chain, combinations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import Case, fill, pure

from mconn import symmetry
from mconn.trees import named_leaves

SIZE = 3


def subsets(items):
    return chain.from_iterable(combinations(items, n) for n in range(1, len(items) + 1))


def found_by_search(case):
    """The sets of axes on which the transposition changes nothing."""
    with jax.enable_x64(True):
        leaves, structure = jax.tree.flatten(jax.tree.map(np.float64, case.params))
        names = list(named_leaves(case.params))
        axes = [
            (i, axis)
            for i, leaf in enumerate(leaves)
            for axis, length in enumerate(leaf.shape)
            if length == SIZE
        ]
        candidates = list(subsets(range(len(axes))))
        choices = np.zeros((len(candidates), len(axes)), bool)
        for row, chosen in zip(choices, candidates, strict=True):
            row[list(chosen)] = True

        @jax.jit
        def outputs(leaves, inputs, choices):
            def output(chosen):
                moved = list(leaves)
                for (i, axis), flag in zip(axes, chosen, strict=True):
                    order = jnp.where(flag, jnp.array([1, 0, 2]), jnp.arange(SIZE))
                    moved[i] = jnp.take(moved[i], order, axis=axis)
                return case.apply(jax.tree.unflatten(structure, moved), *inputs)

            return jax.lax.map(output, choices, batch_size=256)

        inputs = jax.tree.map(np.float64, case.inputs)
        expected = case.apply(jax.tree.unflatten(structure, leaves), *inputs)
        changes = np.abs(np.asarray(outputs(leaves, inputs, choices)) - np.asarray(expected))
        kept = changes.reshape(len(candidates), -1).max(1) < 1e-10
    return {
        frozenset((names[axes[j][0]], axes[j][1]) for j in chosen)
        for chosen, unchanged in zip(candidates, kept, strict=True)
        if unchanged
    }


def predicted(group):
    """The sets of axes of the products of transpositions in the generators."""
    sites = [
        {(site.leaf, site.axis) for site in generator.sites}
        for generator in group.generators
        if generator.size == SIZE
        and all((site.start, site.outer, site.inner) == (0, 1, 1) for site in generator.sites)
    ]
    return {frozenset().union(*chosen) for chosen in subsets(sites)}


class TwoLayers(nn.Module):
    normaliser: type[nn.Module] | None = None

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.Dense(SIZE)(x)
            x = nn.gelu(x if self.normaliser is None else self.normaliser(use_bias=False)(x))
        return nn.Dense(SIZE, use_bias=False)(x)


class Convolutions(nn.Module):
    groups: int = 1

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Conv(SIZE, (3, 3), use_bias=False)(x))
        x = nn.gelu(nn.Conv(SIZE, (3, 3), feature_group_count=self.groups)(x))
        return nn.Dense(SIZE)(x.mean((1, 2)))


class Residual(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(SIZE)(x)
        x = x + nn.Dense(SIZE)(nn.gelu(nn.Dense(SIZE)(x)))
        return nn.Dense(SIZE, use_bias=False)(x)


def tied(params, x):
    h = jnp.tanh(x @ params["w"] + params["b"])
    h = jnp.tanh(h @ params["again"] + params["c"])
    return jnp.tanh(h @ params["again"] + params["c"]) @ params["w"].T


def sorting(params, x):
    return jnp.sort(jnp.tanh(x @ params["w"]) @ params["again"], -1) @ params["out"]


def attention(params, x):
    q, k, v = (x @ params[name] for name in ("q", "k", "v"))
    return jax.nn.softmax(q @ k.T) @ v @ params["out"]


def gated(params, x):
    return ((x @ params["up"]) * jax.nn.silu(x @ params["gate"])) @ params["out"] + params["b"]


def linen(model, *shape):
    x = np.random.default_rng(6).normal(size=shape)
    return Case(model.apply, fill(jax.eval_shape(model.init, jax.random.key(0), x)), (x,), {})


def function(apply, **shapes):
    x = np.random.default_rng(7).normal(size=(4, SIZE))
    return pure(apply, shapes, x, {})


SQUARE = (SIZE, SIZE)
CASES = {
    "mlp": lambda: linen(TwoLayers(), 4, SIZE),
    "layer norm": lambda: linen(TwoLayers(nn.LayerNorm), 4, SIZE),
    "residual": lambda: linen(Residual(), 4, SIZE),
    "cnn": lambda: linen(Convolutions(), 2, 4, 4, SIZE),
    "depthwise": lambda: linen(Convolutions(SIZE), 2, 4, 4, SIZE),
    "tied": lambda: function(tied, w=SQUARE, b=(SIZE,), again=SQUARE, c=(SIZE,)),
    "sort": lambda: function(sorting, w=SQUARE, again=SQUARE, out=SQUARE),
    "attention": lambda: function(attention, q=SQUARE, k=SQUARE, v=SQUARE, out=SQUARE),
    "gated": lambda: function(gated, up=SQUARE, gate=SQUARE, out=SQUARE, b=(SIZE,)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_blind_search_finds_the_same_transpositions(name):
    case = CASES[name]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    assert predicted(group)
    assert found_by_search(case) == predicted(group)
