"""The kinds of barriers of the literature, as weights over the points of a profile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Means = Float[np.ndarray, "*resamples points"]
Weights = Float[np.ndarray, "*resamples points"]


@dataclass(frozen=True)
class Grid:
    """What a kind knows of the profile beside its means."""

    mixture: Float[np.ndarray, "points ends"]
    ends: np.ndarray
    arc_length: Float[np.ndarray, "points"]
    t: Float[np.ndarray, "points ..."]

    def at(self, point: int | np.integer | np.ndarray) -> Weights:
        """Weights of the mean at one point."""
        return np.eye(len(self.mixture))[point]

    def above_chord(self) -> Float[np.ndarray, "points points"]:
        """Matrix that takes the means to their height above the chord through the ends."""
        height = np.eye(len(self.mixture))
        height[:, self.ends] -= self.mixture
        return height


def highest_end(means: Means, grid: Grid) -> Weights:
    """The higher of the ends."""
    return grid.at(grid.ends[np.argmax(means[..., grid.ends], axis=-1)])


def quadrature(x: Float[np.ndarray, "points"]) -> Float[np.ndarray, "points"]:
    """Weights of the trapezoidal rule over the points ``x``."""
    steps = np.diff(x)
    return np.concatenate([steps, [0]]) / 2 + np.concatenate([[0], steps]) / 2


def max_endpoint(means: Means, grid: Grid) -> Weights:
    """The maximum above the higher end."""
    return maximum(means, grid) - highest_end(means, grid)


def mean_endpoint(means: Means, grid: Grid) -> Weights:
    """The maximum above the mean of the ends."""
    return maximum(means, grid) - grid.at(grid.ends).mean(axis=0)


def chord(means: Means, grid: Grid) -> Weights:
    """The greatest height above the chord."""
    height = grid.above_chord()
    return height[np.argmax(means @ height.T, axis=-1)]


def area_above(means: Means, grid: Grid) -> Weights:
    """The area above the chord, or 0."""
    weights = quadrature(grid.t) @ grid.above_chord()
    return np.where((means @ weights)[..., None] > 0, weights, 0)


def maximum(means: Means, grid: Grid) -> Weights:
    """The maximum."""
    return grid.at(np.argmax(means, axis=-1))


def minimum(means: Means, grid: Grid) -> Weights:
    """The minimum."""
    return grid.at(np.argmin(means, axis=-1))


def uniform(means: Means, grid: Grid) -> Weights:
    """The mean over the points."""
    return np.full(means.shape, 1 / means.shape[-1])


def integral(means: Means, grid: Grid) -> Weights:
    """The mean over the arc length."""
    length = grid.arc_length[-1]
    # A path that stands still has one value everywhere, and any weights give it.
    along = grid.arc_length / length if length > 0 else grid.t
    return np.broadcast_to(quadrature(along), means.shape)


@dataclass(frozen=True)
class Kind:
    """A kind of barrier.

    Attributes:
        weights: (means, grid) -> weights of the means whose sum is the barrier.
        source: the formula and who uses it.
        metric: the metric that the kind prescribes; None leaves the choice to the caller.
        over: ``point`` where one point decides, ``curve`` where the whole curve does.
    """

    weights: Callable[[Means, Grid], Weights]
    source: str
    metric: str | None = None
    over: Literal["point", "curve"] = "point"


KINDS: dict[str, Kind] = {
    "chord": Kind(
        chord,
        "max_t [L(t) - sum_e mixture_e(t) L_e]: Entezari et al. 2022, Theus et al. 2025, eq. 1",
    ),
    "max_endpoint": Kind(max_endpoint, "max_t L(t) - max_e L_e"),
    "mean_endpoint": Kind(
        mean_endpoint, "max_t L(t) - mean_e L_e: Ainsworth et al. 2023, after Frankle et al. 2020"
    ),
    "error_mean": Kind(
        mean_endpoint, "the same of the 0/1 error: Frankle et al. 2020 (instability)", "error"
    ),
    "accuracy_drop": Kind(
        chord, "max_t [chord of accuracies - accuracy(t)]: Jordan et al. 2023", "error"
    ),
    "multi": Kind(chord, "sup over mixtures of L(mix) - sum_m mix_m L_m: Theus et al. 2025, eq. 2"),
    "area": Kind(
        area_above, "integral of L(t) - chord(t) over t, at least 0: Pena et al. 2023", over="curve"
    ),
    "maximum": Kind(maximum, "max_t L(t): Garipov et al. 2018"),
    "saddle": Kind(
        maximum, "max over a densely sampled chain, an upper bound: Draxler et al. 2018"
    ),
    "minimum": Kind(minimum, "min_t L(t): Garipov et al. 2018"),
    "mean": Kind(uniform, "mean over the points: Garipov et al. 2018", over="curve"),
    "integral": Kind(
        integral, "mean over the arc length: Garipov et al. 2018, eval_curve", over="curve"
    ),
}
"""Every kind of barrier, by name."""
