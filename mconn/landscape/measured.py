"""What was measured, on the host."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Measured(NamedTuple):
    """Results of some points.

    Attributes:
        values: per metric (pairs, points, examples), or the mean and its standard error
            (pairs, points, 2).
        gradient_norm: shape (pairs, points), or None.
    """

    values: dict[str, Float[np.ndarray, "pairs points last"]]
    gradient_norm: Float[np.ndarray, "pairs points"] | None

    def at(self, rows: slice | np.ndarray) -> "Measured":
        """The results of some points, or of all in another order."""
        return Measured(
            {metric: values[:, rows] for metric, values in self.values.items()},
            None if self.gradient_norm is None else self.gradient_norm[:, rows],
        )


def joined(parts: Sequence[Measured]) -> Measured:
    """The results of all points, in the order given."""
    norms = [part.gradient_norm for part in parts if part.gradient_norm is not None]
    return Measured(
        {
            metric: np.concatenate([part.values[metric] for part in parts], axis=1)
            for metric in parts[0].values
        },
        np.concatenate(norms, axis=1) if norms else None,
    )
