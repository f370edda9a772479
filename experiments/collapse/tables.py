"""What the studies of repaired networks read from their sweeps."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from experiments._shared.controls import certificate_claims
from experiments.collapse.sweep import LAYER, Treatment, method_name
from mconn.experiment import Claim, Frame, Result, claims

Variant = tuple[str, Treatment]
"""An alignment, or ``naive``, and what is done to the network after it."""


def of_method(profile: Frame, method: str, metric: str, split: str) -> Frame:
    """The rows of a metric, pair after pair."""
    keep = (profile.method == method) & (profile.metric == metric) & (profile.split == split)
    return profile[keep].sort_values(["pair", "t"])


def half_way(profile: Frame, method: str, metric: str, split: str = "test") -> np.ndarray:
    """A metric at t = 1/2, one number per pair, in the order of the pairs."""
    rows = of_method(profile, method, metric, split)
    return rows[rows.t == 0.5].value.to_numpy()


def at_ends(profile: Frame, metric: str, split: str = "test") -> float:
    """The mean of a metric over the ends of all lines of the first method."""
    rows = of_method(profile, profile.method.iloc[0], metric, split)
    return rows[rows.t.isin((0, 1))].value.mean()


def ratio_by_layer(ratios: Frame, method: str) -> np.ndarray:
    """The variance ratio of every layer: the mean over pairs, and over values of a layer."""
    return ratios[ratios.method == method].groupby(LAYER)["ratio"].mean().to_numpy()


def headline(profile: Frame, barriers: Frame, ratios: Frame, methods: Sequence[str]) -> Frame:
    """Accuracy, loss and barrier on the test split, and the variance of the last layer."""
    barrier = barriers[barriers.split == "test"].groupby("method")["value"].mean()
    ends = [at_ends(profile, metric) for metric in ("accuracy", "loss")]
    rows = [("ends", *ends, 0.0, 1.0, 1.0)]
    for method in methods:
        middle = [half_way(profile, method, metric).mean() for metric in ("accuracy", "loss")]
        kept = ratio_by_layer(ratios, method)
        rows.append((method, *middle, barrier[method], kept[0], kept[-1]))
    layers = ["variance, first layer", "variance, last layer"]
    table = pd.DataFrame(rows, columns=["method", "accuracy", "loss", "chord barrier", *layers])
    return table.round(4).round(dict.fromkeys(layers, 3))


def order_claim(profile: Frame, methods: Sequence[str], source: str) -> Claim:
    """The accuracy half way rises from method to method, for every pair."""
    values = np.stack([half_way(profile, method, "accuracy") for method in methods], axis=1)
    order = " < ".join(methods)
    told = f"test accuracy half way rises in the order {order}, for every pair"
    return claims.ordered(f"order/{order}", told, values, falling=False, source=source)


def accuracy_claims(
    profile: Frame, expected: Sequence[tuple[Variant, float]], source: str, points: float | int
) -> list[Claim]:
    """Published accuracies half way, each within so many points of a hundred."""
    return [
        claims.near(
            f"accuracy/{method}",
            f"test accuracy half way, {method} (%)",
            100 * half_way(profile, method, "accuracy"),
            published,
            absolute=points,
            over="pairs",
            source=source,
        )
        for method, published in ((method_name(*variant), value) for variant, value in expected)
    ]


def control_claims(results: Mapping[str, Result], profile: Frame) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    ends = profile[profile.t.isin((0, 1)) & (profile.metric == "loss")]
    # New BatchNorm statistics change the ends as well.
    repaired = ends[~ends.method.str.contains("reset")].groupby(["pair", "split", "t"])["value"]
    return [
        *certificate_claims([each for each in results.values() if "certificate" in each.facts]),
        claims.at_most(
            "repaired-ends",
            "a repaired line has the ends that it had",
            (repaired.max() - repaired.min()).max(),
            1e-4,
            of="difference of losses at the ends from those without a repair",
            source="control",
        ),
    ]
