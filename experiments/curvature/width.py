"""The largest eigenvalue of the Hessian, of networks of several widths, and between them."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from experiments.curvature.network import (
    MOVING,
    PARAMETRISATIONS,
    RATES,
    Job,
    Loss,
    Parametrisation,
    descend,
    draw,
    mean_loss,
)
from mconn import curvature, data, landscape, paths, trees
from mconn.data import DataConfig
from mconn.experiment import Context, Result, Stage
from mconn.measure import Execution
from mconn.types import Params

BEFORE, AFTER, BETWEEN = "before training", "after training", "half way between two"
PLACES = (BEFORE, AFTER, BETWEEN)
POINTS = 21
TOLERANCE = 1e-3
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class CurvatureByWidth(Stage):
    """Networks of several widths and parametrisations, on all training examples.

    Its table ``widths`` has a row per network: the largest eigenvalue with its residual and error,
    before training, after it, and half way from one trained seed to the next (under the first
    one's number); ``loss`` is there what was reached, or the loss half way. Its table ``lines`` has
    a row per such line: the squared distance of its ends and the chord barrier on ``POINTS``
    points, in the unit of the loss.

    Attributes:
        data: the data set.
        loss: what is minimised.
        widths: units of the hidden layer.
        seeds: networks of each kind.
        goal: the loss that training goes down to.
        steps: most steps.
    """

    data: DataConfig
    loss: Loss
    widths: tuple[int, ...]
    seeds: int
    goal: float
    steps: int = 5000

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """One program per width, for all parametrisations and seeds."""
        import pyarrow as pa

        dataset = data.load(self.data, context.data_dir)
        job = Job.of(self.loss, dataset.train, dataset.classes)
        widths, lines = [], []
        with context.progress.task(self.loss, total=len(self.widths), unit="width") as task:
            for done, width in enumerate(self.widths, start=1):
                for kind in PARAMETRISATIONS:
                    labels = {"trained_on": self.loss, "parametrisation": kind, "width": width}
                    networks, trained = self.networks(job, kind, width)
                    between, found = on_lines(job, trained)
                    widths += [{**labels, **row} for row in networks + between]
                    lines += [{**labels, **row} for row in found]
                task.update(done, width=width)
        return Result(
            tables={"widths": pa.Table.from_pylist(widths), "lines": pa.Table.from_pylist(lines)}
        )

    def networks(self, job: Job, kind: Parametrisation, width: int) -> tuple[Rows, list[Params]]:
        """Every seed before and after training, and the trained networks."""
        rows: Rows = []
        trained = []
        for seed in range(self.seeds):
            start = draw(kind, width, job.features, job.classes, seed)
            found = trees.to_numpy(
                descend(
                    job.eval_fn,
                    start,
                    job.batch,
                    np.float32(RATES[kind]),
                    np.float32(self.goal),
                    self.steps,
                )
            )
            trained.append(found.params)
            for place, params in ((BEFORE, start), (AFTER, found.params)):
                rows.append({"place": place, "seed": seed, **largest(job, params)})
        return rows, trained


def on_lines(job: Job, trained: list[Params]) -> tuple[Rows, Rows]:
    """From every network to the next: the curvature half way, and the barrier."""
    between: Rows = []
    lines: Rows = []
    for seed, (a, b) in enumerate(itertools.pairwise(trained)):
        line, ts = paths.line(a, b), np.linspace(0, 1, POINTS)
        losses = landscape.evaluate(
            job.eval_fn, line, ts, job.batch, execution=Execution(batch_size=len(job.batch))
        ).mean("loss")
        half_way = trees.to_numpy(line(np.float32(0.5)))
        between.append({"place": BETWEEN, "seed": seed, **largest(job, half_way)})
        lines.append(
            {
                "seed": seed,
                "squared_distance": float(trees.distance(a, b)) ** 2,
                "barrier": float((losses - np.linspace(losses[0], losses[-1], POINTS)).max()),
            }
        )
    return between, lines


def largest(job: Job, params: Params) -> dict[str, Any]:
    """The largest eigenvalue of one network, and its loss."""
    operator = curvature.hessian(
        job.eval_fn, params, job.batch, batch_size=len(job.batch), leaves=MOVING
    )
    found = curvature.eigenpairs(operator, jax.random.key(0), tolerance=TOLERANCE)
    return {
        "largest": float(found.values[0]),
        "residual": float(found.residuals[0]),
        "error": float(found.errors[0]),
        "converged": bool(found.converged[0]),
        "products": found.products,
        "loss": float(mean_loss(job.eval_fn, params, job.batch)),
    }
