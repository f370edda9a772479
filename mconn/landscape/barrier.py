"""Barriers: one number that says how far a path rises, with its interval.

Every kind of the literature is a linear combination of the means at the points, once the point
at which its maximum is attained is fixed. A kind is therefore a function from the profile's
means to weights over points, and one piece of code gives every kind its value, its paired
standard error and its bootstrap interval. A maximum over a grid is a lower bound of the
maximum over the path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.landscape.profile import Profile

Means = Float[np.ndarray, "*resamples points"]
Weights = Float[np.ndarray, "*resamples points"]


@dataclass(frozen=True)
class _Grid:
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


def _highest_end(means: Means, grid: _Grid) -> Weights:
    return grid.at(grid.ends[np.argmax(means[..., grid.ends], axis=-1)])


def _quadrature(x: Float[np.ndarray, "points"]) -> Float[np.ndarray, "points"]:
    steps = np.diff(x)
    return np.concatenate([steps, [0]]) / 2 + np.concatenate([[0], steps]) / 2


def _max_endpoint(means: Means, grid: _Grid) -> Weights:
    return _maximum(means, grid) - _highest_end(means, grid)


def _mean_endpoint(means: Means, grid: _Grid) -> Weights:
    return _maximum(means, grid) - grid.at(grid.ends).mean(axis=0)


def chord(means: Means, grid: _Grid) -> Weights:
    """The greatest height above the chord."""
    height = grid.above_chord()
    return height[np.argmax(means @ height.T, axis=-1)]


def _area_above(means: Means, grid: _Grid) -> Weights:
    weights = _quadrature(grid.t) @ grid.above_chord()
    return np.where((means @ weights)[..., None] > 0, weights, 0)


def _maximum(means: Means, grid: _Grid) -> Weights:
    return grid.at(np.argmax(means, axis=-1))


def _minimum(means: Means, grid: _Grid) -> Weights:
    return grid.at(np.argmin(means, axis=-1))


def _uniform(means: Means, grid: _Grid) -> Weights:
    return np.full(means.shape, 1 / means.shape[-1])


def _integral(means: Means, grid: _Grid) -> Weights:
    length = grid.arc_length[-1]
    # A path that stands still has one value everywhere, and any weights give it.
    along = grid.arc_length / length if length > 0 else grid.t
    return np.broadcast_to(_quadrature(along), means.shape)


@dataclass(frozen=True)
class Kind:
    """A kind of barrier.

    Attributes:
        weights: (means, grid) -> weights of the means whose sum is the barrier.
        source: the formula and who uses it.
        metric: the metric that the kind prescribes; None leaves the choice to the caller.
        over: ``point`` where one point decides, ``curve`` where the whole curve does.
    """

    weights: Callable[[Means, _Grid], Weights]
    source: str
    metric: str | None = None
    over: Literal["point", "curve"] = "point"


KINDS: dict[str, Kind] = {
    "chord": Kind(
        chord,
        "max_t [L(t) - sum_e mixture_e(t) L_e]: Entezari et al. 2022, Theus et al. 2025, eq. 1",
    ),
    "max_endpoint": Kind(_max_endpoint, "max_t L(t) - max_e L_e"),
    "mean_endpoint": Kind(
        _mean_endpoint, "max_t L(t) - mean_e L_e: Ainsworth et al. 2023, after Frankle et al. 2020"
    ),
    "error_mean": Kind(
        _mean_endpoint, "the same of the 0/1 error: Frankle et al. 2020 (instability)", "error"
    ),
    "accuracy_drop": Kind(
        chord, "max_t [chord of accuracies - accuracy(t)]: Jordan et al. 2023", "error"
    ),
    "multi": Kind(chord, "sup over mixtures of L(mix) - sum_m mix_m L_m: Theus et al. 2025, eq. 2"),
    "area": Kind(
        _area_above,
        "integral of L(t) - chord(t) over t, at least 0: Pena et al. 2023",
        over="curve",
    ),
    "maximum": Kind(_maximum, "max_t L(t): Garipov et al. 2018"),
    "saddle": Kind(
        _maximum, "max over a densely sampled chain, an upper bound: Draxler et al. 2018"
    ),
    "minimum": Kind(_minimum, "min_t L(t): Garipov et al. 2018"),
    "mean": Kind(_uniform, "mean over the points: Garipov et al. 2018", over="curve"),
    "integral": Kind(
        _integral, "mean over the arc length: Garipov et al. 2018, eval_curve", over="curve"
    ),
}
"""Every kind of barrier, by name."""


@dataclass(frozen=True)
class Estimate:
    """A barrier with its uncertainty over examples.

    Attributes:
        value: the barrier, in the metric's unit.
        standard_error: paired standard error over examples, at the point of the maximum.
        low: lower end of the bootstrap percentile interval over examples.
        high: upper end of the interval.
        level: its confidence level.
        at: the point where the maximum is attained (NaN for a kind without one).
        kind: the kind of barrier.
        metric: the metric.
        examples: number of examples.
        points: number of points of the grid.
    """

    value: float
    standard_error: float
    low: float
    high: float
    level: float
    at: float
    kind: str
    metric: str
    examples: int
    points: int


def barrier(
    profile: Profile,
    kind: str = "chord",
    metric: str | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """The barrier of a profile, with its uncertainty over examples.

    The standard error is that of the paired differences at the point of the maximum. The
    interval is the percentile bootstrap over examples, which repeats the search for the maximum
    in each resample. The maximum of noisy means is biased upwards: where the barrier is not large
    against its standard error, the estimate is too high and the interval covers the truth less
    often than its level says (about two times in three, not 95 in 100, where there is none).

    Args:
        profile: values along the path, ends included.
        kind: a name in :data:`KINDS`; ``chord`` compares with the mixture of the ends' values.
        metric: a metric of the profile, ``loss`` by default; a kind may prescribe its own.
        level: confidence level of the interval.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling, so that two profiles on the same examples are resampled
            alike and their difference can be compared.

    Raises:
        ConfigError: if the kind is unknown, or does not fit the path or the metric.
        StructureError: if the metric is not in the profile or an end is not among the points.
        DivergenceError: if the metric is not finite at a point, naming it; `Profile.finite`
            leaves such points out.
    """
    (estimate,) = barriers(profile, [(kind, metric)], level=level, resamples=resamples, seed=seed)
    return estimate


def barriers(
    profile: Profile,
    kinds: Sequence[tuple[str, str | None]],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Estimate]:
    """Several barriers of one profile, from one set of resamples.

    Args:
        profile: values along the path, ends included.
        kinds: (kind, metric) of each; see :func:`barrier`, which also says what is raised.
        level: confidence level of the intervals.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ConfigError(
            f"resamples is {resamples} and level is {level}: draw at least one resample, and "
            "choose a level between 0 and 1"
        )
    chosen = [(kind, *_rule(kind, metric, profile)) for kind, metric in kinds]
    for metric in {metric for _, _, metric in chosen}:
        profile.check_finite(metric)
    grid = _Grid(profile.mixture.astype(np.float64), profile.ends(), profile.arc_length, profile.t)
    resampled = {
        metric: _resampled_means(profile.metric(metric), resamples, np.random.default_rng(seed))
        for metric in dict.fromkeys(metric for _, _, metric in chosen)
    }
    estimates = []
    for kind, rule, metric in chosen:
        values, means = profile.metric(metric), profile.mean(metric)
        weights = rule.weights(means, grid)
        differences = weights.astype(np.float32) @ values
        draws = (rule.weights(resampled[metric], grid) * resampled[metric]).sum(axis=-1)
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        one_point = rule.over == "point" and profile.t.ndim == 1
        estimates.append(
            Estimate(
                value=float(weights @ means),
                standard_error=float(
                    differences.std(ddof=1, dtype=np.float64) / np.sqrt(len(differences))
                ),
                low=float(low),
                high=float(high),
                level=level,
                at=float(profile.t[np.argmax(weights)]) if one_point else np.nan,
                kind=kind,
                metric=metric,
                examples=len(differences),
                points=len(means),
            )
        )
    return estimates


def below_chord(profile: Profile, metric: str = "loss", tolerance: float = 0.0) -> bool:
    """Whether no point is above the chord by more than ``tolerance``: Lubana 2023, definition 1.

    Raises:
        DivergenceError: if the metric is not finite at a point.
    """
    profile.check_finite(metric)
    means = profile.mean(metric)
    chord = profile.mixture @ means[profile.ends()]
    return bool(np.all(means <= chord + tolerance))


def _rule(kind: str, metric: str | None, profile: Profile) -> tuple[Kind, str]:
    """The rule of a kind, and the metric that it is applied to."""
    check_choice("barrier kind", kind, KINDS)
    rule = KINDS[kind]
    if rule.metric and metric not in (None, rule.metric):
        raise ConfigError(f"barrier kind '{kind}' is defined on the metric '{rule.metric}'")
    if rule.over == "curve" and profile.t.ndim != 1:
        raise ConfigError(f"barrier kind '{kind}' is defined on curves, not on simplexes")
    if rule.over == "curve" and np.any(np.diff(profile.t) <= 0):
        raise ConfigError(f"barrier kind '{kind}' needs points in ascending order: sort them")
    return rule, rule.metric or metric or "loss"


def _resampled_means(
    values: Float[np.ndarray, "points examples"], resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, "resamples points"]:
    """Means over examples drawn with replacement, as counts times values, in bounded memory."""
    examples = values.shape[1]
    rows = max(1, 4_000_000 // examples)
    pieces = []
    for start in range(0, resamples, rows):
        counts = np.stack(
            [
                np.bincount(rng.integers(examples, size=examples), minlength=examples)
                for _ in range(min(rows, resamples - start))
            ]
        )
        pieces.append(counts.astype(np.float32) @ values.T)
    return np.concatenate(pieces).astype(np.float64) / examples
