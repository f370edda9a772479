"""A profile: the values of metrics along a path, example by example."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mconn.errors import StructureError


@dataclass(frozen=True)
class Profile:
    """What :func:`mconn.landscape.evaluate` returns, on the host.

    Values are kept per example because the same examples are seen at every point: differences
    between points are paired, and their standard errors are far below those of the values.

    Attributes:
        t: the points, shape (points,) or, on a simplex, (points, k).
        mixture: weights of the ends at every point, shape (points, ends): the chord.
        arc_length: distance along the path from the first point, shape (points,).
        values: {metric: (points, examples)}.
        normaliser: how normaliser statistics were treated: ``recompute`` or ``interpolate``.
    """

    t: Float[np.ndarray, "points ..."]
    mixture: Float[np.ndarray, "points ends"]
    arc_length: Float[np.ndarray, "points"]
    values: dict[str, Float[np.ndarray, "points examples"]]
    normaliser: str = "interpolate"

    def metric(self, name: str) -> Float[np.ndarray, "points examples"]:
        """The values of one metric.

        Raises:
            StructureError: if there is none of this name.
        """
        if name not in self.values:
            known = ", ".join(sorted(self.values))
            raise StructureError(f"the profile has no metric '{name}', only {known}")
        return self.values[name]

    def mean(self, name: str) -> Float[np.ndarray, "points"]:
        """Mean over examples at every point, accumulated in float64."""
        return self.metric(name).mean(axis=1, dtype=np.float64)

    def standard_error(self, name: str) -> Float[np.ndarray, "points"]:
        """Standard error over examples of the mean at every point (unpaired)."""
        values = self.metric(name)
        return values.std(axis=1, ddof=1, dtype=np.float64) / np.sqrt(values.shape[1])

    def ends(self) -> np.ndarray:
        """The row of every end in ``t``, shape (ends,).

        Raises:
            StructureError: if an end is not among the points.
        """
        is_end = self.mixture == 1
        if not is_end.any(axis=0).all():
            missing = int(np.argmin(is_end.any(axis=0)))
            raise StructureError(
                f"end {missing} is not among the points: include the path's ends, "
                "for example with numpy.linspace(0, 1, 25)"
            )
        return is_end.argmax(axis=0)
