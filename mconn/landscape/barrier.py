"""Barriers: one number that says how far a path rises, with its interval.

Every kind of the literature is a linear combination of the means at the points, once the point
at which its maximum is attained is fixed. A kind is therefore a function from the profile's
means to weights over points, and one piece of code gives every kind its value, its paired
standard error and its bootstrap interval. A maximum over a grid is a lower bound of the
maximum over the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.landscape.kinds import KINDS, Grid, Kind
from mconn.landscape.profile import Profile


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
    grid = Grid(profile.mixture.astype(np.float64), profile.ends(), profile.arc_length, profile.t)
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
    values: Float[np.ndarray, "points examples"], resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples points"]:
    """Means over examples drawn with replacement, as counts times values, in bounded memory."""
    examples = values.shape[1]
    rows = max(1, 4_000_000 // examples)
    pieces = []
    for start in range(0, resamples, rows):
        counts = np.stack(
            [
                np.bincount(generator.integers(examples, size=examples), minlength=examples)
                for _ in range(min(rows, resamples - start))
            ]
        )
        pieces.append(counts.astype(np.float32) @ values.T)
    return np.concatenate(pieces).astype(np.float64) / examples
