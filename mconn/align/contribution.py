"""Contribution matching: what a unit sends to the next layer, activation times weight."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float

from mconn.align.cost import NONE
from mconn.align.overlap import Step, cross, sorted_along
from mconn.align.position import SMALLEST_GAIN, Leaves, WeightPosition, inner
from mconn.align.similarity import ActivationCost
from mconn.align.weights import wide_leaves
from mconn.errors import ConfigError
from mconn.symmetry import Element, Generator, Group, Site
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class ContributionCost:
    """Similarity of two units is that of their activations times that of their outgoing weights.

    Unit i of a contributes z_i w_i to the next layer, and the inner product of two contributions
    over the data is E(z_i z'_j) <w_i, w'_j>. The objective is the sum over all weights that are
    read of c_i a_ik b_ik, where c_i is the similarity of the activations of unit i and its match;
    what is made and not read (biases) counts once. It is linear in the permutation of every layer,
    so that the ascent alternates between the layers and never lowers it.

    Attributes:
        apply: the network, (params, inputs) -> outputs.
        inputs: examples, shape (n, ...).
        centred: see :class:`mconn.align.ActivationCost`.
        batch_size: examples in one pass.
    """

    apply: ApplyFn
    inputs: Float[Array | np.ndarray, "n ..."]
    centred: bool = False
    batch_size: int = 1000

    def prepare(self, group: Group, a: Params, b: Params) -> "_ContributionProblem":
        """Pose the problem; see :class:`mconn.align.Cost`.

        Raises:
            ConfigError: if the group has more than permutations of units.
        """
        if any(g.kind != "permutation" or g.fibres for g in group.generators):
            raise ConfigError(
                "the contribution cost knows only permutations: give match the group "
                "symmetry.permutations(group)"
            )
        cost = ActivationCost(self.apply, self.inputs, self.centred, batch_size=self.batch_size)
        tables = cost.tables(group, a, b)
        # A sum over the values in which a stream lives becomes their mean.
        similarities = {
            g.name: tables[g.name] / max(1, sum(v.moment == "after" for v in g.values))
            for g in group.generators
            if g.name in tables
        }
        return _ContributionProblem(group, wide_leaves(a), wide_leaves(b), similarities)


@dataclass(frozen=True)
class _ContributionProblem:
    """See :class:`mconn.align.Problem`."""

    group: Group
    a: Leaves
    b: Leaves
    similarities: Mapping[str, Float[np.ndarray, "n n"]]

    def position(self, element: Element) -> "_ContributionPosition":
        return _ContributionPosition(self, element)

    def bound(self) -> float:
        largest = max([1.0, *(float(np.abs(s).max()) for s in self.similarities.values())])
        total = 0.0
        for leaf, a in self.a.items():
            axes = {s.axis for g in self.group.generators for s in g.sites if s.leaf == leaf}
            total += inner(*(sorted_along(np.abs(x), axes) for x in (a, self.b[leaf])))
        return largest * total


class _ContributionPosition(WeightPosition):
    """See :class:`mconn.align.cost.Position`."""

    def __init__(self, problem: _ContributionProblem, element: Element) -> None:
        self.similarities = dict(problem.similarities)
        super().__init__(problem.group, problem.a, problem.b, element)

    def similarity(self, generator: Generator) -> Float[np.ndarray, "n n"] | None:
        table = self.similarities.get(generator.name)
        return None if table is None else table[:, self.element[generator.name]]

    def weighted(self, leaf: str) -> Float[np.ndarray, "..."]:
        a = self.a[leaf]
        for generator, site in self.acting.get(leaf, []):
            table = self.similarity(generator)
            if site.reads and not site.makes and table is not None:
                a = _times(generator, site, np.diagonal(table), a)
        return a

    def value_of(self, leaf: str, b: Float[np.ndarray, "..."]) -> float:
        return inner(self.weighted(leaf), b)

    def term(self, generator: Generator, site: Site, unknown: frozenset[str]) -> np.ndarray:
        leaves = self.seen(generator, site, unknown)
        assert leaves is not None
        if not site.reads or site.makes:
            # What a leaf reads is not matched yet where its order is unknown.
            is_known = not self.unknown_axes(generator, site, unknown)
            a = self.weighted(site.leaf) if is_known else leaves[0]
            return cross(generator, site, a, leaves[1])
        table = self.similarity(generator)
        overlap = cross(generator, site, *leaves)
        return overlap if table is None else table * overlap

    def settle(self, generator: Generator, unknown: frozenset[str]) -> None:
        """Never: what one layer reads weighs what the next one makes."""

    def try_move(self, generator: Generator, part: np.ndarray) -> bool:
        there = copy.copy(self)
        for name in ("b", "values", "terms", "overlaps", "settled", "element"):
            setattr(there, name, copy.copy(getattr(self, name)))
        there.move([(generator, part)])
        size = sum(abs(self.value(site.leaf)) for site in generator.sites)
        rises = bool(there.objective() - self.objective() > SMALLEST_GAIN * size)
        if rises:
            self.move([(generator, part)])
        self.settled.add(generator.name)
        return rises

    def step(
        self, generator: Generator, part: np.ndarray, unknown: frozenset[str] = NONE
    ) -> list[Step]:
        return [(generator, part)]


def _times(
    generator: Generator, site: Site, numbers: Float[np.ndarray, "n"], leaf: np.ndarray
) -> Float[np.ndarray, "..."]:
    length = site.outer * generator.size * site.inner
    factors = np.ones(leaf.shape[site.axis], leaf.dtype)
    unfolded = np.broadcast_to(numbers[:, None], (site.outer, generator.size, site.inner))
    factors[site.start : site.start + length] = unfolded.ravel()
    return leaf * factors.reshape([-1 if i == site.axis else 1 for i in range(leaf.ndim)])
