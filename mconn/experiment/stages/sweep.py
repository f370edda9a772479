"""The stage that measures the lines or curves between all pairs of seeds."""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mconn import data, landscape, paths, symmetry, trees
from mconn.errors import ConfigError
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.stages.align import Align, group_of
from mconn.experiment.stages.connect import Connect
from mconn.experiment.stages.normalisers import has_statistics, recomputed
from mconn.experiment.stages.train import Train
from mconn.measure import Execution

BARRIERS = [(kind, "loss") for kind, rule in landscape.KINDS.items() if rule.metric is None] + [
    (kind, None) for kind, rule in landscape.KINDS.items() if rule.metric is not None
]


@dataclass(frozen=True)
class Sweep(Stage):
    """Loss and error along the path of every pair of seeds, on train and test, and its barriers.

    Its table ``profile`` has a row per pair, split, metric and point; its table ``barriers`` a row
    per pair, split and kind of barrier. BatchNorm statistics are recomputed at every point on
    training examples.

    Attributes:
        train: the networks.
        align: moves the second network of each pair first; None leaves it as it is.
        points: equispaced points on each path, ends included.
        statistics_examples: training examples for normaliser statistics.
        curve: the fitted curves to walk along; None walks along the straight lines. Its own
            alignment is the one that counts.
        recompute: whether normaliser statistics are recomputed at every point; False mixes those
            of the control points, which fits no point between them.
    """

    train: Train
    align: Align | None = None
    points: int = 25
    statistics_examples: int = 10_000
    curve: Connect | None = None
    recompute: bool = True

    def __post_init__(self) -> None:
        if self.curve is not None and self.align is not None:
            raise ConfigError("a curve has its own alignment: set that of Connect, not of Sweep")
        if self.points < 3:
            raise ConfigError(
                f"points is {self.points}: a barrier needs the two ends and a point between them"
            )

    @property
    def method(self) -> str:
        """The name of the treatment: ``naive``, that of the alignment, or that of the curve."""
        if self.curve is not None:
            return self.curve.name
        return "naive" if self.align is None else self.align.method

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Evaluate the pairs one after the other, all with one compiled program per split."""
        import pyarrow as pa

        config = self.train.config
        networks = inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        eval_fn = landscape.Classification(config.model.apply)
        statistics = {}
        if self.recompute:
            statistics = recomputed(config.model, networks, dataset.train, self.statistics_examples)
        group = group_of(config.model.apply, networks, dataset.train) if self.align else None
        ts = np.linspace(0, 1, self.points)
        pairs = itertools.combinations(range(len(config.seeds)), 2)
        splits = {"train": dataset.train, "test": dataset.test}
        lines = list(itertools.product(pairs, splits.items()))
        profiles, estimates = [], []
        with context.progress.task(
            f"sweep {self.method}", total=len(lines) * self.points, unit="point"
        ) as task:
            for done, ((i, j), (split, examples)) in enumerate(lines):
                pair = f"{config.seeds[i]}-{config.seeds[j]}"
                a, b = trees.index(networks, i), trees.index(networks, j)
                if group is not None:
                    b = symmetry.act(group, inputs["align"].tree[pair], b)
                path = (
                    paths.line(a, b)
                    if self.curve is None
                    else self.curve.path(inputs["curve"].tree[pair])
                )
                profile = landscape.evaluate(
                    eval_fn,
                    path,
                    ts,
                    examples,
                    execution=Execution(
                        finished=lambda points, done=done, pair=pair, split=split: task.update(
                            done * self.points + points, pair=pair, split=split
                        ),
                        **statistics,
                    ),
                )
                labels = {"method": self.method, "pair": pair, "split": split}
                normaliser = profile.normaliser if has_statistics(networks) else "none"
                profiles += [
                    {**labels, **row, "normaliser": normaliser} for row in point_rows(profile)
                ]
                estimates += [
                    {**labels, **asdict(estimate), "normaliser": normaliser}
                    for estimate in landscape.barriers(profile, BARRIERS)
                ]
        tables = {
            "profile": pa.Table.from_pylist(profiles),
            "barriers": pa.Table.from_pylist(estimates),
        }
        return Result(tables=tables)


def point_rows(profile: landscape.Profile) -> list[dict[str, Any]]:
    """One row per metric and point."""
    means = {"loss": profile.mean("loss"), "accuracy": 1 - profile.mean("error")}
    errors = {"loss": profile.standard_error("loss"), "accuracy": profile.standard_error("error")}
    return [
        {
            "metric": metric,
            "t": float(profile.t[point]),
            "arc_length": float(profile.arc_length[point]),
            "value": float(means[metric][point]),
            "standard_error": float(errors[metric][point]),
        }
        for metric in means
        for point in range(len(profile.t))
    ]
