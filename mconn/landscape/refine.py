"""Refinement of a grid around a barrier: the maximum of a coarse grid is too low."""

from typing import Any

import numpy as np

from mconn.errors import ConfigError
from mconn.landscape.barrier import KINDS, barrier, chord
from mconn.landscape.evaluate import profile_of
from mconn.landscape.losses import Losses
from mconn.landscape.profile import Profile
from mconn.measure import Execution, Run, joined
from mconn.paths import Path
from mconn.types import Batch, EvalFn


def refine(
    eval_fn: EvalFn,
    path: Path,
    ts: Any,
    data: Batch,
    kind: str = "chord",
    metric: str = "loss",
    *,
    rounds: int = 8,
    execution: Execution = Execution(),
) -> Profile:
    """Evaluate a curve on a grid, and then between points around the barrier's maximum.

    Each round adds the midpoints to both neighbours of the point of the maximum, until the barrier
    changes by no more than its paired standard error, and the parabola through the maximum and its
    neighbours promises no more. All rounds share one compiled program.

    The points are chosen by the examples they are measured on. The result is still a lower bound
    of the maximum over the curve: a second, narrow maximum between two points of the first grid
    stays unseen.

    Args:
        eval_fn: as in `mconn.landscape.evaluate`, and so are all arguments not named here.
        path: a curve.
        ts: the first grid, in ascending order, ends included.
        data: the examples.
        kind: the barrier, one that is attained at a point.
        metric: of which metric.
        rounds: the most rounds; each adds two points, or one next to an end.
        execution: as in `evaluate`; points of all rounds are kept in ``cells``.

    Returns:
        The profile at all points, in ascending order.

    Raises:
        ConfigError: if the path is a surface, the grid does not ascend, the kind is not attained
            at a point, or there would be no round.
        DivergenceError: if the metric is not finite at a point.
    """
    run = Run(Losses(eval_fn), [path], ts, data, execution)
    ts = run.ts
    _check(ts, kind, rounds)
    measured = run(ts)
    profile = profile_of(run, measured, ts)
    found = barrier(profile, kind, metric, resamples=1)
    for _ in range(rounds):
        added = _around(profile.t, found.at)
        if not len(added):
            break
        before = len(ts)
        more = run(added, lambda done, before=before: execution.finished(before + done))
        measured = joined([measured, more])
        ts = np.concatenate([ts, added])
        order = np.argsort(ts)
        ts, measured = ts[order], measured.at(order)
        profile = profile_of(run, measured, ts)
        last, found = found, barrier(profile, kind, metric, resamples=1)
        change = max(abs(found.value - last.value), _promise(profile, kind, metric, found.at))
        if change <= found.standard_error:
            break
    return profile


def _check(ts: np.ndarray, kind: str, rounds: int) -> None:
    """Refuse what cannot be refined."""
    if ts.ndim != 1:
        raise ConfigError(
            "a surface has no neighbours to refine between: evaluate it on a finer grid"
        )
    if np.any(np.diff(ts) <= 0):
        raise ConfigError("the grid to refine must ascend: sort its points and drop doubles")
    if rounds < 1:
        raise ConfigError(f"rounds is {rounds}: refine at least once, or use evaluate")
    if kind in KINDS and KINDS[kind].over != "point":
        raise ConfigError(
            f"barrier kind '{kind}' has no point of the maximum to refine around: choose one of "
            + ", ".join(name for name, rule in KINDS.items() if rule.over == "point")
        )


def _around(ts: np.ndarray, at: float) -> np.ndarray:
    """The midpoints between a point and its neighbours, where there is a number between them."""
    point = _row(ts, at)
    near = ts[max(0, point - 1) : point + 2]
    middles = ((near[:-1].astype(np.float64) + near[1:]) / 2).astype(ts.dtype)
    return middles[~np.isin(middles, ts)]


def _promise(profile: Profile, kind: str, metric: str, at: float) -> float:
    """How far the parabola through a maximum and its two neighbours rises above it."""
    point = _row(profile.t, at)
    if point in (0, len(profile.t) - 1):
        return 0.0
    means = profile.mean(metric)
    if KINDS[kind].weights is chord:
        means = means - profile.mixture @ means[profile.ends()]
    near = slice(point - 1, point + 2)
    # Steps, slopes and curvature of the two neighbouring intervals.
    left, right = np.diff(profile.t[near].astype(np.float64))
    before, after = np.diff(means[near]) / [left, right]
    curvature = 2 * (after - before) / (left + right)
    slope = (before * right + after * left) / (left + right)
    return float(abs(slope**2 / (2 * curvature))) if curvature else 0.0


def _row(ts: np.ndarray, at: float) -> int:
    """The index of a point."""
    return int(np.flatnonzero(ts == ts.dtype.type(at))[0])
