"""What the study of curvature along paths expects, and whether it came out."""

import dataclasses

import numpy as np
import pandas as pd

from experiments._shared.slopes import Slope, slope_of
from experiments.curvature.lines import MATCHED, NAIVE
from experiments.curvature.network import PARAMETRISATIONS, Loss, Parametrisation
from experiments.curvature.width import AFTER, BEFORE
from mconn.experiment import Claim, Frame, claims

PILOTS = "pilots of this project, one hidden layer of 32 to 512 units on digits"
IDENTITY = "the curvature identity L(t) - chord(t) = - integral of G(t, s) L''(s) ds"
AGAINST = "this project, against the notes"
CROSS_ENTROPY: Loss = "cross-entropy"
MEAN_FIELD: Parametrisation = "mean field"

Published = tuple[tuple[Parametrisation, str, float], ...]
"""Parametrisation, place, and the slope of log largest eigenvalue against log width."""


def slopes(widths: Frame, kind: Parametrisation) -> dict[tuple[str, str], Slope]:
    """The slope of the largest eigenvalue, by the loss that was minimised and the place."""
    parts = widths[widths.parametrisation == kind].groupby(["trained_on", "place"], sort=False)
    return {key: slope_of(part, "largest") for key, part in parts}


def published_claims(widths: Frame, published: Published) -> list[Claim]:
    """The slopes are those of the pilots."""
    found = {kind: slopes(widths, kind) for kind, _, _ in published}
    return [
        claims.near(
            f"slope/{place}/{kind}",
            f"slope of log largest eigenvalue against log width {place}, {kind}",
            found[kind][CROSS_ENTROPY, place].value,
            expected,
            absolute=0.2,
            interval=found[kind][CROSS_ENTROPY, place].interval,
            source=PILOTS,
        )
        for kind, place, expected in published
    ]


def law_claims(widths: Frame, lines: Frame) -> list[Claim]:
    """The largest eigenvalue is O(1/width) in one parametrisation only; the barrier in none."""
    places = "before training, after it, and half way between two trained networks"
    found = {kind: slopes(widths, kind).values() for kind in PARAMETRISATIONS}
    return [
        claims.between(
            "mean-field-falls",
            f"in the mean field parametrisation the largest eigenvalue falls as 1/width {places}",
            [slope.value for slope in found[MEAN_FIELD]],
            -1.2,
            -0.8,
            of="slope at every place, for every loss,",
            source="this project",
        )
        if kind == MEAN_FIELD
        else claims.at_least(
            f"not-inverse-width/{kind}",
            f"in the {kind} parametrisation the largest eigenvalue is not O(1/width) {places}",
            [slope.low for slope in found[kind]],
            -0.8,
            strict=True,
            of="lowest slope of a seed, at every place, for every loss,",
            source=AGAINST,
        )
        for kind in PARAMETRISATIONS
    ] + barrier_claims(lines)


def mean_field_slopes(lines: Frame, column: str) -> list[Slope]:
    """How a column of mean field lines depends on the width, for every loss."""
    losses = lines[lines.parametrisation == MEAN_FIELD].groupby("trained_on", sort=False)
    return [slope_of(part, column) for _, part in losses]


def barrier_claims(lines: Frame) -> list[Claim]:
    """Where the largest eigenvalue is O(1/width), the ends move apart and the barrier stays."""
    return [
        claims.at_least(
            "barrier-stays",
            "where the largest eigenvalue falls as 1/width the barrier of the line does not, mean "
            "field",
            [slope.low for slope in mean_field_slopes(lines, "barrier")],
            -0.5,
            strict=True,
            of="lowest slope of log barrier against log width of a line, for every loss,",
            source=AGAINST,
        ),
        claims.between(
            "distance-grows",
            "the squared distance of the ends grows as the width, mean field, so that it makes up "
            "for the eigenvalue",
            [slope.value for slope in mean_field_slopes(lines, "squared_distance")],
            0.8,
            1.2,
            of="slope for every loss",
            source="this project",
        ),
    ]


def width_controls(widths: Frame, goal: float) -> list[Claim]:
    """Eigenvalues that converged, of networks that are what they should be."""
    start = widths[widths.place == BEFORE].set_index("parametrisation")["loss"]
    standard, tangent = (start[kind].to_numpy() for kind in PARAMETRISATIONS[:2])
    return [
        claims.at_most(
            "eigenvalues-converged",
            "every largest eigenvalue of the networks of several widths converged",
            (widths.error / widths.largest).where(widths.converged, np.inf),
            1e-3,
            of="error over the eigenvalue",
            source="control",
        ),
        claims.at_most(
            "same-training-loss",
            "networks of every width and parametrisation were trained to the same loss",
            widths[widths.place == AFTER].loss.max(),
            goal,
            source="control",
        ),
        claims.at_most(
            "same-loss-before",
            "before training the standard and the NTK parametrisation have the same losses, "
            "whatever their curvature",
            abs(standard - tangent),
            1e-4,
            of="difference",
            source="control: they draw the same functions",
        ),
    ]


def kink_claims(kinks: Frame) -> list[Claim]:
    """What second derivatives miss of barriers of networks with kinks, and without."""
    relu, tanh = (kinks[kinks.activation == name] for name in ("relu", "tanh"))
    one_line = PILOTS.partition(",")[0]
    missed = (100 * relu.set_index("method").missed).groupby(level=0)
    seen = missed.agg(["mean", "sem", "min", "max", "size"]).T
    return [
        *(
            dataclasses.replace(
                claims.between(
                    f"kinks-are-missed/{method}",
                    "second derivatives by automatic differentiation miss a share of the barriers "
                    f"of ReLU networks, {method} lines",
                    seen[method]["mean"],
                    10,
                    40,
                    of="mean over lines",
                    unit="%",
                    source=f"{one_line}: {published} % of one line",
                ),
                interval="± {sem:.0f}, [{min:.0f}, {max:.0f}] over {size:.0f} lines".format(
                    **seen[method].fillna(np.inf)  # the standard error of one line
                ),
            )
            for method, published in ((NAIVE, 18), (MATCHED, 36))
        ),
        claims.at_least(
            "kinks-stand-out",
            "the share that ReLU hides stands out of its error over examples on every line",
            relu.missed / relu.missed_standard_error,
            3,
            unit="standard errors",
            source="this project",
        ),
        claims.at_most(
            "tanh-is-explained",
            "second derivatives by automatic differentiation explain the barriers of tanh networks",
            100 * abs(tanh.missed),
            1,
            strict=True,
            unit="% missed on every line",
            source=f"{one_line}: 0.04 % missed on one line",
        ),
        claims.at_most(
            "grid-is-fine",
            "the grid is fine enough for the integral of the second derivative",
            100 * kinks.quadrature_error,
            1,
            strict=True,
            of="error",
            unit="% of the barrier",
            source="control: against every second point",
        ),
        claims.at_most(
            "green-sum",
            "the height above the chord is the Green sum of second differences of the loss",
            kinks.identity,
            1e-12,
            of="difference, in float64,",
            source=f"control: {IDENTITY}, exact on a grid",
        ),
    ]


def traces(densities: Frame) -> Frame:
    """The trace with its standard error over random vectors, and the weight below zero."""
    place = ["method", "pair", "t"]
    parts = densities.assign(part=densities.dimension * densities.node * densities.weight)
    probes = parts.groupby([*place, "probe"], sort=False)["part"].sum()
    trace, node = probes.groupby(level=place, sort=False), parts.groupby(place, sort=False)["node"]
    columns = {"trace": trace.mean(), "standard_error": trace.sem()}
    columns |= {"largest_node": node.max(), "smallest_node": node.min()}
    return pd.DataFrame(columns).reset_index()
