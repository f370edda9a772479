"""Trainings that differ in one thing, whose seeds are compared on lines by several methods."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mconn.errors import ConfigError
from mconn.experiment import Frame, Result, Stage
from mconn.experiment.stages import Align, Sweep, Train
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
            raise ConfigError(f"seeds are {config.seeds}: a line needs two networks, train two")
