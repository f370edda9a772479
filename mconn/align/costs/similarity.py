"""Costs that give a matrix of similarities for every generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from mconn.align.cost import NONE, Overlap
from mconn.align.solve import gain, own_overlap, solve
from mconn.errors import MconnError, StructureError
from mconn.symmetry import Element, Generator, Group
from mconn.symmetry.elements import followed_by
from mconn.types import Params

Similarity = Float[Array | np.ndarray, "..."]

SMALLEST_GAIN = 1e-9


@dataclass(frozen=True)
class SimilarityCost:
    """A cost of your own: a function that says how alike the units of two networks are.

    Attributes:
        function: ``function(name, a, b)`` is the matrix, shape (n, n), whose entry (i, j) is the
            gain of putting unit j of b in the place of unit i of a; None for a generator that shall
            stay as it is. If ``coupled``, ``b`` is the network as the ascent has moved it so far,
            and the matrix is in the order that its units have there.
        coupled: whether a generator's matrix depends on what the others do.
    """

    function: Callable[[str, Params, Params], Similarity | None]
    coupled: bool = False

    def prepare(self, group: Group, a: Params, b: Params) -> "SimilarityProblem":
        """Pose the problem; see :class:`mconn.align.Cost`."""
        from mconn.symmetry import act

        def similarity(name: str, element: Element) -> Similarity | None:
            moved = act(group, element, b) if self.coupled else b
            return self.function(name, a, moved)

        return SimilarityProblem(group, similarity, self.coupled)


@dataclass(frozen=True)
class SimilarityProblem:
    """See :class:`mconn.align.Problem`.

    Attributes:
        group: the group.
        similarity: (generator's name, element) -> its matrix, (n, n), or None. If ``coupled``, in
            the order of b's units after the element; otherwise in that of b's own.
        coupled: whether a matrix depends on the element.
    """

    group: Group
    similarity: Callable[[str, Element], Similarity | None]
    coupled: bool = False

    def position(self, element: Element) -> "SimilarityPosition":
        """Stand at an element."""
        return SimilarityPosition(self, {name: np.asarray(p) for name, p in element.items()})

    def bound(self) -> float:
        """The optimum, if one solution per generator finds it; otherwise infinity."""
        if self.coupled:
            return float("inf")
        from mconn.symmetry import identity

        position = self.position(identity(self.group))
        for generator in self.group.generators:
            overlap = position.overlap(generator)
            if overlap is not None:
                position.try_move(generator, solve(generator, overlap))
        return position.objective()


class SimilarityPosition:
    """See :class:`mconn.align.cost.Position`; the objective is the similarity of matched units."""

    def __init__(self, problem: SimilarityProblem, element: Mapping[str, Any]) -> None:
        self.problem = problem
        self.element = dict(element)
        self.settled: set[str] = set()
        self.tables: dict[str, np.ndarray | None] = {}

    def table(self, generator: Generator, element: Element) -> np.ndarray | None:
        """The checked similarities, for every copy, of b's units after the element."""
        if self.problem.coupled or generator.name not in self.tables:
            given = self.problem.similarity(generator.name, element)
            table = None if given is None else np.asarray(given, np.float64)
            if table is not None and table.shape[-2:] != (generator.size,) * 2:
                raise StructureError(
                    f"the similarities of '{generator.name}' have the shape {table.shape}: return "
                    f"a matrix of shape ({generator.size}, {generator.size})"
                )
            if table is not None and not np.isfinite(table).all():
                raise MconnError(
                    f"the similarities of '{generator.name}' are not finite: a network has weights "
                    "or activations that are not"
                )
            self.tables[generator.name] = table
        table = self.tables[generator.name]
        if table is None:
            return None
        copies = generator.shape[: len(generator.fibres)]
        table = np.broadcast_to(table, (*copies, *table.shape[-2:]))
        if self.problem.coupled:
            return table
        part = np.asarray(element[generator.name])
        if generator.kind == "permutation":
            return np.take_along_axis(table, part[..., None, :], axis=-1)
        if generator.kind == "orthogonal":
            return table @ np.swapaxes(part, -1, -2)
        return table * part[..., None, :]

    def overlap(self, generator: Generator, unknown: frozenset[str] = NONE) -> Overlap | None:
        """The similarities, if there are any for this generator."""
        if generator.kind not in ("permutation", "orthogonal", "sign"):
            return None
        table = self.table(generator, self.element)
        if table is None:
            return None
        own = np.diagonal(table, axis1=-2, axis2=-1)
        return Overlap({1: own if generator.kind == "sign" else table}, {})

    def try_move(self, generator: Generator, part: np.ndarray) -> bool:
        """Move, if the objective rises."""
        self.settled.add(generator.name)
        overlap = self.overlap(generator)
        assert overlap is not None
        table = overlap.cross[1]
        size = np.abs(own_overlap(generator, table)).sum()
        if gain(generator, table, part) <= SMALLEST_GAIN * size:
            return False
        part = followed_by(self.problem.group, self.element, generator, part)
        moved = {**self.element, generator.name: part}
        if self.problem.coupled:
            # What one generator gains may be lost in the matrices of the others.
            other = SimilarityPosition(self.problem, moved)
            if other.objective() <= self.objective():
                return False
            self.settled.clear()
        self.element = moved
        return True

    def move(self, steps: list[tuple[Generator, np.ndarray]]) -> None:
        """Move, whatever the objective says."""
        for generator, part in steps:
            part = followed_by(self.problem.group, self.element, generator, part)
            self.element = {**self.element, generator.name: part}

    def step(
        self, generator: Generator, part: np.ndarray, unknown: frozenset[str] = NONE
    ) -> list[tuple[Generator, np.ndarray]]:
        """One generator's part alone."""
        return [(generator, part)]

    def settle(self, generator: Generator, unknown: frozenset[str]) -> None:
        """Settled, if its matrix depends on no other generator."""
        if not self.problem.coupled:
            self.settled.add(generator.name)

    def is_settled(self, generator: Generator) -> bool:
        """Whether its matrix is what it was when the generator was solved."""
        return generator.name in self.settled

    def objective(self) -> float:
        """The sum of the similarities of matched units."""
        total = 0.0
        for generator in self.problem.group.generators:
            overlap = self.overlap(generator)
            if overlap is not None:
                total += float(own_overlap(generator, overlap.cross[1]).sum())
        return total
