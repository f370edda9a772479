"""The stage that trains every seed and tracks what they have in common meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mconn import data, diagnostics, training
from mconn.errors import ConfigError
from mconn.experiment.diagnostic_figures import diagnostics_figure
from mconn.experiment.figures import save
from mconn.experiment.stage import Context, Result, Stage
from mconn.training import Observed, TrainConfig

LIVE = "live"


@dataclass(frozen=True)
class Watch(Stage):
    """Train every seed, and measure them on the way.

    The result's tree holds the networks, stacked over seeds, to the bit those of
    `mconn.experiment.stages.Train`; its table ``diagnostics`` has a row per epoch, quantity, layer
    and pair (or network). While it runs, ``live.png`` in the stage's folder of work shows all
    measurements so far; a line says where.

    Attributes:
        config: what is trained, and how.
        measures: what is tracked.
        every: epochs between measurements.
        examples: the first ones of the training split, on which all is measured.
    """

    config: TrainConfig
    measures: tuple[diagnostics.Measure, ...]
    every: int = 1
    examples: int = 1000

    def __post_init__(self) -> None:
        if self.every < 1 or self.examples < 1:
            raise ConfigError(
                f"every is {self.every} and examples is {self.examples}: both must be at least 1"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train, or go on from the last complete epoch in the stage's folder."""
        dataset = data.load(self.config.data, context.data_dir)
        live = context.work / LIVE
        context.progress.note(f"watch: drawn after every measurement in {live}.png")
        watch = diagnostics.Diagnostics(
            self.config,
            dataset,
            self.measures,
            every=self.every,
            examples=self.examples,
            show=Drawer(live),
        )
        trained = training.train(
            self.config, dataset, context.work / "checkpoints", context.progress, watch
        )
        return Result(
            tree=trained.params,
            tables={"diagnostics": diagnostics.table(trained.observed)},
            facts={"train_loss": trained.history["train_loss"][-1].tolist()},
        )


@dataclass(frozen=True)
class Drawer:
    """Draws the measurements so far.

    Attributes:
        path: of the picture, without its suffix.
    """

    path: Path

    def __call__(self, observed: Observed) -> None:
        """Draw them all anew; whoever looks meanwhile sees the old picture or the new one."""
        unfinished = self.path.with_name(f"{self.path.name}-new")
        save(diagnostics_figure(diagnostics.table(observed)), unfinished)
        for suffix in (".png", ".svg"):
            unfinished.with_suffix(suffix).replace(self.path.with_suffix(suffix))
