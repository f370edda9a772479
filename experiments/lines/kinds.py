"""Which number is 'the' barrier, and when is it small enough to call two networks connected?

Papers use different barriers: over the higher end, over the mean of the ends, over the chord
between them; of the loss or of the error; on train or test; on grids of 11 to 61 points. A maximum
over a grid is a lower bound of that over the path, and a threshold on any of them depends on how
low the ends are and on how many examples were measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from experiments._shared.lines import SweepBetween, frame_along, loss_curves
from experiments._shared.ranges import ranges
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage, claims, plot
from mconn.experiment.stages import Align, Sweep, Train
from mconn.training import TrainConfig

SHOWN = ["max_endpoint", "mean_endpoint", "chord", "area", "error_mean"]
LINES, LINE = ("naive", "matched", "untrained", "unequal"), ["line", "pair", "split"]
GRIDS = (5, 9, 17, 33, 65)  # points of nested grids: each contains the one before
THRESHOLD = 1e-3  # nats up to which the notes call a path flat
EXACT = 1e-6  # nats by which relations may be off: losses are float32 means
LABELS = {"points": "Points of the grid", "value": "Train barrier (nats)"}
LOOK = {"labels": LABELS, "log": "x", "base": 2}
CAPTIONS = {
    "grids": "The chord barrier of the naive lines on nested grids, on train; a curve per pair.",
    "threshold": "Chord barrier of every matched pair with its 95 % bootstrap interval over "
    "examples, and the threshold (dotted). Zero is drawn at 1e-5.",
    "estimates": "Every kind of barrier on every line.",
}


@dataclass(frozen=True)
class BarrierKinds(Experiment):
    """Lines between networks of the same seeds, well trained, stopped early, and hardly trained."""

    train: TrainConfig
    early: TrainConfig
    first: TrainConfig

    def __post_init__(self) -> None:
        seeds = {config.seeds for config in (self.train, self.early, self.first)}
        if len(seeds) > 1 or len(self.train.seeds) < 2:
            raise ConfigError(f"seeds are {seeds}: train the same ones three times, at least two")

    def stages(self) -> dict[str, Stage]:
        """Three trainings, two alignments, and the lines."""
        train, early, first = (Train(each) for each in (self.train, self.early, self.first))
        matched, untrained = (
            Sweep(each, Align(each, "activations"), GRIDS[-1]) for each in (train, first)
        )
        naive, unequal = Sweep(train, None, GRIDS[-1]), SweepBetween(train, early, GRIDS[-1])
        lines = dict(zip(LINES, (naive, matched, untrained, unequal), strict=True))
        return {"train": train, "early": early, "first": first, **lines}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The kinds on the same lines, the grids, and the threshold."""
        barriers, profile = (
            frame_along(results, name, "line", {line: line for line in LINES})
            for name in ("barriers", "profile")
        )
        barriers = barriers.drop(columns=["method", "normaliser"])
        curves, ends = loss_curves(profile, LINE)
        naive = curves.loc[["naive"], :, "train"]
        grids = pd.DataFrame({n: naive.apply(chord, axis=1, points=n) for n in GRIDS})
        grids = grids.rename_axis(columns="points").stack().to_frame("value").reset_index()
        means = barriers.query("split == 'test'").pivot_table("value", "line", "kind", sort=False)
        coarse, fine = grids.groupby("points").value.mean()[[GRIDS[0], GRIDS[-1]]]
        flat = barriers.query("kind == 'chord' and line in ('matched', 'untrained')")
        flat = flat.assign(place=flat.line + ", " + flat.split)
        marks = {"low": "low", "high": "high", "floor": 1e-5, "level": THRESHOLD}
        figures = {
            "grids": plot.panels(grids, "points", "value", by="pair", look=LOOK),
            "threshold": ranges(
                flat, "place", {"value": "Chord barrier (nats)"}, by="pair", **marks
            ),
        }
        tables = {"estimates": barriers, "grids": grids, "ends": ends}
        return Report(
            title="Kinds of barriers on the same lines, and a threshold for them",
            question="How far apart are the barriers of the literature on the same line, and does "
            f"a threshold of {THRESHOLD:g} say whether two networks are connected?",
            summary=f"the naive chord barrier is {coarse:.3g} nats on {GRIDS[0]} points and "
            f"{fine:.3g} on {GRIDS[-1]}; networks that learned nothing pass the threshold",
            headline=means[SHOWN].reset_index().rename_axis(columns=None),
            note=f"Means over pairs or seeds, on test, {GRIDS[-1]} points; losses in nats, the "
            "last column a share. Lines: naive and matched (by activations) between well trained "
            "networks, unequal from a well trained to an early stopped one of the same seed, "
            "untrained between matched networks after next to no training.",
            sections=[Section("Grids and the threshold", "", figures, tables, CAPTIONS)],
            claims=relation_claims(barriers, ends, grids) + threshold_claims(barriers, ends),
        )


def chord(losses: Any, points: int) -> float:
    """The chord barrier on a coarser grid."""
    kept = np.asarray(losses, np.float64)[:: (len(losses) - 1) // (points - 1)]
    return float(np.max(kept - np.linspace(kept[0], kept[-1], points)))


def relation_claims(barriers: Frame, ends: Frame, grids: Frame) -> list[claims.Claim]:
    """The kinds are related through the difference of the ends, and are not the same."""
    kinds = barriers.query("metric == 'loss'").pivot(index=LINE, columns="kind", values="value")
    ends = ends.set_index(LINE).loc[kinds.index]
    higher, mean, over = kinds.max_endpoint, kinds.mean_endpoint, kinds.chord
    gap = (ends.start - ends.end).abs()
    rises = grids.pivot(index="pair", columns="points", values="value").diff(axis=1).iloc[:, 1:]
    every, rising = ", on every line", mean[ends.monotone & (gap > 0.1)]
    missed = {
        "never-negative": "the barriers over the higher end, the mean end and the chord are never "
        f"negative{every}",
        "half-the-difference": "the barrier over the mean end is that over the higher end plus "
        f"half the difference of the ends{every}",
        "chord-and-mean-end": "the barriers over the chord and over the mean end differ by at most "
        f"half the difference of the ends{every}",
        "chord-above-higher-end": "the barrier over the chord is at least that over the higher "
        f"end{every}",
        "finer-grid": "on a grid that contains another the chord barrier is never lower, so that a "
        "barrier on a grid is a lower bound",
    }
    by = (-kinds[SHOWN[:3]], (mean - higher - gap / 2).abs(), (over - mean).abs() - gap / 2)
    given: Any = {"unit": "nats", "source": "by definition"}
    told = "the kinds are different numbers: on a line whose loss rises all the way, so that the "
    told += "barrier over the higher end is zero, that over the mean end is not"
    return [
        claims.at_most(id, relation, np.max(values) + 0.0, EXACT, of="missed by", **given)
        for (id, relation), values in zip(missed.items(), (*by, higher - over, -rises), strict=True)
    ] + [claims.at_least("different-numbers", told, rising, 0.05, strict=True, **given)]


def threshold_claims(barriers: Frame, ends: Frame) -> list[claims.Claim]:
    """A threshold of 1e-3 nats says little about connectedness."""
    chords = barriers[barriers.kind == "chord"]
    test = chords.query("line == 'matched' and split == 'test'")
    train = chords[chords.split == "train"].pivot(index="pair", columns="line", values="value")
    train, low = train.dropna(subset="matched"), f"the threshold of {THRESHOLD:g}"
    wider = f"the 95 % interval of a matched test barrier is wider than {low}, for every pair"
    passes = f"networks that learned next to nothing pass {low} once matched"
    scale = "the threshold knows no scale: matching takes most of a barrier away, and yet no pair "
    scale += f"of well trained networks passes {THRESHOLD:g}"
    right = (train.matched <= 0.25 * train.naive) & (train.matched > THRESHOLD)
    loss = ends.query("line == 'untrained' and split == 'train'").start.mean()
    of, cases = f"at a train loss of {loss:.3g}, mean barrier", "pairs above it, with 25 % left"
    mean, least, most = train.untrained.agg(["mean", "min", "max"])
    interval = f"[{least:.2g}, {most:.2g}] over pairs"
    passed = claims.at_most("untrained-pass", passes, mean, THRESHOLD, of=of, source="this study")
    width, boot = test.high - test.low, "the bootstrap over examples"
    return [
        claims.at_least("interval-wider", wider, width, THRESHOLD, strict=True, source=boot),
        replace(passed, interval=interval),
        claims.counts("no-scale", scale, right, source="this study", of=cases),
    ]
