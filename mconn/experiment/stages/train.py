"""The stage that trains every seed of a config."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mconn import data, training
from mconn.experiment.stage import Context, Result, Stage
from mconn.training import TrainConfig


@dataclass(frozen=True)
class Train(Stage):
    """Train every seed, all together.

    The result's tree holds the networks, stacked over seeds; its table ``history`` has a row per
    epoch and seed.

    Attributes:
        config: what is trained, and how.
    """

    config: TrainConfig

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train, or go on from the last complete epoch in the stage's folder."""
        import pyarrow as pa

        dataset = data.load(self.config.data, context.data_dir)
        trained = training.train(
            self.config, dataset, context.work / "checkpoints", context.progress
        )
        epochs, seeds = next(iter(trained.history.values())).shape
        rows = {
            "epoch": np.repeat(np.arange(1, epochs + 1), seeds),
            "seed": np.tile(np.array(self.config.seeds), epochs),
            **{name: values.ravel() for name, values in trained.history.items()},
        }
        return Result(tree=trained.params, tables={"history": pa.table(rows)})
