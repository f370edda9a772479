"""What a scaling study claims: known values, the shape of the curves, and controls."""

from collections.abc import Sequence

import numpy as np

from experiments._shared.controls import alignment_claims
from experiments.lines.scaling_table import Means, Ranges
from mconn.experiment import Claim, Result, claims as predicates

SMALL = 0.2
"""Nats below which the matched barrier of the longest training should lie."""


def anchor_claims(
    expected: Sequence[tuple[int, str, float]], source: str, means: Means, ranges: Ranges
) -> list[Claim]:
    """Every known mean train barrier is met within 40 %."""
    return [
        predicates.near(
            f"barrier/{method}/{place}",
            f"mean train barrier, {method}, at {place}",
            means[method, "train", place],
            value,
            source=source,
            relative=0.4,
            interval=ranges[method, "train", place],
        )
        for place, method, value in expected
        if (method, "train", place) in means
    ]


def shape_claims(
    axis: str, places: Sequence[int], methods: Sequence[str], means: Means
) -> list[Claim]:
    """The mean train barrier changes along the axis as it is known to."""
    curves = {method: [means[method, "train", place] for place in places] for method in methods}
    matched = [method for method in ("weights", "activations") if method in curves]
    if axis == "width":
        source = "Ainsworth et al. 2023; pilots of this project, nearly fitted networks"
        return [monotone(method, curves[method], falls=True, source=source) for method in methods]
    if axis == "depth":
        source = "Entezari et al. 2022; pilots of this project"
        return [monotone(method, curves[method], falls=False, source=source) for method in methods]
    source = "Ainsworth et al. 2023; pilots of this project"
    claims = [
        monotone(method, curves[method], falls=False, source=source)
        for method in methods
        if method == "naive"
    ]
    for method in matched:
        values = curves[method]
        top = int(np.argmax(values))
        holds = 0 < top < len(values) - 1 and values[-1] < SMALL
        claims.append(
            Claim(
                f"the train barrier, {method}, rises and then falls with longer training",
                source,
                f"highest between the ends, last below {SMALL}",
                f"highest {values[top]:.3g} at {places[top]}, last {values[-1]:.3g}",
                holds,
                id=f"rises-and-falls/{method}",
            )
        )
    return claims


def monotone(method: str, values: Sequence[float], *, falls: bool, source: str) -> Claim:
    """The claim that the mean barrier falls, or rises, from each place to the next."""
    steps = np.diff(values)
    right = int(((steps < 0) if falls else (steps > 0)).sum())
    return Claim(
        f"the train barrier, {method}, {'falls' if falls else 'rises'} from each place to the next",
        source,
        f"{len(steps)} of {len(steps)} steps",
        f"{right} of {len(steps)} steps",
        right == len(steps),
        id=f"{'falls' if falls else 'rises'}/{method}",
    )


def control_claims(
    places: Sequence[int], methods: Sequence[str], means: Means, aligned: Sequence[Result]
) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    claims = []
    if {"naive", "random"} <= set(methods):
        shares = [
            means["random", "train", place] / means["naive", "train", place] for place in places
        ]
        claims.append(
            Claim(
                "a random permutation does not help, at any place",
                "control",
                "train barrier at least 60 % of the naive one",
                f"{100 * min(shares):.0f} %",
                min(shares) >= 0.6,
                id="random-does-not-help",
            )
        )
    return [*claims, *alignment_claims(aligned)]
