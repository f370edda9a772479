"""What is expected of the curvature along lines between smooth networks."""

import numpy as np
import pyarrow as pa

from experiments.curvature.claims import IDENTITY, curves
from experiments.curvature.lines import MATCHED, NAIVE, TOLERANCE
from mconn.experiment import Claim, numbers, where

METHODS = (NAIVE, MATCHED)


def line_claims(directions: pa.Table, kinks: pa.Table, extremes: pa.Table) -> list[Claim]:
    """Where the curvature is negative, what it bounds, and what the largest eigenvalue says.

    Args:
        directions: of smooth networks.
        kinks: of the same.
        extremes: of the same.
    """
    return [
        hump_claim(directions),
        middle_claim(directions, extremes),
        control_claim(directions),
        bound_claim(directions, kinks, extremes),
        *extreme_claims(directions, extremes),
    ]


def hump_claim(directions: pa.Table) -> Claim:
    """Negative curvature is under the hump, and only there."""
    lowest, under = [], []
    for method in METHODS:
        for curve in curves(directions, method).values():
            top = int(np.argmax(curve.height))
            negative = np.flatnonzero(curve.curvature < -2 * curve.standard_error)
            one = len(negative) > 0 and bool((np.diff(negative) == 1).all())
            share = curve.height[negative].min() / curve.height[top] if one else 0.0
            lowest.append(share)
            under.append(one and negative[0] <= top <= negative[-1] and share >= 0.5)
    return Claim(
        "the curvature in the line's direction is negative only under the hump",
        IDENTITY,
        "by more than two standard errors in one interval only, with the top in it, where the "
        "height is at least half the barrier; on every naive and matched line",
        f"{sum(under)} of {len(under)} lines, height at least {100 * min(lowest):.0f} %",
        all(under),
        id="negative-under-hump",
    )


def middle_claim(directions: pa.Table, extremes: pa.Table) -> Claim:
    """The largest eigenvalue is large where the loss bends down."""
    middle, end, along = [], [], []
    for pair, curve in curves(directions, NAIVE).items():
        rows = where(extremes, method=NAIVE, pair=pair).sort_by("t")
        largest = numbers(rows, "largest")
        middle.append(largest[len(largest) // 2])
        end.append(max(largest[0], largest[-1]))
        along.append(curve.curvature[len(curve.curvature) // 2])
    middle, end, along = (np.array(each) for each in (middle, end, along))
    return Claim(
        "the largest eigenvalue is not the curvature that makes a barrier: half way along naive "
        "lines it is above those of the ends, while the curvature in the line's direction is "
        "negative",
        IDENTITY,
        "both, for every pair",
        f"{middle.mean():.2g} against {end.mean():.2g}; {along.mean():.2g} along the line",
        bool((middle > end).all() and (along < 0).all()),
        interval=f"[{middle.min():.2g}, {middle.max():.2g}]; [{along.min():.2g}, "
        f"{along.max():.2g}] over {len(middle)} lines",
        id="largest-is-no-barrier",
    )


def control_claim(directions: pa.Table) -> Claim:
    """Without the barrier the negative curvature is gone as well."""
    naive, matched = (
        {pair: curve.curvature.min() for pair, curve in curves(directions, method).items()}
        for method in METHODS
    )
    ratio = np.array([matched[pair] / naive[pair] for pair in naive])
    return Claim(
        "matching, which takes the barrier away, takes the negative curvature with it",
        "this project: the negative control",
        "most negative curvature at most a quarter of that of the naive line, for every pair",
        f"{ratio.mean():.2g}",
        bool(ratio.max() <= 0.25),
        interval=f"[{ratio.min():.2g}, {ratio.max():.2g}] over {len(ratio)} pairs",
        id="matching-takes-curvature",
    )


def bound_claim(directions: pa.Table, kinks: pa.Table, extremes: pa.Table) -> Claim:
    """The barrier is bounded by negative curvature."""
    barriers, nearest, loosest = [], [], []
    for method in METHODS:
        for pair, curve in curves(directions, method).items():
            line = where(kinks, method=method, pair=pair)
            smallest = numbers(where(extremes, method=method, pair=pair), "smallest").min()
            barriers.append(numbers(line, "barrier")[0])
            nearest.append(max(-curve.second.min(), 0) / 8)
            loosest.append(numbers(line, "squared_distance")[0] * max(-smallest, 0) / 8)
    shares = [np.array(barriers) / np.array(bound) for bound in (nearest, loosest)]
    return Claim(
        "the barrier is at most an eighth of the largest negative second derivative, and of the "
        "squared length times the most negative eigenvalue",
        IDENTITY,
        "at most 1 of either bound, for every line",
        " and ".join(f"{share.min():.2g} to {share.max():.2g}" for share in shares),
        all(share.max() <= 1 for share in shares),
        id="bounds",
    )


def extreme_claims(directions: pa.Table, extremes: pa.Table) -> list[Claim]:
    """Eigenvalues that are extreme, and that converged."""
    outside, count = -np.inf, 0
    for method in METHODS:
        for pair, curve in curves(directions, method).items():
            rows = where(extremes, method=method, pair=pair).sort_by("t")
            step = (len(curve.curvature) - 1) // (len(rows) - 1)
            here = curve.curvature[::step]
            low, high = (
                numbers(rows, name) + sign * numbers(rows, f"{name}_error")
                for name, sign in (("smallest", -1), ("largest", 1))
            )
            outside = max(outside, (low - here).max(), (here - high).max())
            count += len(rows)
    largest = numbers(extremes, "largest")
    error = max(
        (numbers(extremes, f"{name}_error") / largest).max() for name in ("largest", "smallest")
    )
    return [
        Claim(
            "the curvature in the line's direction lies between the extreme eigenvalues",
            "control",
            f"at all {count} points, within the errors of the eigenvalues",
            f"{-outside:.2g} inside at least" if outside <= 0 else f"{outside:.2g} outside",
            bool(outside <= 0),
            id="between-extremes",
        ),
        Claim(
            "every extreme eigenvalue along the lines converged",
            "control",
            f"error at most {TOLERANCE:g} of the largest one",
            f"{error:.1e}",
            bool(numbers(extremes, "converged").all() and error <= TOLERANCE * (1 + 1e-3)),
            id="extremes-converged",
        ),
    ]
