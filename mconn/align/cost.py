"""What a cost is: it poses the problem of moving one network onto another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mconn.symmetry import Element, Generator, Group
from mconn.types import Params

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Overlap:
    """How alike the units of a are to those of b, as b is now, for one generator.

    Sites on which the generator acts by different powers of itself are kept apart where its kind
    needs it (scalings, rotations, general linear); otherwise all are under the power 1.

    Attributes:
        cross: for every power the inner products of units of a with units of b, (*copies, n, n);
            of every unit with its own, (*copies, n), for scalings.
        gram: for the kinds that stretch, the same of b with itself.
    """

    cross: Mapping[int, Float[np.ndarray, "..."]]
    gram: Mapping[int, Float[np.ndarray, "..."]]


@runtime_checkable
class Position(Protocol):
    """Where the ascent stands: b, as moved by the element so far. It is changed in place."""

    element: dict[str, Any]

    def overlap(self, generator: Generator, unknown: frozenset[str] = NONE) -> Overlap | None:
        """The overlap of one generator; None if the cost has nothing to say about it.

        Axes of generators that are ``unknown`` are compared by what no element can exceed.
        """
        ...

    def try_move(self, generator: Generator, part: Any) -> bool:
        """Move b by one generator's part if that raises the objective; say whether it did."""
        ...

    def step(
        self, generator: Generator, part: Any, unknown: frozenset[str] = NONE
    ) -> list[tuple[Generator, Any]]:
        """The generator's part, with the best of what its units can do by themselves."""
        ...

    def move(self, steps: list[tuple[Generator, Any]]) -> None:
        """Move b, whatever the objective says."""
        ...

    def settle(self, generator: Generator, unknown: frozenset[str]) -> None:
        """Note that a generator was solved and moved while others were unknown.

        It is settled if what it was compared by did not depend on them.
        """
        ...

    def is_settled(self, generator: Generator) -> bool:
        """Whether nothing that the generator's overlap depends on changed since it was solved."""
        ...

    def objective(self) -> float:
        """What the ascent maximises."""
        ...


@runtime_checkable
class Problem(Protocol):
    """An alignment problem: a cost, prepared on two networks a and b."""

    def position(self, element: Element) -> Position:
        """Stand at an element."""
        ...

    def bound(self) -> float:
        """A number that no element's objective exceeds."""
        ...


@runtime_checkable
class Cost(Protocol):
    """A recipe for alignment problems."""

    def prepare(self, group: Group, a: Params, b: Params) -> Problem:
        """Pose the problem of moving ``b`` onto ``a``."""
        ...
