"""Stages on one training: kernels through its epochs, and along the lines between its seeds."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mconn import data, landscape, paths, symmetry, tangent, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Train, group_of
from mconn.training import TrainConfig, build
from mconn.types import Params


@dataclass(frozen=True)
class Epochs(Stage):
    """Kernels through a training; its table ``epochs`` has a row per seed and epoch.

    ``drift``, ``cosine`` and ``turn`` are to the kernel before training, ``left`` is to the last
    one, ``speed`` is from the epoch measured before, per epoch; the last three are 1 - cosine of
    centred kernels. Its facts are 1 - cosine of the centred kernels of the first two seeds.

    Attributes:
        config: the training.
        at: the epochs that are measured; 0 is before the first.
        examples: test examples, whose kernel is measured.
    """

    config: TrainConfig
    at: tuple[int, ...]
    examples: int

    def __post_init__(self) -> None:
        if self.at[0] != 0 or self.at[-1] != self.config.epochs or len(self.config.seeds) < 2:
            raise ConfigError(
                f"epochs measured are {self.at} of {self.config.epochs}, of "
                f"{len(self.config.seeds)} seeds: begin with 0, end with the last, train two seeds"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train, keep the networks of the chosen epochs, and compare their kernels."""
        import pyarrow as pa

        dataset = data.load(self.config.data, context.data_dir)
        some, apply = dataset.test.head(self.examples), self.config.model.apply
        kept = self.networks(dataset)
        rows, ends = [], []
        for i, seed in enumerate(self.config.seeds):
            through = jax.tree.map(
                lambda *leaves, i=i: np.stack([leaf[i] for leaf in leaves]), *kept
            )
            found = tangent.along(apply, through, None, some, kernels=True, spectra=True)
            distances = 1 - found.cosines(centre=True)
            ends.append(
                [
                    tangent.centred(kernel)
                    for kernel in np.asarray(found.kernels, np.float64)[[0, -1]]
                ]
            )
            for row, epoch in enumerate(self.at):
                gap = epoch - self.at[row - 1] if row else 1
                speed = distances[row, row - 1] / gap if row else float("nan")
                rows.append(
                    {
                        "seed": seed,
                        "epoch": epoch,
                        "drift": float(found.drift[row]),
                        "cosine": float(found.cosine[row]),
                        "turn": float(distances[row, 0]),
                        "left": float(distances[row, -1]),
                        "speed": float(speed),
                        "target_alignment": float(found.target_alignment[row]),
                        "effective_rank": found.spectrum(row).effective_rank,
                        "norm": float(found.norm[row]),
                    }
                )
        facts = {
            name: 1 - float(tangent.cosine(*(each[place] for each in ends[:2])))
            for place, name in ((0, "seeds before"), (1, "seeds after"))
        }
        return Result(tables={"epochs": pa.Table.from_pylist(rows)}, facts=facts)

    def networks(self, dataset: data.Dataset) -> list[Params]:
        """The networks of all seeds, stacked, at the chosen epochs."""
        shape = dataset.train.inputs.shape[1:]
        program = build(self.config, len(dataset.train), shape)
        seeds = np.array(self.config.seeds, np.int32)
        state = jax.device_put(program.initialise(seeds), program.split_over_seeds)
        held = jax.device_put((dataset.train, None), program.on_every_device)
        kept = [trees.to_numpy(state.variables)]
        for epoch in range(self.config.epochs):
            state, *_ = program.epoch(state, seeds, epoch, *held)
            if epoch + 1 in self.at:
                kept.append(trees.to_numpy(state.variables))
        return kept


@dataclass(frozen=True)
class Lines(Stage):
    """Kernels along the line of every pair; its table ``lines`` has a row per pair and point.

    The reference is the first end. ``turn`` is 1 - cosine of centred kernels to the first end,
    ``other`` to the second. Fact ``permuted``: the drift of the kernel of a randomly permuted copy
    of the first network.

    Attributes:
        train: the networks.
        align: moves the second network of each pair first; None leaves it as it is.
        points: equispaced points.
        examples: test examples, whose kernel is measured.
    """

    train: Train
    align: Align | None
    points: int
    examples: int

    @property
    def method(self) -> str:
        """The name of the treatment."""
        return "naive" if self.align is None else self.align.method

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """One compiled program for all pairs."""
        import pyarrow as pa

        config, networks = self.train.config, inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        some, apply = dataset.test.head(self.examples), config.model.apply
        group = group_of(apply, networks, dataset.train)
        ts = np.linspace(0, 1, self.points)
        eval_fn = landscape.Classification(apply)
        rows = []
        for i, j in itertools.combinations(range(len(config.seeds)), 2):
            pair = f"{config.seeds[i]}-{config.seeds[j]}"
            a, b = trees.index(networks, i), trees.index(networks, j)
            if self.align is not None:
                b = trees.to_numpy(symmetry.act(group, inputs["align"].tree[pair], b))
            line = paths.line(a, b)
            found = tangent.along(apply, line, ts, some, spectra=True)
            other = tangent.along(apply, line, ts, some, reference=b)
            linear = tangent.linearise(apply, line, ts, some.inputs)
            losses = landscape.evaluate(eval_fn, line, ts, some).mean("loss")
            rows += [
                {
                    "method": self.method,
                    "pair": pair,
                    "t": float(t),
                    "drift": float(found.drift[row]),
                    "cosine": float(found.cosine[row]),
                    "turn": float(1 - found.centred_cosine[row]),
                    "other": float(1 - other.centred_cosine[row]),
                    "norm": float(found.norm[row] / found.norm[0]),
                    "target_alignment": float(found.target_alignment[row]),
                    "effective_rank": found.spectrum(row).effective_rank,
                    "linear_error": float(linear.relative_error[row]),
                    "agreement": float(linear.agreement[row]),
                    "loss": float(losses[row]),
                }
                for row, t in enumerate(ts)
            ]
        first = trees.index(networks, 0)
        copy = symmetry.act(group, symmetry.random_element(group, jax.random.key(0)), first)
        kernels = [tangent.kernel(apply, each, some.inputs) for each in (first, copy)]
        facts = {"permuted": float(tangent.relative_drift(kernels[1], kernels[0]))}
        return Result(tables={"lines": pa.Table.from_pylist(rows)}, facts=facts)
