"""The stage that measures lines between seeds with and without a correction of their statistics."""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from mconn import data, landscape, paths, repair, symmetry, trees
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Train, group_of, point_rows
from mconn.measure import Execution
from mconn.training import TrainConfig
from mconn.types import ApplyFn, Params

Treatment = Literal["none", "reset", "REPAIR", "closed form"]
"""What is done to a network between the ends: nothing, new BatchNorm statistics, or a repair."""

LAYER = "layer"
"""The name of the column that counts layers, from 1, in the order of the network."""


@dataclass(frozen=True)
class RepairedSweep(Stage):
    """Loss and accuracy on the line of every pair of seeds, and the variance half way.

    Its tables ``profile`` and ``barriers`` are those of `mconn.experiment.stages.Sweep`, with the
    chord barrier of the loss alone; its table ``ratios`` has a row per pair and layer with the
    variance of the pre-activations at t = 1/2 over the mean of the ends' (``ratio``) and over the
    square of the mean of the ends' standard deviations (``of_goal``). The layers are the
    generators, in the order of the network, each with all values in which its units are active.
    Facts are the layers that can be repaired and what is left out.

    Attributes:
        train: the networks.
        align: moves the second network of each pair first; None leaves it as it is.
        treatment: what is done to the networks between the ends.
        points: equispaced points on each line.
        statistics_examples: training examples that statistics are measured on, in one batch, so
            that one pass repairs exactly.
        examples: the largest number of examples of each split to evaluate on.
    """

    train: Train
    align: Align | None = None
    treatment: Treatment = "none"
    points: int = 3
    statistics_examples: int = 1000
    examples: int = 10_000

    def __post_init__(self) -> None:
        check_choice("treatment", self.treatment, get_args(Treatment))
        if self.points < 3 or self.points % 2 == 0:
            raise ConfigError(
                f"points is {self.points}: take an odd number of at least 3, so that t = 1/2 and "
                "the ends are among them"
            )

    @property
    def method(self) -> str:
        """The name of the alignment and of the treatment."""
        return method_name("naive" if self.align is None else self.align.method, self.treatment)

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Evaluate the pairs one after the other, all with one compiled program per split."""
        config, networks = self.train.config, inputs["train"].tree
        apply: ApplyFn = config.model.apply
        dataset = data.load(config.data, context.data_dir)
        measured = dataset.train.head(self.statistics_examples)
        first, examples = trees.index(networks, 0), jnp.asarray(dataset.train.inputs[:2])
        group = group_of(apply, networks, dataset.train)
        layers = repair.layers(group, apply, first, examples)
        ts = np.linspace(0, 1, self.points)
        pairs = list(itertools.combinations(range(len(config.seeds)), 2))
        profiles, barriers, ratios = [], [], []
        with context.progress.task(
            f"sweep {self.method}", total=2 * len(pairs) * self.points, unit="point"
        ) as task:
            for i, j in pairs:
                pair = f"{config.seeds[i]}-{config.seeds[j]}"
                a, b = trees.index(networks, i), trees.index(networks, j)
                if self.align is not None:
                    b = symmetry.act(group, inputs["align"].tree[pair], b)
                path = paths.line(a, b)
                refresh = self.refresh(config, layers, path, measured)
                for split in ("train", "test"):
                    labels = {"method": self.method, "pair": pair, "split": split}
                    done = len(profiles)
                    profile = landscape.evaluate(
                        landscape.Classification(apply),
                        path,
                        ts,
                        getattr(dataset, split).head(self.examples),
                        execution=Execution(
                            batch_size=self.statistics_examples,
                            refresh=refresh,
                            refresh_data=measured,
                            finished=lambda points, done=done, pair=pair, split=split: task.update(
                                done // 2 + points, pair=pair, split=split
                            ),
                        ),
                    )
                    profiles += [{**labels, **row} for row in point_rows(profile)]
                    barriers.append({**labels, **asdict(landscape.barrier(profile, "chord"))})
                found = ratios_half_way(group, apply, path, refresh, measured)
                ratios += [{"method": self.method, "pair": pair, **row} for row in found]
        tables = {"profile": profiles, "barriers": barriers, "ratios": ratios}
        return Result(
            tables={name: pa.Table.from_pylist(table) for name, table in tables.items()},
            facts={"layers": layers.describe()},
        )

    def refresh(
        self,
        config: TrainConfig,
        layers: repair.Layers,
        path: paths.ControlledPath,
        measured: data.Split,
    ) -> Any:
        """What corrects a point, or None."""
        if self.treatment == "none":
            return None
        if self.treatment == "reset":
            return landscape.BatchNormStatistics(config.model)
        ends = repair.measure(layers, config.model.apply, path.controls, measured.inputs[None])
        if self.treatment == "closed form":
            return repair.RepairClosedForm(ends, layers)
        return repair.Repair(ends, layers, config.model.apply)


def alignments(train: Train) -> dict[str, Align | None]:
    """What is done to the second network of a pair first, by name; the last one is the control."""
    return {
        "naive": None,
        "activations": Align(train, "activations"),
        "random": Align(train, "random"),
    }


def method_name(alignment: str, treatment: str) -> str:
    """The name of an alignment with a treatment, as tables and figures show it."""
    return alignment if treatment == "none" else f"{alignment} + {treatment}"


def ratios_half_way(
    group: symmetry.Group,
    apply: ApplyFn,
    path: paths.ControlledPath,
    refresh: Any,
    measured: data.Split,
) -> list[dict[str, Any]]:
    """The variance ratio of every layer at the midpoint, a row for each value of a generator."""
    batches = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], measured)
    mixture = np.full(2, 0.5, np.float32)
    middle: Params = jax.jit(lambda path: path(0.5))(path)
    if isinstance(refresh, landscape.MixtureRefresh):
        middle = refresh(middle, batches, mixture)
    elif refresh is not None:
        middle = jax.jit(refresh)(middle, batches)
    kinds: dict[str, repair.Mixed] = {"ratio": "variances", "of_goal": "deviations"}
    found = {
        column: repair.variance_ratio(
            group, apply, middle, path.controls, mixture, batches.inputs, mixed=kind
        )
        for column, kind in kinds.items()
    }
    return [
        {
            LAYER: layer,
            "generator": generator.name,
            "value": value,
            **{column: float(found[column][generator.name][value]) for column in kinds},
        }
        for layer, generator in enumerate(group.generators, start=1)
        for value in range(len(found["ratio"].get(generator.name, ())))
    ]
