"""Weight matching: maximise <a, g b>, which minimises the distance |a - g b|."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mconn import trees
from mconn.align.overlap import sorted_along
from mconn.align.position import STRETCHING, WeightPosition, inner
from mconn.symmetry import Element, Group
from mconn.types import Params

Leaves = Mapping[str, Float[np.ndarray, "..."]]


@dataclass(frozen=True)
class WeightCost:
    """Similarity of two units is the inner product of all their weights.

    Ainsworth, Hayase and Srinivasa, *Git Re-Basin*, ICLR 2023, section 3.2, for any architecture
    and any group. The objective is <a, g b>, and where g stretches, minus half of what it adds to
    the squared norm: in any case minus half the squared distance, but for a constant.
    """

    def prepare(self, group: Group, a: Params, b: Params) -> "WeightProblem":
        """Pose the problem; see :class:`mconn.align.Cost`."""
        return WeightProblem(group, wide_leaves(a), wide_leaves(b))


@dataclass(frozen=True)
class WeightProblem:
    """See :class:`mconn.align.Problem`."""

    group: Group
    a: Leaves
    b: Leaves

    def position(self, element: Element) -> WeightPosition:
        """Stand at an element."""
        return WeightPosition(self.group, self.a, self.b, element)

    def bound(self) -> float:
        """The objective with every leaf as close as its axes' kinds would ever allow.

        Entries along permuted axes are sorted in both networks, jointly; of leaves with other
        generators the norms are compared.
        """
        kinds: dict[str, dict[int, set[str]]] = {}
        for generator in self.group.generators:
            for site in generator.sites:
                axes = kinds.setdefault(site.leaf, {})
                for axis in {site.axis, *(place.axis for place in site.fibres)}:
                    axes.setdefault(axis, set()).add(generator.kind)
        return sum((self.bound_of(leaf, kinds.get(leaf, {})) for leaf in self.a), start=0.0)

    def bound_of(self, leaf: str, kinds: Mapping[int, set[str]]) -> float:
        """The bound of one leaf, whose axes have generators of some kinds."""
        a, b = self.a[leaf], self.b[leaf]
        found = set().union(*kinds.values())
        if found <= {"permutation"}:
            return inner(sorted_along(a, kinds), sorted_along(b, kinds))
        if found <= {"permutation", "sign"}:
            return inner(sorted_along(np.abs(a), kinds), sorted_along(np.abs(b), kinds))
        squares = inner(a, a), inner(b, b)
        if found & set(STRETCHING):
            return (squares[0] + squares[1]) / 2
        return float(np.sqrt(squares[0] * squares[1]))


def wide_leaves(params: Params) -> dict[str, Any]:
    """The leaves on the host, in single precision or double where they are."""
    leaves = {}
    for name, leaf in trees.named_leaves(params).items():
        leaf = np.asarray(leaf)
        leaves[name] = leaf if leaf.dtype == np.float64 else leaf.astype(np.float32)
    return leaves
