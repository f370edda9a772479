"""What the study of tangent kernels expects, and whether it came out."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mconn.experiment import Claim, Result, numbers, where

JACOT = "Jacot et al. 2018"
HUANG = "Huang and Yau 2020"
FORT = "Fort et al. 2020"
LAZY, PLAIN, ADAM = (
    "tangent, gradient descent",
    "standard, gradient descent",
    "standard, Adam",
)


class Slope(NamedTuple):
    """A power law's exponent, from a line through logarithms.

    Attributes:
        value: of means over seeds.
        low: the lowest of single seeds, and ``high`` the highest.
        high: see ``low``.
    """

    value: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        """As a claim shows it."""
        return f"[{self.low:.2f}, {self.high:.2f}] over seeds"


def exponent(places: np.ndarray, values: np.ndarray) -> float:
    """The slope of log values against log places."""
    return float(np.polyfit(np.log(places), np.log(values), 1)[0])


def by_width(table: pa.Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The widths, and a column of shape (widths, seeds)."""
    rows = table.sort_by([("width", "ascending"), ("seed", "ascending")])
    widths = np.unique(numbers(rows, "width"))
    return widths, numbers(rows, column).reshape(len(widths), -1)


def slope_of(drift: pa.Table, treatment: str) -> Slope:
    """How the drift depends on the width."""
    widths, values = by_width(where(drift, treatment=treatment), "drift")
    each = [exponent(widths, seed) for seed in values.T]
    return Slope(exponent(widths, values.mean(axis=1)), min(each), max(each))


def width_claims(drift: pa.Table, goal: float) -> list[Claim]:
    """The drift falls with width, how fast, and that Adam at one rate keeps it up."""
    slopes = {name: slope_of(drift, name) for name in (LAZY, PLAIN, ADAM)}
    lazy = slopes[LAZY]
    means = by_width(where(drift, treatment=LAZY), "drift")[1].mean(axis=1)
    reached = numbers(drift, "loss").max()
    return [
        Claim(
            "in the tangent parametrisation the kernel moves less in training the wider the "
            "network is",
            JACOT,
            "lower at every next width",
            " > ".join(f"{value:.2g}" for value in means),
            bool((np.diff(means) < 0).all()),
            id="drift-falls",
        ),
        Claim(
            "in the tangent parametrisation the relative drift of the kernel falls as width to the "
            "power -1/2",
            f"{JACOT}: an upper bound; this project's design, not measured before",
            -0.5,
            round(lazy.value, 2),
            abs(lazy.value + 0.5) <= 0.2,
            "± 0.2",
            lazy.interval,
            id="relative-drift/root",
        ),
        Claim(
            "in the tangent parametrisation the relative drift of the kernel falls as 1/width",
            f"{HUANG}, the first correction of the hierarchy",
            -1,
            round(lazy.value, 2),
            abs(lazy.value + 1) <= 0.2,
            "± 0.2",
            lazy.interval,
            id="relative-drift/inverse",
        ),
        Claim(
            "with gradient descent at the largest stable rate of each width the drift falls with "
            "width in the standard parametrisation too",
            "Lee et al. 2019",
            "slope below -0.5",
            round(slopes[PLAIN].value, 2),
            slopes[PLAIN].value < -0.5,
            interval=slopes[PLAIN].interval,
            id="drift-standard",
        ),
        Claim(
            "with Adam at one rate for all widths the drift falls more slowly with width than in "
            "the tangent parametrisation",
            "Chizat et al. 2019: laziness is a matter of scale, not of width",
            f"slope above {lazy.value:.2f}, for every seed",
            round(slopes[ADAM].value, 2),
            slopes[ADAM].low > lazy.high,
            interval=slopes[ADAM].interval,
            id="drift-adam",
        ),
        Claim(
            "every network was trained to the same loss",
            "control",
            f"at most {goal:g}",
            f"{reached:.4g}",
            bool(reached <= goal),
            id="same-training-loss",
        ),
    ]


def spread_claims(spread: pa.Table) -> list[Claim]:
    """Before training: the variance over seeds, and the distance of the mean from the limit."""
    claims = []
    for depth in np.unique(numbers(spread, "depth")):
        rows = spread.filter(pc.field("depth") == int(depth)).sort_by("width")
        slope = exponent(numbers(rows, "width"), numbers(rows, "variance"))
        claims.append(
            Claim(
                f"the variance of the kernel over seeds before training falls as 1/width, hidden "
                f"layers: {depth}",
                "Hanin and Nica 2020; central limit theorem",
                -1,
                round(slope, 2),
                abs(slope + 1) <= 0.15,
                "± 0.15",
                id=f"variance/{depth}",
            )
        )
    rows = spread.filter(pc.field("depth") == 1)
    if len(rows):
        ratio = numbers(rows, "shift") / numbers(rows, "noise")
        claims.append(
            Claim(
                "the mean over seeds of the kernel of one hidden layer is that of infinite width, "
                "whatever the width",
                "control: units are independent",
                "squared distance less its expected noise, over that noise: below 5.6, the 99 % "
                "point for noise in one direction",
                f"{ratio.min():.2f} to {ratio.max():.2f}",
                bool((ratio <= 5.6).all()),
                id="infinite-width",
            )
        )
    return claims


def forecast_claims(forecast: pa.Table) -> list[Claim]:
    """The first order of the hierarchy foretells one step of smooth networks, not of ReLU."""
    share = numbers(forecast, "share").min()
    short = forecast.filter(pc.field("share") == share)
    smooth, kinked = (numbers(where(short, activation=a), "error") for a in ("gelu", "relu"))
    return [
        Claim(
            f"after a step of {share:g} of the stable length the kernel of a network with GELU has "
            "moved as the first order of the tangent hierarchy says",
            HUANG,
            "error at most 15 % of the move, at every width",
            f"{100 * smooth.min():.1f} to {100 * smooth.max():.1f} %",
            bool(smooth.max() <= 0.15),
            id=f"first-order/{share:g}",
        ),
        Claim(
            "for ReLU it has not: derivatives miss the units that switch, however short the step",
            "this project",
            "error at least 25 % of the move, at every width",
            f"{100 * kinked.min():.1f} to {100 * kinked.max():.1f} %",
            bool(kinked.min() >= 0.25),
            id="first-order-misses-relu",
        ),
    ]


def epoch_claims(epochs: pa.Table, facts: Mapping[str, float]) -> list[Claim]:
    """The kernel turns fast at first, then slower and slower, and towards the labels."""
    seeds = np.unique(numbers(epochs, "seed"))
    rows = epochs.sort_by([("epoch", "ascending"), ("seed", "ascending")])
    measured = np.unique(numbers(rows, "epoch"))
    values = {
        name: numbers(rows, name).reshape(len(measured), len(seeds))
        for name in ("speed", "turn", "target_alignment")
    }
    fifth = int(np.searchsorted(measured, measured[-1] / 5, side="right")) - 1
    ratio = values["speed"][fifth] / values["speed"][1]
    aligned, turn = values["target_alignment"], values["turn"][-1]
    return [
        Claim(
            "the kernel turns fast in the first epoch and then freezes: after a fifth of the "
            "training, while the learning rate is still above nine tenths, its speed is below a "
            "tenth of that in the first epoch",
            f"{FORT}, figure 5",
            "at most 0.1, for every seed",
            f"{ratio.mean():.2g}",
            bool((ratio <= 0.1).all()),
            interval=f"[{ratio.min():.2g}, {ratio.max():.2g}] over seeds",
            id="kernel-freezes",
        ),
        Claim(
            "training turns the kernel further than another seed would",
            "this project",
            f"1 - cosine of centred kernels above that of two seeds before training, "
            f"{facts['seeds before']:.3g}",
            f"{turn.mean():.3g}",
            bool((turn > facts["seeds before"]).all()),
            interval=f"[{turn.min():.3g}, {turn.max():.3g}] over seeds",
            id="further-than-seeds",
        ),
        Claim(
            "kernels of two seeds are more alike after training than before",
            "this project",
            f"1 - cosine of centred kernels below {facts['seeds before']:.3g}",
            round(facts["seeds after"], 4),
            facts["seeds after"] < facts["seeds before"],
            id="more-alike-after",
        ),
        Claim(
            "training turns the kernel towards the labels",
            f"{FORT}; Baratin et al. 2021",
            "centred alignment after above before, for every seed",
            f"{aligned[0].mean():.3f} to {aligned[-1].mean():.3f}",
            bool((aligned[-1] > aligned[0]).all()),
            id="towards-labels",
        ),
    ]


def line_claims(lines: pa.Table, results: Mapping[str, Result]) -> list[Claim]:
    """Along lines between seeds: controls at the ends, and what alignment does half way."""
    permuted = max(result.facts["permuted"] for result in results.values())
    at_end = {m: ends(lines, m, "cosine") for m in ("naive", "activations")}
    half = {m: half_way(lines, m, "drift") for m in ("naive", "activations")}
    turned = {m: half_way(lines, m, "turn") for m in ("naive", "activations")}
    linear = np.concatenate([ends(lines, m, "linear_error") for m in ("naive", "activations")])
    difference = abs(at_end["naive"] - at_end["activations"]).max()
    return [
        Claim(
            "a permuted copy of a network has the same kernel",
            "control",
            "relative drift at most 1e-5, in float32",
            f"{permuted:.1e}",
            permuted <= 1e-5,
            id="copy-has-same-kernel",
        ),
        Claim(
            "alignment changes nothing of the kernels' cosine between the ends",
            "control",
            "difference at most 1e-4",
            f"{difference:.1e}, cosines {at_end['naive'].min():.3f} to {at_end['naive'].max():.3f}",
            bool(difference <= 1e-4),
            id="cosine-unchanged",
        ),
        Claim(
            "half way along the line the kernel has drifted less where the networks are aligned",
            "this project",
            "aligned below naive, for every pair",
            f"{half['activations'].mean():.3f} against {half['naive'].mean():.3f}",
            bool((half["activations"] < half["naive"]).all()),
            id="less-drift-aligned",
        ),
        Claim(
            "half way along the line the centred kernel has turned less where the networks are "
            "aligned",
            "this project",
            "1 - cosine, aligned below naive, for every pair",
            f"{turned['activations'].mean():.3f} against {turned['naive'].mean():.3f}",
            bool((turned["activations"] < turned["naive"]).all()),
            id="less-centred-turn",
        ),
        Claim(
            "the tangent picture does not hold between two trained networks, aligned or not: the "
            "linearisation at one misses the outputs of the other",
            "this project",
            "error at least half the change of the outputs, for every pair",
            f"{linear.min():.2f} to {linear.max():.2f}",
            bool(linear.min() >= 0.5),
            id="tangent-picture-fails",
        ),
    ]


def half_way(lines: pa.Table, method: str, column: str) -> np.ndarray:
    """A column at t = 1/2, by pair."""
    return at(lines, method, column, 0.5)


def ends(lines: pa.Table, method: str, column: str) -> np.ndarray:
    """A column at t = 1, by pair."""
    return at(lines, method, column, 1)


def at(lines: pa.Table, method: str, column: str, t: float) -> np.ndarray:
    """A column at a point, by pair."""
    rows = where(lines, method=method).sort_by("pair")
    return numbers(rows, column)[numbers(rows, "t") == t]
