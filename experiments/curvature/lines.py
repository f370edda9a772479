"""Curvature along lines between trained networks: in the line's direction, and at its extremes."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mconn import curvature, data, landscape, paths, symmetry, trees
from mconn.data import Dataset
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Train, group_of
from mconn.measure import Execution
from mconn.paths import Path
from mconn.types import Params

NAIVE, MATCHED = "naive", "matched"

TOLERANCE = 1e-4
"""Of eigenvalues, relative to the largest: the smallest ones are a few hundredths of it."""

PRODUCTS = 2000
WHERE = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Directions(Stage):
    """The curvature in the direction of every line, and the barrier that it explains.

    Its table ``directions`` has a row per line and point: the loss, its height above the chord
    (``height``), the height that second derivatives explain (``smooth``), the second derivative by
    t, and the curvature d^T H d / |d|^2 with its standard error over examples. Its table ``kinks``
    has a row per line: the barrier, the share of it that second derivatives miss (with the
    standard error over examples and the estimated error of the quadrature), and the largest
    difference of the height and the Green sum of second differences (``identity``).

    Attributes:
        train: the networks.
        align: moves the second network of each pair for the matched lines.
        points: equispaced points, both ends included; an odd number of at least five.
    """

    train: Train
    align: Align
    points: int

    def __post_init__(self) -> None:
        if self.points % 2 == 0 or self.points < 5:
            raise ConfigError(f"points is {self.points}: take an odd number, five or more")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """One program for all lines."""
        import pyarrow as pa

        config = self.train.config
        dataset = data.load(config.data, context.data_dir)
        eval_fn, ts = landscape.Classification(config.model.apply), np.linspace(0, 1, self.points)
        directions: list[dict[str, Any]] = []
        kinks: list[dict[str, Any]] = []
        for line in lines(self.train, inputs, dataset):
            along = curvature.directional_along(
                eval_fn, line.path, ts, dataset.train, Execution(batch_size=len(dataset.train))
            )
            found = curvature.kinks(along)
            losses = along.profile.mean("loss")
            height = losses - (1 - found.t) * losses[0] - found.t * losses[-1]
            labels = {"activation": config.model.activation, **line.labels}
            columns = {
                "t": found.t,
                "loss": losses,
                "height": height,
                "smooth": found.smooth,
                "second_derivative": along.profile.mean("second derivative"),
                "curvature": along.curvature(),
                "standard_error": along.standard_error(),
            }
            directions += [
                {**labels, **{name: float(values[row]) for name, values in columns.items()}}
                for row in range(self.points)
            ]
            kinks.append(
                {
                    **labels,
                    "barrier": found.barrier,
                    "at": float(found.t[found.top]),
                    "missed": found.missed,
                    "missed_standard_error": found.missed_standard_error,
                    "quadrature_error": found.quadrature_error,
                    "identity": float(abs(height - found.height).max()),
                    "squared_distance": float(along.speed[0]) ** 2,
                }
            )
        return Result(
            tables={
                "directions": pa.Table.from_pylist(directions),
                "kinks": pa.Table.from_pylist(kinks),
            }
        )


@dataclass(frozen=True)
class Extremes(Stage):
    """The extreme eigenvalues at points of every line, and densities of one pair.

    Its table ``extremes`` has a row per line and point. Its table ``densities`` has, for the lines
    of the first pair, the ends and the middle, a row per random vector and node of the quadrature;
    ``dimension`` is the number of parameters.

    Attributes:
        train: the networks.
        align: moves the second network of each pair for the matched lines.
        points: equispaced points with eigenvalues.
        steps: nodes of the densities.
        probes: random vectors of the densities, two or more.
    """

    train: Train
    align: Align
    points: int
    steps: int
    probes: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """One program for all points of all lines."""
        import pyarrow as pa

        config = self.train.config
        dataset = data.load(config.data, context.data_dir)
        eval_fn, ts = landscape.Classification(config.model.apply), np.linspace(0, 1, self.points)
        operator = curvature.hessian(
            eval_fn,
            trees.index(inputs["train"].tree, 0),
            dataset.train,
            batch_size=len(dataset.train),
        )
        every = list(lines(self.train, inputs, dataset))
        extremes: list[dict[str, Any]] = []
        densities: list[dict[str, Any]] = []
        with context.progress.task("eigenvalues", total=len(every), unit="line") as task:
            for done, line in enumerate(every, start=1):
                extremes += [
                    {**line.labels, "t": float(t), **ends_of(operator.at(network(line.path, t)))}
                    for t in ts
                ]
                if line.pair == every[0].pair:
                    for t in WHERE:
                        here = operator.at(network(line.path, t))
                        densities += [
                            {**line.labels, "t": t, "dimension": operator.dimension, **row}
                            for row in self.nodes(here)
                        ]
                task.update(done, pair=line.pair)
        return Result(
            tables={
                "extremes": pa.Table.from_pylist(extremes),
                "densities": pa.Table.from_pylist(densities),
            }
        )

    def nodes(self, operator: curvature.Operator) -> Iterator[dict[str, Any]]:
        """The same random vectors at every point, so that differences are paired."""
        found = curvature.density(operator, jax.random.key(1), steps=self.steps, probes=self.probes)
        for probe in range(self.probes):
            for node, weight in zip(found.nodes[probe], found.weights[probe], strict=True):
                yield {"probe": probe, "node": float(node), "weight": float(weight)}


def ends_of(operator: curvature.Operator) -> dict[str, Any]:
    """The largest and the smallest eigenvalue of one network."""
    # From a random start at every point: the vectors of the one before have no part of a new one.
    found = curvature.eigenpairs(
        operator,
        jax.random.key(0),
        bottom=1,
        tolerance=TOLERANCE,
        products=PRODUCTS,
    )
    return {
        "largest": float(found.values[0]),
        "smallest": float(found.values[1]),
        "largest_error": float(found.errors[0]),
        "smallest_error": float(found.errors[1]),
        "residual": float(found.residuals.max() / found.norm),
        "converged": bool(found.converged.all()),
        "products": found.products,
    }


@dataclass(frozen=True)
class Line:
    """The line of one pair.

    Attributes:
        method: ``naive`` or ``matched``.
        pair: the seeds.
        path: the line.
    """

    method: str
    pair: str
    path: Path

    @property
    def labels(self) -> dict[str, str]:
        """The columns that name it."""
        return {"method": self.method, "pair": self.pair}


def lines(train: Train, inputs: Mapping[str, Any], dataset: Dataset) -> Iterator[Line]:
    """Every pair, as it is and matched."""
    config, networks = train.config, inputs["train"].tree
    group = group_of(config.model.apply, networks, dataset.train)
    for i, j in itertools.combinations(range(len(config.seeds)), 2):
        pair = f"{config.seeds[i]}-{config.seeds[j]}"
        a, b = trees.index(networks, i), trees.index(networks, j)
        moved = trees.to_numpy(symmetry.act(group, inputs["align"].tree[pair], b))
        yield Line(NAIVE, pair, paths.line(a, b))
        yield Line(MATCHED, pair, paths.line(a, moved))


def network(path: Path, t: float) -> Params:
    """The network at a point."""
    return path(np.float32(t))
