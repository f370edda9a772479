"""Trainings that differ in one thing, whose seeds are compared on lines by several methods."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from mconn import data, landscape, paths, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Frame, Result, Stage
from mconn.experiment.stages import BARRIERS, Align, Sweep, Train, point_rows
from mconn.training import TrainConfig


def line_stages(
    config: TrainConfig, methods: Sequence[Any], points: int, named: str = "{}"
) -> dict[str, Stage]:
    """The seeds, an alignment for every method but ``naive``, and a sweep for every method.

    Args:
        config: of the training.
        methods: what is done to the second network of a pair.
        points: on each line.
        named: what the stages are called, with a place for ``train``, ``align weights`` and so on.
    """
    train = Train(config)
    stages: dict[str, Stage] = {named.format("train"): train}
    for method in methods:
        align = None if method == "naive" else Align(train, method)
        if align is not None:
            stages[named.format(f"align {method}")] = align
        stages[named.format(f"sweep {method}")] = Sweep(train, align, points)
    return stages


def frame_along(
    results: Mapping[str, Result], table: str, axis: str, named: Mapping[Any, str]
) -> Frame:
    """The tables of one name of several trainings as one frame; its first column is their place.

    Args:
        results: of the stages.
        table: its name.
        axis: what the first column is called.
        named: by place on the axis, what its stages are called.
    """
    found = []
    for place, name in named.items():
        before, _, after = name.partition("{}")
        for stage, result in results.items():
            if stage.startswith(before) and stage.endswith(after) and table in result.tables:
                part = result.frame(table)
                part.insert(0, axis, place)
                found.append(part)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def ends_of(profile: Frame, by: Sequence[str] = ()) -> Frame:
    """The rows of a profile that are the trained networks themselves, each once."""
    ends = profile.query("method == 'naive' and t in (0, 1)")
    seeds = [pair.split("-")[int(t)] for pair, t in zip(ends.pair, ends.t, strict=True)]
    found = ends.assign(seed=seeds)
    return found.drop_duplicates(["split", "metric", "seed", *by], keep="last")


def loss_curves(profile: Frame, lines: Sequence[str]) -> tuple[Frame, Frame]:
    """The loss along every line, a row per line and a column per point; and what its ends are.

    Args:
        profile: with the columns of `mconn.experiment.stages.Sweep`.
        lines: the columns that tell lines apart.

    Returns:
        The curves, and a frame with the loss at the ``start`` and the ``end`` of a line, the
        larger ``standard_error`` of the two, and whether the loss is ``monotone``.
    """
    loss = profile[profile.metric == "loss"].set_index([*lines, "t"])
    order = pd.MultiIndex.from_frame(loss.reset_index()[list(lines)].drop_duplicates())
    curves = loss.value.unstack().loc[order].astype(float)
    error = loss.standard_error.unstack().loc[order][[0, 1]].max(axis=1)
    steps = curves.diff(axis=1).iloc[:, 1:]
    monotone = (steps >= 0).all(axis=1) | (steps <= 0).all(axis=1)
    ends = {"start": curves[0], "end": curves[1], "standard_error": error, "monotone": monotone}
    return curves, pd.DataFrame(ends).reset_index()


def ranged(values: Any, form: str = "{:.3f}") -> str:
    """The mean of several numbers, with the lowest and the highest."""
    found = (form.format(each) for each in (values.mean(), values.min(), values.max()))
    return "{} [{}, {}]".format(*found)


def network_and_data(config: TrainConfig) -> str:
    """What is trained on what, such as ``MLP on digits``."""
    return f"{type(config.model).__name__} on {config.data.name}"


def check_pairs(*configs: TrainConfig) -> None:
    """Lines need two networks of every training."""
    for config in configs:
        if len(config.seeds) < 2:
            raise ConfigError(
                f"seeds are {config.seeds}: a line needs two networks, train at least two"
            )


@dataclass(frozen=True)
class SweepBetween(Stage):
    """The lines from the networks of one training to those of the same seeds of another.

    Its tables are those of `mconn.experiment.stages.Sweep`, with ``between`` for the method and a
    seed for the pair.

    Attributes:
        train: the networks at t = 0.
        other: those at t = 1, of the same seeds.
        points: equispaced points on each line.
    """

    train: Train
    other: Train
    points: int = 25

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Seed after seed."""
        config, tables = self.train.config, defaultdict(list)
        dataset = data.load(config.data, context.data_dir)
        eval_fn, ts = landscape.Classification(config.model.apply), np.linspace(0, 1, self.points)
        for i, seed in enumerate(config.seeds):
            ends = (trees.index(inputs[name].tree, i) for name in ("train", "other"))
            line = paths.line(*ends)
            for split, examples in (("train", dataset.train), ("test", dataset.test)):
                labels = {"method": "between", "pair": str(seed), "split": split}
                profile = landscape.evaluate(eval_fn, line, ts, examples)
                found = landscape.barriers(profile, BARRIERS)
                tables["profile"] += [{**labels, **row} for row in point_rows(profile)]
                tables["barriers"] += [{**labels, **asdict(each)} for each in found]
        return Result(tables=tables)
