"""How alike the units of two networks of other widths are by what they do on data."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float

from mconn.align.costs.activations import in_batches, similarities
from mconn.align.unequal.likeness import Likeness
from mconn.symmetry import Group
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class UnequalActivations:
    """Units are alike if they are active together; for networks of other widths.

    The similarity of two units is the correlation of their activations over data, as in
    :class:`mconn.align.ActivationCost`, always normalised.

    Attributes:
        apply_a: the first network, (params, inputs) -> outputs.
        apply_b: the second.
        inputs: examples, shape (n, ...).
        centred: subtract each unit's mean (Pearson's correlation), or do not (the cosine).
        batch_size: examples in one pass; a few that are left over are not used.
    """

    apply_a: ApplyFn
    apply_b: ApplyFn
    inputs: Float[Array | np.ndarray, "n ..."]
    centred: bool = False
    batch_size: int = 1000

    def likeness(self, groups: tuple[Group, Group], a: Params, b: Params) -> dict[str, Likeness]:
        """The likeness of the units of every generator that has activations.

        Args:
            groups: the groups of a and b.
            a: the first network.
            b: the second.

        Raises:
            DataError: with fewer than two examples.
            ConfigError: if a batch would be empty.
        """
        batches = in_batches(self.inputs, self.batch_size)
        sides = (groups[0], self.apply_a), (groups[1], self.apply_b)
        tables = similarities(sides, self.centred, True, a, b, batches)
        return {name: likeness_of(table) for name, table in tables.items()}


def likeness_of(table: Float[np.ndarray, "n m"]) -> Likeness:
    """Similarities as a likeness; what makes and what reads the units is not told apart."""
    nothing = np.zeros(table.shape[0]), np.zeros(table.shape[1])
    return Likeness(table, np.zeros(table.shape), nothing, nothing)
