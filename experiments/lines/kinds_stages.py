"""All kinds of barriers on the same lines, between well, badly and hardly trained networks."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mconn import data, landscape, paths, symmetry, trees
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import BARRIERS, Align, Train, group_of

GRIDS = (5, 9, 17, 33, 65)
"""Points of nested grids: each contains the one before."""

THRESHOLD = 1e-3
"""Nats up to which the notes call a path flat."""


@dataclass(frozen=True)
class BarrierLines(Stage):
    """Lines between networks, measured on the finest grid, with every kind of barrier.

    Its table ``barriers`` has a row per line, pair, split and kind; ``grids`` the chord barrier of
    the naive lines on train on every grid; ``ends`` the losses of the ends and their largest
    standard error, per line, pair and split, and whether the loss rises or falls all the way.

    Attributes:
        train: well trained networks.
        early: the same seeds, stopped early.
        first: the same seeds after next to no training.
        aligned: moves each of the well trained onto the earlier ones.
        first_aligned: the same for the hardly trained.
    """

    train: Train
    early: Train
    first: Train
    aligned: Align
    first_aligned: Align

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Line after line, with one compiled program per split."""
        config = self.train.config
        dataset = data.load(config.data, context.data_dir)
        eval_fn, ts = landscape.Classification(config.model.apply), np.linspace(0, 1, GRIDS[-1])
        tables: dict[str, list[dict[str, Any]]] = {"barriers": [], "grids": [], "ends": []}
        for line, pair, path in self.lines(inputs, dataset):
            for split, examples in (("train", dataset.train), ("test", dataset.test)):
                labels = {"line": line, "pair": pair, "split": split}
                profile = landscape.evaluate(eval_fn, path, ts, examples)
                found = landscape.barriers(profile, BARRIERS)
                tables["barriers"] += [{**labels, **asdict(each)} for each in found]
                tables["ends"].append({**labels, **ends(profile)})
                if (line, split) == ("naive", "train"):
                    means = profile.mean("loss")
                    tables["grids"] += [
                        {**labels, "points": points, "value": chord(means, points)}
                        for points in GRIDS
                    ]
        return Result(tables={name: pa.Table.from_pylist(rows) for name, rows in tables.items()})

    def lines(
        self, inputs: Mapping[str, Any], dataset: data.Dataset
    ) -> Iterator[tuple[str, str, paths.Path]]:
        """The kind, the pair and the line."""
        config = self.train.config
        networks = {name: inputs[name].tree for name in ("train", "early", "first")}
        group = group_of(config.model.apply, networks["train"], dataset.train)
        for i, j in itertools.combinations(range(len(config.seeds)), 2):
            pair = f"{config.seeds[i]}-{config.seeds[j]}"
            a, b = (trees.index(networks["train"], each) for each in (i, j))
            moved = symmetry.act(group, inputs["aligned"].tree[pair], b)
            c, d = (trees.index(networks["first"], each) for each in (i, j))
            first_moved = symmetry.act(group, inputs["first_aligned"].tree[pair], d)
            yield "naive", pair, paths.line(a, b)
            yield "matched", pair, paths.line(a, moved)
            yield "untrained", pair, paths.line(c, first_moved)
        for i, seed in enumerate(config.seeds):
            good, bad = (trees.index(networks[name], i) for name in ("train", "early"))
            yield "unequal", str(seed), paths.line(good, bad)


def ends(profile: landscape.Profile) -> dict[str, Any]:
    """The losses at the ends, and whether they are the extremes of a monotone curve."""
    losses = profile.mean("loss").astype(np.float64)
    steps = np.diff(losses)
    return {
        "start": losses[0],
        "end": losses[-1],
        "standard_error": float(profile.standard_error("loss")[[0, -1]].max()),
        "monotone": bool((steps >= 0).all() or (steps <= 0).all()),
    }


def chord(means: np.ndarray, points: int) -> float:
    """The chord barrier on a coarser grid."""
    step = (len(means) - 1) // (points - 1)
    kept = means[::step].astype(np.float64)
    return float(np.max(kept - np.linspace(kept[0], kept[-1], points)))
