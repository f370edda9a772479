"""The stage that fits a curve between every two seeds."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import numpy as np

from mconn import data, landscape, paths, symmetry, trees
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.stages.align import Align, group_of
from mconn.experiment.stages.normalisers import has_statistics
from mconn.experiment.stages.train import Train
from mconn.paths import ControlledPath, FitConfig
from mconn.types import Params

Family = Literal["bezier", "chain"]


@dataclass(frozen=True)
class Connect(Stage):
    """Fit a curve between every two seeds, all of them together.

    The result's tree holds, for the pair of seeds ``a`` and ``b``, under the name ``a-b`` the
    stacked control points of its curve; its table ``fits`` has a row per pair and epoch; its fact
    ``samples`` counts the forward and backward passes of one example that each curve took.

    Attributes:
        train: the networks.
        fit: how the bends are fitted, on the training split.
        family: of the curve.
        bends: free control points.
        align: moves the second network of each pair first; None leaves it as it is.
        seed: of the fit's batches and points.
        name: of the curves in tables and figures; the family by default.
    """

    train: Train
    fit: FitConfig
    family: Family = "bezier"
    bends: int = 1
    align: Align | None = None
    seed: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        check_choice("family", self.family, get_args(Family))
        if self.bends < 1:
            raise ConfigError(f"bends is {self.bends}: a curve that is fitted needs at least one")
        if not self.name:
            object.__setattr__(self, "name", self.family)

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Fit, or go on from the last complete epoch in the stage's folder."""
        import pyarrow as pa

        config, networks = self.train.config, inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        pairs = list(itertools.combinations(range(len(config.seeds)), 2))
        names = [f"{config.seeds[i]}-{config.seeds[j]}" for i, j in pairs]
        group = group_of(config.model.apply, networks, dataset.train) if self.align else None
        starts = []
        for name, (i, j) in zip(names, pairs, strict=True):
            a, b = trees.index(networks, i), trees.index(networks, j)
            if group is not None:
                b = symmetry.act(group, inputs["align"].tree[name], b)
            starts.append(straight(self.family, self.bends, a, b))
        fitted = paths.fit_many(
            training_loss(config.model, networks),
            starts,
            dataset.train,
            self.fit,
            jax.random.split(jax.random.key(self.seed), len(pairs)),
            keeper=context.work / "fit",
            progress=context.progress,
            mesh=pair_mesh(len(pairs)),
        )
        rows = [
            {
                "pair": name,
                "epoch": epoch + 1,
                **{metric: float(values[epoch]) for metric, values in each.history.items()},
            }
            for name, each in zip(names, fitted, strict=True)
            for epoch in range(self.fit.epochs)
        ]
        return Result(
            tree={name: each.path.controls for name, each in zip(names, fitted, strict=True)},
            tables={"fits": pa.Table.from_pylist(rows)},
            facts={"samples": fitted[0].samples},
        )

    def path(self, controls: Params) -> ControlledPath:
        """The curve with these control points."""
        return paths.with_controls(self.family, controls)


def straight(family: Family, bends: int, a: Params, b: Params) -> ControlledPath:
    """A curve of a family that has not been fitted."""
    make = paths.bezier if family == "bezier" else paths.chain
    return trees.to_numpy(make(a, b, bends))


def training_loss(model: Any, networks: Params) -> landscape.Classification:
    """The loss that a fit goes down: with the batch's own statistics where there are some."""
    if has_statistics(networks):
        return landscape.Classification(landscape.TrainingMode(model))
    return landscape.Classification(model.apply)


def pair_mesh(pairs: int) -> jax.sharding.Mesh:
    """As many devices as divide the number of pairs."""
    devices = jax.devices()
    used = max(n for n in range(1, len(devices) + 1) if pairs % n == 0)
    return jax.sharding.Mesh(np.array(devices[:used]), ("pair",))
