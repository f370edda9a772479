"""Simplicial complexes between trained networks, grown vertex by vertex, and their losses."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pyarrow as pa

from mconn import data, landscape, paths, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Train
from mconn.paths import SIMPLEX, ControlledPath, FacesByVolume, FitConfig, LogVolume
from mconn.types import EvalFn, Params

GROWN, RANDOM, INDEPENDENT = "fitted", "random directions", "other networks"
METHODS = (GROWN, RANDOM, INDEPENDENT)
SAMPLING = FacesByVolume()
REGULAR = (2, 4, 7)
"""Numbers of vertices of the regular simplexes whose volumes are checked."""


@dataclass(frozen=True)
class GrownComplexes(Stage):
    """Two trained networks and shared vertices between them, fitted one after the other.

    With every vertex the two faces, one per network, gain a dimension. Two controls have the same
    faces: one whose shared vertices lie in random directions, as far from the mean of those before
    as the fitted ones, and one whose shared vertices are other trained networks.

    Its table ``complexes`` has a row per pair, method, number of vertices and split.

    Attributes:
        train: the networks, of which two make a pair.
        connectors: shared vertices that are added.
        fit: how each of them is fitted, the volume's penalty included.
        samples: points on each complex, uniform in volume, where the loss is measured.
        seed: of the fits, the samples and the random directions.
    """

    train: Train
    connectors: int
    fit: FitConfig
    samples: int
    seed: int = 0

    def __post_init__(self) -> None:
        seeds, needed = len(self.train.config.seeds), 2 + self.connectors
        if seeds % 2 or seeds < needed:
            raise ConfigError(
                f"there are {seeds} seeds: the control of {needed} vertices needs as many "
                "networks, and pairs an even number"
            )
        if self.connectors < 1:
            raise ConfigError(f"connectors is {self.connectors}: there is no vertex to fit")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Grow all pairs together, and measure them after every vertex."""
        config = self.train.config
        dataset = data.load(config.data, context.data_dir)
        eval_fn = landscape.Classification(config.model.apply)
        count = len(config.seeds)
        every = trees.to_numpy(inputs["train"].tree)
        networks = [trees.index(every, i) for i in range(count)]
        firsts = range(0, count, 2)
        grown = [start(networks[i : i + 2]) for i in firsts]
        random = list(grown)
        rows = []
        for added in range(1, self.connectors + 1):
            keys = jax.random.split(jax.random.fold_in(jax.random.key(self.seed), added), count)
            fitted = paths.fit_many(
                eval_fn,
                [paths.grown(each) for each in grown],
                dataset.train,
                self.fit,
                keys[: len(grown)],
                keeper=context.work / f"checkpoints-{added}",
                progress=context.progress,
            )
            heights = [apart(each.path) for each in fitted]
            grown = [each.path for each in fitted]
            random = [
                with_last(paths.grown(each), height, np.random.default_rng([self.seed, added, i]))
                for i, (each, height) in enumerate(zip(random, heights, strict=True))
            ]
            others = [
                replace(
                    path,
                    controls=jax.tree.map(
                        lambda leaf, i=i, path=path: leaf[(i + np.arange(path.count)) % count],
                        every,
                    ),
                )
                for i, path in zip(firsts, grown, strict=True)
            ]
            for method, group in zip(METHODS, (grown, random, others), strict=True):
                for i, path in zip(firsts, group, strict=True):
                    pair = f"{config.seeds[i]}-{config.seeds[i + 1]}"
                    labels = {"pair": pair, "method": method, "vertices": path.count}
                    key = jax.random.fold_in(keys[-1], i)
                    rows += [labels | row for row in self.measured(eval_fn, path, dataset, key)]
        gaps = [held_gap(path, networks[i : i + 2]) for i, path in zip(firsts, grown, strict=True)]
        return Result(
            tables={"complexes": pa.Table.from_pylist(rows)},
            facts={"held_gap": max(gaps), **formula_errors()},
        )

    def measured(
        self, eval_fn: EvalFn, path: ControlledPath, dataset: Any, key: jax.Array
    ) -> list[dict[str, Any]]:
        """Volume, height and losses, in units of the distance between the two networks."""
        ends = np.eye(2, path.count, dtype=np.float32)
        ts = np.concatenate([ends, draw(key, path, self.samples)])
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(path.controls)]
        distance = math.sqrt(sum(((leaf[1] - leaf[0]) ** 2).sum() for leaf in leaves))
        volume = float(paths.log_volume(path)) - (path.count - 2) * math.log(distance)
        rows = []
        for split, examples in (("train", dataset.train), ("test", dataset.test)):
            every = landscape.evaluate(eval_fn, path, ts, examples).mean("loss")
            losses = every[2:]
            rows.append(
                {
                    "split": split,
                    "log_volume": volume,
                    "height": apart(path) / distance,
                    "loss": float(losses.mean()),
                    "spread": float(losses.std(ddof=1) / len(losses) ** 0.5),
                    "largest": float(losses.max()),
                    "end_loss": float(every[:2].mean()),
                }
            )
        return rows


def start(ends: Sequence[Params]) -> ControlledPath:
    """Two networks, each a face by itself."""
    return paths.simplicial_complex(ends, [(0,), (1,)])


draw = jax.jit(SAMPLING, static_argnums=2)


def apart(path: ControlledPath) -> float:
    """How far the last vertex is from the mean of those before it."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(path.controls)]
    return math.sqrt(sum(((leaf[-1] - leaf[:-1].mean(axis=0)) ** 2).sum() for leaf in leaves))


def with_last(path: ControlledPath, height: float, random: np.random.Generator) -> ControlledPath:
    """The complex with its last vertex moved so far, in a random direction."""
    leaves, structure = jax.tree.flatten(path.controls)
    steps = [random.normal(size=leaf.shape[1:]) for leaf in leaves]
    norm = math.sqrt(sum((step**2).sum() for step in steps))
    moved = []
    for leaf, step in zip(leaves, steps, strict=True):
        leaf = np.array(leaf)
        leaf[-1] += height / norm * step
        moved.append(leaf)
    return dataclasses.replace(path, controls=jax.tree.unflatten(structure, moved))


def held_gap(path: ControlledPath, networks: Sequence[Params]) -> float:
    """The largest difference between the first vertices and their networks."""
    return max(
        float(np.max(np.abs(np.asarray(stacked)[i] - np.asarray(leaf)), initial=0))
        for i, network in enumerate(networks)
        for stacked, leaf in zip(
            jax.tree.leaves(path.controls), jax.tree.leaves(network), strict=True
        )
    )


def regular_log_volume(vertices: int) -> float:
    """The logarithm of the volume of a regular simplex of side one."""
    n = vertices
    return 0.5 * math.log(n) - math.lgamma(n) - 0.5 * (n - 1) * math.log(2)


def formula_errors() -> dict[str, float]:
    """The largest relative error of the volumes of `REGULAR` simplexes, in both precisions."""
    errors = {}
    for precision in ("float32", "float64"):
        with jax.enable_x64(precision == "float64"):
            found = [
                math.expm1(float(paths.log_volume(regular(n, precision))) - regular_log_volume(n))
                for n in REGULAR
            ]
        errors[precision] = max(map(abs, found))
    return errors


def regular(vertices: int, precision: str) -> ControlledPath:
    """A regular simplex of side one."""
    rows = np.eye(vertices, dtype=precision) / np.sqrt(2, dtype=precision)
    return ControlledPath({"row": rows}, SIMPLEX.mixture, SIMPLEX, fixed=())


def with_volume(fit: FitConfig, weight: float) -> FitConfig:
    """A fit that makes complexes large: points by volume, and a reward for the volume."""
    return replace(fit, sampling=SAMPLING, penalty=LogVolume(weight))
