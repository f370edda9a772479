"""What a cost is: for each generator, how alike unit i of one network is to unit j of another."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float

from mconn.symmetry import Element, Symmetry
from mconn.types import Params

Similarity = Float[Array | np.ndarray, "n n"]


@runtime_checkable
class Problem(Protocol):
    """An alignment problem: a cost, prepared on two networks a and b."""

    @property
    def coupled(self) -> bool:
        """Whether a generator's similarity depends on the elements of the others."""
        ...

    def similarity(
        self, name: str, element: Element, unknown: frozenset[str] = frozenset()
    ) -> Similarity:
        """Entry (i, j) is the gain of putting unit j of b in the place of unit i of a.

        Args:
            name: the generator whose units are compared.
            element: what the other generators do to b meanwhile.
            unknown: generators whose element is not known yet. Their axes are compared by a
                bound that holds for all their elements.
        """
        ...

    def objective(self, element: Element) -> float:
        """What the ascent maximises."""
        ...

    def bound(self) -> float:
        """A number that no element's objective exceeds."""
        ...


@runtime_checkable
class Cost(Protocol):
    """A cost: a recipe for alignment problems."""

    def prepare(self, symmetry: Symmetry, a: Params, b: Params) -> Problem:
        """Pose the problem of moving ``b`` onto ``a``."""
        ...
