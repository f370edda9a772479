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

    def at(self, point: int) -> "Measured":
        """The results of one point, still with an axis of points."""
        rows = slice(point, point + 1)
        return Measured(
            {metric: values[:, rows] for metric, values in self.values.items()},
            None if self.gradient_norm is None else self.gradient_norm[:, rows],
        )


def joined(parts: Sequence[Measured]) -> Measured:
    """The results of all points, in the order given."""
    first = parts[0]
    return Measured(
        {
            metric: np.concatenate([part.values[metric] for part in parts], axis=1)
            for metric in first.values
        },
        None
        if first.gradient_norm is None
        else np.concatenate([part.gradient_norm for part in parts if part is not None], axis=1),
    )
