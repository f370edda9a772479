"""What the study of curvature along paths expects, and whether it came out."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.curvature.lines import MATCHED, NAIVE
from experiments.curvature.network import PARAMETRISATIONS, Loss, Parametrisation
from experiments.curvature.width import AFTER, BEFORE, PLACES
from experiments.tangent.claims import Slope, by_width, exponent
from mconn.experiment import Claim, distinct, numbers, where

PILOTS = "pilots of this project, one hidden layer of 32 to 512 units on digits"
IDENTITY = "the curvature identity L(t) - chord(t) = - integral of G(t, s) L''(s) ds"
CROSS_ENTROPY: Loss = "cross-entropy"
MEAN_FIELD: Parametrisation = "mean field"

Published = tuple[tuple[Parametrisation, str, float], ...]
"""Parametrisation, place, and the slope of log largest eigenvalue against log width."""


def slope_of(rows: pa.Table, column: str) -> Slope:
    """How a column depends on the width."""
    widths, values = by_width(rows, column)
    each = [exponent(widths, seed) for seed in values.T]
    return Slope(exponent(widths, values.mean(axis=1)), min(each), max(each))


def slopes(widths: pa.Table, kind: Parametrisation) -> Iterator[tuple[str, str, Slope]]:
    """The loss that was minimised, the place, and the slope there of the largest eigenvalue."""
    for loss in distinct(np.asarray(widths["trained_on"].to_pylist())):
        for place in PLACES:
            rows = where(widths, trained_on=loss, parametrisation=kind, place=place)
            yield loss, place, slope_of(rows, "largest")


def published_claims(widths: pa.Table, published: Published) -> list[Claim]:
    """The slopes are those of the pilots."""
    claims = []
    for kind, place, expected in published:
        rows = where(widths, trained_on=CROSS_ENTROPY, parametrisation=kind, place=place)
        slope = slope_of(rows, "largest")
        claims.append(
            Claim(
                f"slope of log largest eigenvalue against log width {place}, {kind}",
                PILOTS,
                expected,
                round(slope.value, 2),
                abs(slope.value - expected) <= 0.2,
                "± 0.2",
                slope.interval,
                id=f"slope/{place}/{kind}",
            )
        )
    return claims


def law_claims(widths: pa.Table, lines: pa.Table) -> list[Claim]:
    """The largest eigenvalue is O(1/width) in one parametrisation only; the barrier in none."""
    claims = []
    for kind in PARAMETRISATIONS:
        found = [slope for _, _, slope in slopes(widths, kind)]
        low, high = min(s.low for s in found), max(s.high for s in found)
        values = f"{min(s.value for s in found):.2f} to {max(s.value for s in found):.2f}"
        interval = f"[{low:.2f}, {high:.2f}] over seeds"
        places = "before training, after it, and half way between two trained networks"
        if kind == MEAN_FIELD:
            claims.append(
                Claim(
                    "in the mean field parametrisation the largest eigenvalue falls as 1/width "
                    + places,
                    "this project",
                    "slope -1 at every place, for every loss",
                    values,
                    all(abs(slope.value + 1) <= 0.2 for slope in found),
                    "± 0.2",
                    interval,
                    id="mean-field-falls",
                )
            )
        else:
            claims.append(
                Claim(
                    f"in the {kind} parametrisation the largest eigenvalue is not O(1/width) "
                    + places,
                    "this project, against the notes",
                    "slope above -0.8 at every place, for every loss and seed",
                    values,
                    low > -0.8,
                    interval=interval,
                    id=f"not-inverse-width/{kind}",
                )
            )
    return [*claims, *barrier_claims(lines)]


def barrier_claims(lines: pa.Table) -> list[Claim]:
    """Where the largest eigenvalue is O(1/width), the ends move apart and the barrier stays."""
    rows = where(lines, parametrisation=MEAN_FIELD)
    losses = distinct(np.asarray(rows["trained_on"].to_pylist()))
    barrier, distance = (
        [slope_of(where(rows, trained_on=loss), column) for loss in losses]
        for column in ("barrier", "squared_distance")
    )
    return [
        Claim(
            "where the largest eigenvalue falls as 1/width the barrier of the line does not, mean "
            "field",
            "this project, against the notes",
            "slope of log barrier against log width above -0.5, for every loss and line",
            ", ".join(f"{slope.value:.2f}" for slope in barrier),
            min(slope.low for slope in barrier) > -0.5,
            interval=f"[{min(s.low for s in barrier):.2f}, {max(s.high for s in barrier):.2f}] "
            "over lines",
            id="barrier-stays",
        ),
        Claim(
            "the squared distance of the ends grows as the width, mean field, so that it makes up "
            "for the eigenvalue",
            "this project",
            1,
            ", ".join(f"{slope.value:.2f}" for slope in distance),
            all(abs(slope.value - 1) <= 0.2 for slope in distance),
            "± 0.2",
            f"[{min(s.low for s in distance):.2f}, {max(s.high for s in distance):.2f}] over lines",
            id="distance-grows",
        ),
    ]


def width_controls(widths: pa.Table, goal: float) -> list[Claim]:
    """Eigenvalues that converged, of networks that are what they should be."""
    start = where(widths, place=BEFORE)
    standard, tangent = (
        numbers(where(start, parametrisation=kind), "loss") for kind in PARAMETRISATIONS[:2]
    )
    difference = abs(standard - tangent).max()
    reached = numbers(where(widths, place=AFTER), "loss").max()
    error = (numbers(widths, "error") / numbers(widths, "largest")).max()
    return [
        Claim(
            "every largest eigenvalue of the networks of several widths converged",
            "control",
            "error at most 0.001 of it",
            f"{error:.1e}",
            bool(numbers(widths, "converged").all() and error <= 1e-3),
            id="eigenvalues-converged",
        ),
        Claim(
            "networks of every width and parametrisation were trained to the same loss",
            "control",
            f"at most {goal:g}",
            f"{reached:.4g}",
            bool(reached <= goal),
            id="same-training-loss",
        ),
        Claim(
            "before training the standard and the NTK parametrisation have the same losses, "
            "whatever their curvature",
            "control: they draw the same functions",
            "difference at most 1e-4",
            f"{difference:.1e}",
            bool(difference <= 1e-4),
            id="same-loss-before",
        ),
    ]


class Curve(NamedTuple):
    """What was measured along one line; a row per point.

    Attributes:
        height: above the chord.
        curvature: in the line's direction.
        standard_error: of it.
        second: the second derivative by t.
    """

    height: np.ndarray
    curvature: np.ndarray
    standard_error: np.ndarray
    second: np.ndarray


def curves(directions: pa.Table, method: str) -> dict[str, Curve]:
    """By pair, in the order of t."""
    rows = where(directions, method=method).sort_by([("pair", "ascending"), ("t", "ascending")])
    columns = ("height", "curvature", "standard_error", "second_derivative")
    return {
        pair: Curve(*(numbers(where(rows, pair=pair), column) for column in columns))
        for pair in distinct(np.asarray(rows["pair"].to_pylist()))
    }


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean, and its standard error; not a number for one value."""
    if len(values) == 1:
        return float(values[0]), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def kink_claims(kinks: pa.Table) -> list[Claim]:
    """What second derivatives miss of barriers of networks with kinks, and without."""
    relu, tanh = where(kinks, activation="relu"), where(kinks, activation="tanh")
    claims = []
    for method, published in ((NAIVE, 18), (MATCHED, 36)):
        missed = 100 * numbers(where(relu, method=method), "missed")
        mean, error = mean_and_error(missed)
        claims.append(
            Claim(
                "second derivatives by automatic differentiation miss a share of the barriers of "
                f"ReLU networks, {method} lines",
                f"{PILOTS.partition(',')[0]}: {published} % of one line",
                "10 to 40 %, mean over lines",
                f"({mean:.0f} ± {error:.0f}) %" if len(missed) > 1 else f"{mean:.0f} %",
                10 <= mean <= 40,
                interval=f"[{missed.min():.0f}, {missed.max():.0f}] % over {len(missed)} lines",
                id=f"kinks-are-missed/{method}",
            )
        )
    distance = numbers(relu, "missed") / numbers(relu, "missed_standard_error")
    smooth = 100 * abs(numbers(tanh, "missed"))
    quadrature = 100 * numbers(kinks, "quadrature_error").max()
    identity = numbers(kinks, "identity").max()
    return [
        *claims,
        Claim(
            "the share that ReLU hides stands out of its error over examples on every line",
            "this project",
            "at least three standard errors",
            f"{distance.min():.1f} to {distance.max():.1f}",
            bool(distance.min() >= 3),
            id="kinks-stand-out",
        ),
        Claim(
            "second derivatives by automatic differentiation explain the barriers of tanh networks",
            f"{PILOTS.partition(',')[0]}: 0.04 % missed on one line",
            "less than 1 % missed on every line",
            f"{smooth.mean():.2g} %",
            bool(smooth.max() < 1),
            interval=f"at most {smooth.max():.2g} % of {len(smooth)} lines",
            id="tanh-is-explained",
        ),
        Claim(
            "the grid is fine enough for the integral of the second derivative",
            "control: against every second point",
            "error below 1 % of the barrier",
            f"{quadrature:.2g} %",
            bool(quadrature < 1),
            id="grid-is-fine",
        ),
        Claim(
            "the height above the chord is the Green sum of second differences of the loss",
            f"control: {IDENTITY}, exact on a grid",
            "difference at most 1e-12, in float64",
            f"{identity:.1e}",
            bool(identity <= 1e-12),
            id="green-sum",
        ),
    ]


def traces(densities: pa.Table) -> pa.Table:
    """The trace with its standard error over random vectors, and the weight below zero."""
    rows = []
    for method in distinct(np.asarray(densities["method"].to_pylist())):
        for t in np.unique(numbers(densities, "t")):
            here = where(densities, method=method).filter(pc.field("t") == t)
            node, weight, probe = (numbers(here, name) for name in ("node", "weight", "probe"))
            each = [
                numbers(here, "dimension")[0] * (node * weight)[probe == number].sum()
                for number in np.unique(probe)
            ]
            trace, error = mean_and_error(np.array(each))
            rows.append(
                {
                    "method": method,
                    "pair": here["pair"][0].as_py(),
                    "t": float(t),
                    "trace": trace,
                    "standard_error": error,
                    "largest_node": float(node.max()),
                    "smallest_node": float(node.min()),
                }
            )
    return pa.Table.from_pylist(rows)
