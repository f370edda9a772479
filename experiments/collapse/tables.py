"""What the studies of repaired networks read from their sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments._shared.controls import certificate_claims
from experiments.collapse.sweep import LAYER, Treatment, method_name
from mconn.experiment import Claim, Result, numbers, where

Variant = tuple[str, Treatment]
"""An alignment, or ``naive``, and what is done to the network after it."""


def half_way(profile: pa.Table, method: str, metric: str, split: str = "test") -> np.ndarray:
    """A metric at t = 1/2, one number per pair, in the order of the pairs."""
    chosen = where(profile, method=method, metric=metric, split=split)
    middle = chosen.filter(pc.field("t") == 0.5).sort_by("pair")
    return numbers(middle, "value")


def at_ends(profile: pa.Table, metric: str, split: str = "test") -> float:
    """The mean of a metric over the ends of all lines of the first method."""
    first = profile["method"][0].as_py()
    chosen = where(profile, method=first, metric=metric, split=split)
    return float(numbers(chosen.filter(pc.field("t").isin([0.0, 1.0])), "value").mean())


def ratio_by_layer(ratios: pa.Table, method: str) -> np.ndarray:
    """The variance ratio of every layer: the mean over pairs, and over values of a layer."""
    chosen = where(ratios, method=method)
    layers = numbers(chosen, LAYER)
    values = numbers(chosen, "ratio")
    return np.array([np.nanmean(values[layers == layer]) for layer in np.unique(layers)])


def headline(
    profile: pa.Table, barriers: pa.Table, ratios: pa.Table, methods: Sequence[str]
) -> pa.Table:
    """Accuracy, loss and barrier on the test split, and the variance of the last layer."""
    rows: list[dict[str, str | float]] = [
        {
            "method": "ends",
            "accuracy": round(at_ends(profile, "accuracy"), 4),
            "loss": round(at_ends(profile, "loss"), 4),
            "chord barrier": 0.0,
            "variance, first layer": 1.0,
            "variance, last layer": 1.0,
        }
    ]
    for method in methods:
        barrier = numbers(where(barriers, method=method, split="test"), "value").mean()
        kept = ratio_by_layer(ratios, method)
        rows.append(
            {
                "method": method,
                "accuracy": round(float(half_way(profile, method, "accuracy").mean()), 4),
                "loss": round(float(half_way(profile, method, "loss").mean()), 4),
                "chord barrier": round(float(barrier), 4),
                "variance, first layer": round(float(kept[0]), 3),
                "variance, last layer": round(float(kept[-1]), 3),
            }
        )
    return pa.Table.from_pylist(rows)


def order_claim(profile: pa.Table, methods: Sequence[str], source: str) -> Claim:
    """The accuracy half way rises from method to method, for every pair."""
    values = np.array([half_way(profile, method, "accuracy") for method in methods])
    in_order = np.all(np.diff(values, axis=0) > 0, axis=0)
    means = ", ".join(f"{100 * value:.1f} %" for value in values.mean(axis=1))
    return Claim(
        f"test accuracy half way rises in the order {' < '.join(methods)}, for every pair",
        source,
        f"{len(in_order)} of {len(in_order)} pairs",
        f"{in_order.sum()} of {len(in_order)} pairs ({means})",
        bool(in_order.all()),
        id=f"order/{' < '.join(methods)}",
    )


def accuracy_claims(
    profile: pa.Table, expected: Sequence[tuple[Variant, float]], source: str, points: float | int
) -> list[Claim]:
    """Published accuracies half way, each within so many points of a hundred."""
    claims = []
    for variant, published in expected:
        method = method_name(*variant)
        measured = 100 * float(half_way(profile, method, "accuracy").mean())
        claims.append(
            Claim(
                f"test accuracy half way, {method} (%)",
                source,
                published,
                round(measured, 1),
                abs(measured - published) <= points,
                f"± {points:g} points",
                id=f"accuracy/{method}",
            )
        )
    return claims


def control_claims(results: Mapping[str, Result], profile: pa.Table) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    aligned = [result for result in results.values() if "certificate" in result.facts]
    spread = end_spread(profile)
    return [
        *certificate_claims(aligned),
        Claim(
            "a repaired line has the ends that it had",
            "control",
            "losses at the ends within 1e-4 of those without a repair",
            f"{spread:.1e}",
            spread <= 1e-4,
            id="repaired-ends",
        ),
    ]


def end_spread(profile: pa.Table) -> float:
    """The largest difference of a loss at an end between lines with and without a repair.

    New BatchNorm statistics change the ends as well and are left out.
    """
    losses: dict[tuple[Any, ...], list[float]] = {}
    for row in profile.to_pylist():
        if row["t"] in (0.0, 1.0) and row["metric"] == "loss" and "reset" not in row["method"]:
            place = tuple(row.get(name) for name in ("network", "pair", "split", "t"))
            losses.setdefault(place, []).append(row["value"])
    return max(max(values) - min(values) for values in losses.values())
