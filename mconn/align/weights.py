"""Weight matching: maximise <a, g b>, which minimises the distance |a - g b|."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn import trees
from mconn.align.blocks import Block, compare, cut
from mconn.symmetry import Element, Symmetry
from mconn.types import Params

Leaves = Mapping[str, Array]


@dataclass(frozen=True)
class WeightCost:
    """Similarity of two units is the inner product of all their weights.

    Ainsworth, Hayase and Srinivasa, *Git Re-Basin*, ICLR 2023, section 3.2, for any architecture.
    """

    def prepare(self, symmetry: Symmetry, a: Params, b: Params) -> "WeightProblem":
        """Pose the problem; see :class:`mconn.align.Cost`."""
        leaves_a = {name: jnp.asarray(leaf) for name, leaf in trees.named_leaves(a).items()}
        leaves_b = {name: jnp.asarray(leaf) for name, leaf in trees.named_leaves(b).items()}
        return WeightProblem(cut(symmetry, leaves_a), leaves_a, leaves_b)


@dataclass(frozen=True)
class WeightProblem:
    """See :class:`mconn.align.Problem`."""

    blocks: tuple[Block, ...]
    a: Leaves
    b: Leaves
    coupled: bool = True

    def similarity(
        self, name: str, element: Element, unknown: frozenset[str] = frozenset()
    ) -> Float[Array, "n n"]:
        """Sum over the blocks' axes on which the generator acts."""
        blocks = tuple(block for block in self.blocks if name in block.labels)
        leaves = {block.leaf for block in blocks}
        known = {label: element[label] for label in _labels(blocks) - unknown}
        return _similarity(
            blocks,
            name,
            unknown,
            {leaf: self.a[leaf] for leaf in leaves},
            {leaf: self.b[leaf] for leaf in leaves},
            known,
        )

    def objective(self, element: Element) -> float:
        """<a, g b> over all parameters."""
        return float(_inner(self.blocks, frozenset(), self.a, self.b, element))

    def bound(self) -> float:
        """The objective with every axis that a generator moves sorted in both networks."""
        unknown = frozenset(_labels(self.blocks))
        return float(_inner(self.blocks, unknown, self.a, self.b, {}))


def _labels(blocks: tuple[Block, ...]) -> set[str]:
    return {label for block in blocks for label in block.labels if label is not None}


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _similarity(
    blocks: tuple[Block, ...],
    name: str,
    unknown: frozenset[str],
    a: Leaves,
    b: Leaves,
    element: Element,
) -> Float[Array, "n n"]:
    similarities = [
        compare(block, a[block.leaf], b[block.leaf], position, element, unknown)
        for block in blocks
        for position, label in enumerate(block.labels)
        if label == name
    ]
    return functools.reduce(jnp.add, similarities)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _inner(
    blocks: tuple[Block, ...], unknown: frozenset[str], a: Leaves, b: Leaves, element: Element
) -> Float[Array, ""]:
    products = [
        compare(block, a[block.leaf], b[block.leaf], None, element, unknown)[0, 0]
        for block in blocks
    ]
    return functools.reduce(jnp.add, products)
