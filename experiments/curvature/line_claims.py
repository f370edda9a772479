"""What is expected of the curvature along lines between smooth networks."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments._shared.together import least, most, together
from experiments.curvature.claims import IDENTITY
from experiments.curvature.lines import NAIVE, TOLERANCE
from mconn.experiment import Claim, Frame, claims

LINE = ["method", "pair"]


def line_claims(directions: Frame, kinks: Frame, extremes: Frame) -> list[Claim]:
    """Where the curvature is negative, what it bounds, and what the largest eigenvalue says.

    Args:
        directions: of smooth networks.
        kinks: of the same.
        extremes: of the same.
    """
    directions, extremes = (rows.sort_values([*LINE, "t"]) for rows in (directions, extremes))
    lowest = directions.groupby(LINE)["curvature"].min().unstack("method")
    return [
        claims.counts(
            "negative-under-hump",
            "the curvature in the line's direction is negative only under the hump: by more than "
            "two standard errors in one interval only, with the top in it, where the height is at "
            "least half the barrier",
            list(under_hump(directions)),
            of="naive and matched lines",
            source=IDENTITY,
        ),
        middle_claim(directions, extremes),
        claims.share_of(
            "matching-takes-curvature",
            "matching, which takes the barrier away, takes the negative curvature with it",
            lowest.drop(columns=NAIVE).squeeze(axis=1),
            lowest[NAIVE],
            most=0.25,
            of="the most negative curvature of the naive line, for every pair",
            source="this project: the negative control",
        ),
        bound_claim(directions, kinks, extremes),
        *extreme_claims(directions, extremes),
    ]


def under_hump(directions: Frame) -> Iterator[bool]:
    """Of every line, whether negative curvature is under the hump, and only there."""
    for _, line in directions.groupby(LINE):
        height = line.height.to_numpy()
        negative = np.flatnonzero(line.curvature < -2 * line.standard_error)
        one, top = len(negative) > 0 and (np.diff(negative) == 1).all(), height.argmax()
        around = one and negative[0] <= top <= negative[-1]
        yield bool(around and height[negative].min() >= 0.5 * height[top])


def middle_claim(directions: Frame, extremes: Frame) -> Claim:
    """The largest eigenvalue is large where the loss bends down."""
    largest, along = (
        rows[rows.method == NAIVE].pivot(index="t", columns="pair", values=column)
        for rows, column in ((extremes, "largest"), (directions, "curvature"))
    )
    ratio = largest.iloc[len(largest) // 2] / largest.iloc[[0, -1]].max()
    return together(
        "largest-is-no-barrier",
        "the largest eigenvalue is not the curvature that makes a barrier: half way along naive "
        "lines it is above those of the ends, while the curvature in the line's direction is "
        "negative",
        least("eigenvalue over the higher of the ends", ratio, 1, strict=True),
        most("curvature along the line", along.iloc[len(along) // 2], 0, strict=True),
        source=IDENTITY,
    )


def bound_claim(directions: Frame, kinks: Frame, extremes: Frame) -> Claim:
    """The barrier is bounded by negative curvature."""
    of_line = kinks.set_index(LINE)
    second = directions.groupby(LINE)["second_derivative"].min()
    smallest = extremes.groupby(LINE)["smallest"].min()
    bounds = (-second, of_line.squared_distance * -smallest)
    return claims.at_most(
        "bounds",
        "the barrier is at most an eighth of the largest negative second derivative, and of the "
        "squared length times the most negative eigenvalue",
        pd.concat([of_line.barrier / (bound.clip(lower=0) / 8) for bound in bounds]),
        1,
        of="share of either bound, for every line,",
        source=IDENTITY,
    )


def extreme_claims(directions: Frame, extremes: Frame) -> list[Claim]:
    """Eigenvalues that are extreme, and that converged."""
    at, along = (rows.assign(t=rows.t.round(9)) for rows in (extremes, directions))
    here = at.merge(along[[*LINE, "t", "curvature"]], on=[*LINE, "t"], validate="1:1")
    outside = np.maximum(
        here.smallest - here.smallest_error - here.curvature,
        here.curvature - here.largest - here.largest_error,
    )
    error = extremes[["largest_error", "smallest_error"]].max(axis=1) / extremes.largest
    return [
        claims.at_most(
            "between-extremes",
            "the curvature in the line's direction lies between the extreme eigenvalues",
            outside.max(),
            0,
            of=f"outside of them, less their errors, at all {len(extremes)} points,",
            source="control",
        ),
        claims.at_most(
            "extremes-converged",
            "every extreme eigenvalue along the lines converged",
            error.where(extremes.converged, np.inf).max(),
            TOLERANCE * (1 + 1e-3),
            of="error over the largest one",
            source="control",
        ),
    ]
