"""Several networks where they stand, and the problem of moving one of them onto the others.

The objective is a sum over all pairs. While the other networks are held, it is, but for a constant
and the factor n - 1, the objective of one pair: the network against the mean of the others.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mconn.align.balance import stretches
from mconn.align.cost import Cost, Position, Problem
from mconn.align.costs.similarity import SimilarityProblem
from mconn.align.costs.weights import WeightCost, WeightProblem, wide_leaves
from mconn.align.position import Leaves, WeightPosition, inner
from mconn.errors import ConfigError
from mconn.symmetry import Element, Generator, Group
from mconn.symmetry.elements import identity_on_host
from mconn.types import Params


@runtime_checkable
class Together(Protocol):
    """Networks, each moved by its element so far. It is changed in place."""

    elements: list[dict[str, Any]]

    def against(self, i: int, others: Sequence[int]) -> Problem:
        """The problem of moving network ``i`` onto the mean of some others, where these stand."""
        ...

    def place(self, i: int, position: Position) -> None:
        """Put network ``i`` where a solution of its problem stands."""
        ...

    def pair(self, i: int, j: int) -> float:
        """The objective of two networks where they stand."""
        ...

    def copy(self) -> "Together":
        """Another one that stands here, and is moved by itself."""
        ...


class WeightsTogether:
    """The objective of a pair is <g_i w_i, g_j w_j>.

    Where the group stretches, it is half of |w_i|^2 + |w_j|^2 - |g_i w_i - g_j w_j|^2, which is the
    same if norms are kept.
    """

    def __init__(self, group: Group, networks: Sequence[Params]) -> None:
        self.group = group
        self.own = [wide_leaves(network) for network in networks]
        self.moved: list[Leaves] = list(self.own)
        self.elements = [identity_on_host(group) for _ in networks]
        self.stretches = stretches(group)

    def against(self, i: int, others: Sequence[int]) -> WeightProblem:
        """See `Together`."""
        first, *rest = (self.moved[j] for j in others)
        mean = {}
        for name, leaf in first.items():
            total = sum((leaves[name] for leaves in rest), start=leaf)
            mean[name] = total / len(others)
        return WeightProblem(self.group, mean, self.own[i])

    def place(self, i: int, position: Position) -> None:
        """See `Together`."""
        assert isinstance(position, WeightPosition)
        self.elements[i], self.moved[i] = dict(position.element), position.b

    def pair(self, i: int, j: int) -> float:
        """See `Together`."""
        a, b = self.moved[i], self.moved[j]
        value = product(a, b)
        if self.stretches:
            for own, moved in ((self.own[i], a), (self.own[j], b)):
                value -= (product(moved, moved) - product(own, own)) / 2
        return value

    def copy(self) -> "WeightsTogether":
        """See `Together`."""
        other = copy.copy(self)
        other.elements, other.moved = list(self.elements), list(self.moved)
        return other


class SimilaritiesTogether:
    """The objective of a pair is the similarity of units that have one place in the universe."""

    def __init__(
        self, group: Group, problems: Mapping[tuple[int, int], SimilarityProblem], count: int
    ) -> None:
        self.group, self.unmoved = group, identity_on_host(group)
        self.elements = [dict(self.unmoved) for _ in range(count)]
        self.pairs = {pair: each.position(self.unmoved) for pair, each in problems.items()}

    def against(self, i: int, others: Sequence[int]) -> SimilarityProblem:
        """See `Together`."""
        generators = {generator.name: generator for generator in self.group.generators}

        def similarity(name: str, _: Element) -> np.ndarray | None:
            tables = [self.table(generators[name], j, i) for j in others]
            known = [table for table in tables if table is not None]
            return np.mean(known, axis=0) if known else None

        return SimilarityProblem(self.group, similarity)

    def table(self, generator: Generator, j: int, i: int) -> np.ndarray | None:
        """Similarities of the units of ``j``, where they stand, with those of ``i``, unmoved."""
        table = self.pairs[min(i, j), max(i, j)].table(generator, self.unmoved)
        if table is None:
            return None
        table = table if j < i else np.swapaxes(table, -1, -2)
        part = self.elements[j][generator.name]
        if generator.kind == "permutation":
            return np.take_along_axis(table, part[..., :, None], axis=-2)
        return part @ table if generator.kind == "orthogonal" else part[..., :, None] * table

    def place(self, i: int, position: Position) -> None:
        """See `Together`."""
        self.elements[i] = dict(position.element)

    def pair(self, i: int, j: int) -> float:
        """See `Together`."""
        return self.against(j, [i]).position(self.elements[j]).objective()

    def copy(self) -> "SimilaritiesTogether":
        """See `Together`."""
        other = copy.copy(self)
        other.elements = list(self.elements)
        return other


def pose(group: Group, networks: Sequence[Params], cost: Cost | Problem) -> Together:
    """Stand all networks where they are.

    Raises:
        ConfigError: if the cost has no mean over networks.
    """
    if isinstance(cost, WeightCost):
        return WeightsTogether(group, networks)
    if not isinstance(cost, Cost):
        raise ConfigError(f"a {type(cost).__name__} is posed for two networks: pass a cost")
    count = len(networks)
    problems = {
        (i, j): cost.prepare(group, networks[i], networks[j])
        for i in range(count)
        for j in range(i + 1, count)
    }
    known = {
        pair: problem
        for pair, problem in problems.items()
        if isinstance(problem, SimilarityProblem) and not problem.coupled
    }
    if len(known) < len(problems):
        raise ConfigError(
            f"{type(cost).__name__} gives no matrix of similarities that holds whatever the other "
            "generators do: align many networks by WeightCost, ActivationCost, or a SimilarityCost "
            "that is not coupled"
        )
    return SimilaritiesTogether(group, known, count)


def product(a: Leaves, b: Leaves) -> float:
    """<a, b> over all leaves."""
    return sum((inner(leaf, b[name]) for name, leaf in a.items()), start=0.0)
