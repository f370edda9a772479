"""The stage that relaxes elastic bands between seeds, in the order that a tree asks for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np
import pyarrow as pa

from mconn import data, landscape, paths, trees
from mconn.data import Dataset
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import BARRIERS, Train, point_rows, training_loss
from mconn.paths import BandConfig, ControlledPath, ElasticBand
from mconn.types import EvalFn

METHOD = "band"


@dataclass(frozen=True)
class Bands(Stage):
    """Relax an elastic band between pairs of seeds, until no other pair could lower the tree.

    The tree holds, for the seeds ``a`` and ``b``, under ``a-b`` the stacked pivots. Its tables:
    ``cycles`` has a row per pair and cycle, ``points`` one per pair, cycle and point of the chain,
    both with train losses; ``profile`` and ``barriers`` are those of `Sweep` for the relaxed bands.

    Attributes:
        train: the networks.
        band: how bands are relaxed, on the training split.
        bends: pivots between the ends before the first cycle.
        seed: of the batches.
        every_pair: also join the pairs that could not lower the tree.
    """

    train: Train
    band: BandConfig
    bends: int = 3
    seed: int = 0
    every_pair: bool = True

    def __post_init__(self) -> None:
        if self.bends < 1:
            raise ConfigError(f"bends is {self.bends}: a band needs at least one pivot")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Pair after pair; each goes on from its last complete cycle."""
        config, networks = self.train.config, trees.to_numpy(inputs["train"].tree)
        dataset = data.load(config.data, context.data_dir)
        loss = training_loss(config.model, networks)
        count = len(config.seeds)
        distances, saddles = distances_between(networks, count), np.full((count, count), np.nan)
        tree, tables = {}, {name: [] for name in ("cycles", "points", "profile", "barriers")}
        total, samples = count * (count - 1) // 2, 0
        with context.progress.task("bands", total=total, unit="pair") as task:
            while pair := self.next_pair(saddles, distances):
                i, j = pair
                name = f"{config.seeds[i]}-{config.seeds[j]}"
                found = paths.elastic_band(
                    loss,
                    paths.chain(trees.index(networks, i), trees.index(networks, j), self.bends),
                    dataset.train,
                    self.band,
                    jax.random.fold_in(jax.random.key(self.seed), i * count + j),
                    keeper=context.work / name,
                    progress=context.progress,
                )
                saddles[i, j] = saddles[j, i] = found.history[-1].saddle
                samples = max(samples, found.samples)
                tree[name] = trees.to_numpy(found.path.controls)
                labels = {"method": METHOD, "pair": name}
                tables["cycles"] += cycle_rows(found, labels)
                tables["points"] += chain_rows(found, labels)
                profile, barriers = measured(config.model.apply, found.path, dataset, labels)
                tables["profile"] += profile
                tables["barriers"] += barriers
                task.update(len(tree), pair=name, saddle=found.history[-1].saddle)
        return Result(
            tree=tree,
            tables={name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
            facts={"order": list(tree), "samples": samples},
        )

    def next_pair(self, saddles: np.ndarray, distances: np.ndarray) -> tuple[int, int] | None:
        """The pair to join next, or None."""
        pair = paths.next_pair(saddles, distances)
        left = np.argwhere(np.triu(np.isnan(saddles), 1))
        if pair is None and self.every_pair and len(left):
            return int(left[0][0]), int(left[0][1])
        return pair


def distances_between(networks: Any, count: int) -> np.ndarray:
    """Euclidean distances between stacked networks."""
    rows = [np.reshape(leaf, (count, -1)) for leaf in jax.tree.leaves(networks)]
    flat = np.concatenate(rows, axis=1).astype(np.float64)
    return np.linalg.norm(flat[:, None] - flat, axis=-1)


def cycle_rows(found: ElasticBand, labels: dict[str, str]) -> list[dict[str, Any]]:
    """A row per cycle; cycle 0 is the straight line."""
    segment = found.history[0].length
    return [
        {
            **labels,
            "cycle": cycle,
            "pivots": record.pivots,
            "saddle": record.saddle,
            "higher_end": float(max(record.losses[0], record.losses[-1])),
            "length": record.length,
            "ratio": record.length / segment,
        }
        for cycle, record in enumerate(found.history)
    ]


def chain_rows(found: ElasticBand, labels: dict[str, str]) -> list[dict[str, Any]]:
    """A row per cycle and point of the chain."""
    return [
        {
            **labels,
            "cycle": cycle,
            "arc_length": float(arc_length),
            "loss": float(loss),
            "is_pivot": bool(is_pivot),
        }
        for cycle, record in enumerate(found.history)
        for arc_length, loss, is_pivot in zip(
            record.arc_length, record.losses, record.is_pivot, strict=True
        )
    ]


def measured(
    apply: Any, path: ControlledPath, dataset: Dataset, labels: dict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Points and barriers of a band, on both splits, at its pivots and between them."""
    eval_fn: EvalFn = landscape.Classification(apply)
    ts = np.linspace(0, 1, 10 * (path.count - 1) + 1)
    profiles, barriers = [], []
    for split, examples in (("train", dataset.train), ("test", dataset.test)):
        profile = landscape.evaluate(eval_fn, path, ts, examples)
        here = {**labels, "split": split}
        profiles += [{**here, **row} for row in point_rows(profile)]
        barriers += [
            {**here, **asdict(estimate)} for estimate in landscape.barriers(profile, BARRIERS)
        ]
    return profiles, barriers
