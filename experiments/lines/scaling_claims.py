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
    verb = "falls" if falls else "rises"
    told = f"the train barrier, {method}, {verb} from each place to the next"
    return predicates.ordered(f"{verb}/{method}", told, values, falling=falls, source=source)


def control_claims(
    places: Sequence[int], methods: Sequence[str], means: Means, aligned: Sequence[Result]
) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    claims = []
    if {"naive", "random"} <= set(methods):
        naive, random = (
            [means[method, "train", place] for place in places] for method in ("naive", "random")
        )
        told, of = "a random permutation does not help, at any place", "the naive train barrier"
        claims.append(
            predicates.share_of(
                "random-does-not-help", told, random, naive, least=0.6, of=of, source="control"
            )
        )
    return [*claims, *alignment_claims(aligned)]
