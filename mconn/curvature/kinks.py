"""What second derivatives do not see of a barrier: the kinks of piecewise linear networks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mconn.curvature.directional import SECOND, Directional
from mconn.errors import StructureError
from mconn.landscape import second_differences


@dataclass(frozen=True)
class Kinks:
    """The height of a loss above its chord, and the part that its second derivative explains.

    Attributes:
        t: the points, ends included.
        height: L(t) above the chord.
        smooth: the same from the second derivative alone: - integral of G(t, s) L''(s) ds.
        standard_error: of height - smooth, paired over examples.
        coarse: ``smooth`` with every second point only, at those points; what it differs by is
            three times the error of the sum for a smooth loss.
    """

    t: Float[np.ndarray, " points"]
    height: Float[np.ndarray, " points"]
    smooth: Float[np.ndarray, " points"]
    standard_error: Float[np.ndarray, " points"]
    coarse: Float[np.ndarray, " half"]

    @property
    def barrier(self) -> float:
        """The largest height."""
        return float(self.height.max())

    @property
    def missed(self) -> float:
        """The share of the barrier that second derivatives miss, where the height is largest."""
        top = self.top
        return float(1 - self.smooth[top] / self.height[top])

    @property
    def missed_standard_error(self) -> float:
        """Of ``missed``, over examples, at a given barrier."""
        return float(self.standard_error[self.top] / self.height[self.top])

    @property
    def quadrature_error(self) -> float:
        """The largest error of ``smooth`` by the grid, as a share of the barrier (estimated)."""
        return float(np.abs(self.coarse - self.smooth[::2]).max() / 3 / self.barrier)

    @property
    def top(self) -> int:
        """The row of the largest height."""
        return int(np.argmax(self.height))


def kinks(along: Directional) -> Kinks:
    """How much of the barrier the Hessian cannot see.

    Green's function turns the second derivative of a smooth loss along a curve into its height
    above the chord. A network with ReLU bends in kinks too, where its second derivative is not
    defined and automatic differentiation gives that of either side: the sum then falls short of
    the height by the kinks' share.

    Args:
        along: of the points 0, 1/N, ..., 1 with an even N of at least 4; N = 100 resolves a line.

    Raises:
        ConfigError: if the points are no such grid.
        StructureError: if N is odd, or the loss is nowhere above its chord.
        DivergenceError: if a value is not finite.
    """
    profile = along.profile
    height = second_differences(profile).height
    steps = len(height) - 1
    if steps % 2 or steps < 4:
        raise StructureError(
            f"the grid has {steps} steps: pass an even number of at least 4, so that every second "
            "point is a grid as well"
        )
    if height.max() <= 0:
        raise StructureError("the loss is nowhere above its chord: there is no barrier to explain")
    t = np.arange(steps + 1) / steps
    second = profile.metric(SECOND).astype(np.float64)
    losses = profile.metric("loss").astype(np.float64)
    chord = np.outer(1 - t, losses[0]) + np.outer(t, losses[-1])
    unexplained = losses - chord - green_sum(second)
    count = unexplained.shape[1]
    return Kinks(
        t=t,
        height=height,
        smooth=green_sum(second.mean(axis=1)),
        standard_error=unexplained.std(axis=1, ddof=1) / np.sqrt(count),
        coarse=green_sum(second[::2].mean(axis=1)),
    )


def green_sum(second: Float[np.ndarray, "points *rest"]) -> Float[np.ndarray, "points *rest"]:
    """- integral of G(t, s) f''(s) ds, G = min(s, t) (1 - max(s, t)), on an equispaced grid."""
    steps = len(second) - 1
    t = np.arange(steps + 1) / steps
    green = np.minimum(t[:, None], t) * (1 - np.maximum(t[:, None], t))
    return -np.tensordot(green, second, axes=1) / steps
