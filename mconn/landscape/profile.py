"""A profile: the values of metrics along a path, example by example."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mconn.errors import DivergenceError, StructureError


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
        gradient_norm: norm of the gradient of the mean loss at every point, if asked for.
    """

    t: Float[np.ndarray, "points ..."]
    mixture: Float[np.ndarray, "points ends"]
    arc_length: Float[np.ndarray, "points"]
    values: dict[str, Float[np.ndarray, "points examples"]]
    normaliser: str = "interpolate"
    gradient_norm: Float[np.ndarray, "points"] | None = None

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

    def not_finite(self, name: str | None = None) -> np.ndarray:
        """The rows of ``t`` at which a value is NaN or infinite.

        Args:
            name: a metric; None for any of them.
        """
        names = self.values if name is None else [name]
        # The sum is not finite if a value is not, and needs no array of flags per value.
        bad = [~np.isfinite(self.metric(name).sum(axis=1, dtype=np.float64)) for name in names]
        return np.flatnonzero(np.any(bad, axis=0))

    def check_finite(self, name: str) -> None:
        """Refuse a metric that is not finite at a point.

        Raises:
            DivergenceError: naming the metric and the point, and the way out.
        """
        rows = self.not_finite(name)
        if len(rows):
            more = len(rows) - 1
            others = f" and {more} more point{'s' * (more > 1)}" if more else ""
            raise DivergenceError(
                f"the metric '{name}' is not finite at t = {self.t[rows[0]]}{others}: leave out "
                "such points with profile.finite(), or look for the cause there"
            )

    def finite(self) -> "Profile":
        """Without the points at which a value is not finite; the rest stays as it is.

        Raises:
            DivergenceError: if an end is one of them, as no barrier can be measured then.
        """
        rows = self.not_finite()
        if not len(rows):
            return self
        lost = np.intersect1d(rows, np.flatnonzero((self.mixture == 1).any(axis=1)))
        if len(lost):
            raise DivergenceError(
                f"a value is not finite at the end t = {self.t[lost[0]]}, which cannot be left "
                "out: no barrier is defined without it"
            )
        return self.rows(np.setdiff1d(np.arange(len(self.t)), rows))

    def rows(self, rows: np.ndarray) -> "Profile":
        """The profile of some of the points, or of all in another order.

        Args:
            rows: their indices in ``t``.
        """
        return replace(
            self,
            t=self.t[rows],
            mixture=self.mixture[rows],
            arc_length=self.arc_length[rows],
            values={name: values[rows] for name, values in self.values.items()},
            gradient_norm=None if self.gradient_norm is None else self.gradient_norm[rows],
        )
