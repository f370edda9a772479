"""Stages of the study of curves: the plane that a curve lies in, and what its networks compute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Float

from mconn import data, landscape, paths, trees
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Connect, recomputed
from mconn.landscape import Between, WithEnds
from mconn.measure import Execution
from mconn.paths import ControlledPath
from mconn.types import ApplyFn

LINE = "line"


@dataclass(frozen=True)
class CurvePlane(Stage):
    """The loss on the plane through the ends of the first pair's curve and its middle bend.

    The tree holds ``x`` and ``y``, the coordinates of the grid's columns and rows; ``loss``, shape
    (rows, columns); ``networks``, the coordinates of both ends and of the bend; and ``curve``,
    those of the curve's points. The table ``drawn`` has the loss at these points, evaluated in
    the plane on all examples of the split, so that it can be compared with that of the curve.

    Attributes:
        connect: the curves.
        points: equispaced points on the curve.
        resolution: points of the grid along each axis.
        margin: around the three networks, as a share of their box's longer side.
        split: ``train`` or ``test``.
        examples: so many of its examples at most for the grid.
        statistics_examples: training examples for normaliser statistics.
    """

    connect: Connect
    points: int
    resolution: int = 41
    margin: float = 0.25
    split: str = "train"
    examples: int = 2000
    statistics_examples: int = 10_000

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Evaluate on the grid, then along the curve as it is drawn."""
        config = self.connect.train.config
        dataset = data.load(config.data, context.data_dir)
        examples = getattr(dataset, self.split)
        pair, controls = next(iter(inputs["connect"].tree.items()))
        curve = self.connect.path(controls)
        a, bend, b = (trees.index(controls, i) for i in (0, curve.count // 2, -1))
        plane = paths.plane(a, b, bend)
        eval_fn = landscape.Classification(config.model.apply)
        statistics = recomputed(config.model, controls, dataset.train, self.statistics_examples)
        where = landscape.coordinates(plane)
        x, y = landscape.box(where, self.resolution, self.margin)
        with context.progress.task("plane", total=self.resolution**2, unit="point") as task:
            measured = landscape.evaluate_plane(
                eval_fn,
                plane,
                x,
                y,
                examples.head(self.examples),
                execution=Execution(
                    cells=context.work / "cells",
                    finished=lambda points: task.update(points, split=self.split),
                    **statistics,
                ),
            )
        ts = np.linspace(0, 1, self.points)
        seen = landscape.project(plane, curve, ts)
        drawn = landscape.evaluate(
            eval_fn,
            plane,
            where.parameters(seen.xy),
            examples,
            execution=Execution(**statistics),
        )
        rows = [
            {
                "method": self.connect.name,
                "pair": pair,
                "split": self.split,
                "t": float(t),
                "loss": float(loss),
                "distance": float(distance),
            }
            for t, loss, distance in zip(ts, drawn.mean("loss"), seen.distance, strict=True)
        ]
        tree = {
            "x": x,
            "y": y,
            "loss": measured.mean["loss"],
            "networks": where.points,
            "curve": seen.xy,
        }
        return Result(tree=tree, tables={"drawn": pa.Table.from_pylist(rows)})


@dataclass(frozen=True)
class EnsembleTerms:
    """A network on a path beside its first end, example by example; an EvalFn.

    Attributes:
        apply: (params, inputs) -> logits.
    """

    apply: ApplyFn

    def __call__(self, between: Between, batch: Any) -> dict[str, Float[Array, "n"]]:
        """``loss``, ``error``, ``disagreement`` (another class than the end's) and ``ensemble``.

        ``ensemble`` is the 0/1 error of the mean of both networks' probabilities.
        """
        logits, first = (
            self.apply(params, batch.inputs).astype(jnp.float32)
            for params in (between.params, between.ends[0])
        )
        both = jax.nn.softmax(logits) + jax.nn.softmax(first)
        chosen, of_end, of_both = (values.argmax(axis=-1) for values in (logits, first, both))
        wrong = (choice != batch.labels for choice in (chosen, of_both))
        error, ensemble = (each.astype(jnp.float32) for each in wrong)
        picked = jnp.take_along_axis(logits, batch.labels[:, None], axis=-1)[:, 0]
        return {
            "loss": jax.nn.logsumexp(logits, axis=-1) - picked,
            "error": error,
            "disagreement": (chosen != of_end).astype(jnp.float32),
            "ensemble": ensemble,
        }


TERMS = ("difference", "convexity", "deviation")


@dataclass(frozen=True)
class AlongCurve(Stage):
    """What the networks on every pair's curve, or line, compute on the test split.

    The table ``along`` has a row per pair and point: ``disagreement`` with the first end; accuracy
    of the point and of the ensemble of both; the loss, and the three terms of the
    logit-linearisation identity with its bound (see `mconn.landscape.linearise_logits`). For
    networks without running statistics.

    Attributes:
        connect: the curves.
        points: equispaced points.
        straight: walk along the line between the ends instead, as a control.
    """

    connect: Connect
    points: int
    straight: bool = False

    @property
    def method(self) -> str:
        """The name of the curve, or ``line``."""
        return LINE if self.straight else self.connect.name

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Evaluate pair by pair."""
        config = self.connect.train.config
        apply = config.model.apply
        test = data.load(config.data, context.data_dir).test
        ts = np.linspace(0, 1, self.points)
        rows = []
        curves = inputs["connect"].tree
        with context.progress.task(
            f"along {self.method}", total=2 * len(curves) * self.points, unit="point"
        ) as task:
            for pair, controls in curves.items():
                path = self.path(controls)
                before = 2 * len(rows)
                ensemble = landscape.evaluate(
                    EnsembleTerms(apply),
                    WithEnds(path),
                    ts,
                    test,
                    execution=Execution(
                        finished=lambda points, before=before: task.update(before + points)
                    ),
                )
                terms = landscape.linearise_logits(apply, path, ts, test).profile
                columns = {
                    "loss": ensemble.mean("loss"),
                    "accuracy": 1 - ensemble.mean("error"),
                    "disagreement": ensemble.mean("disagreement"),
                    "disagreement_error": ensemble.standard_error("disagreement"),
                    "ensemble": 1 - ensemble.mean("ensemble"),
                    "ensemble_error": ensemble.standard_error("ensemble"),
                    **{name: terms.mean(name) for name in (*TERMS, "bound")},
                }
                rows += [
                    {
                        "method": self.method,
                        "pair": pair,
                        "t": float(t),
                        **{name: float(values[i]) for name, values in columns.items()},
                    }
                    for i, t in enumerate(ts)
                ]
                task.update(2 * len(rows))
        return Result(tables={"along": pa.Table.from_pylist(rows)})

    def path(self, controls: Any) -> ControlledPath:
        """The curve, or the line between its ends."""
        if not self.straight:
            return self.connect.path(controls)
        return paths.line(*(trees.index(controls, i) for i in (0, -1)))


def geometry_rows(connect: Connect, curves: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per pair: the distance of the ends, the curve's length, and how far its bend lies off.

    ``offset`` is the distance of the middle control point from the middle of the ends, over the
    distance of the ends.
    """
    rows = []
    for pair, controls in curves.items():
        path = connect.path(controls)
        gram = np.asarray(jax.jit(ControlledPath.gram)(path), np.float64)
        length = float(jax.jit(ControlledPath.length)(path))
        segment = np.sqrt(gram[-1, -1])
        away = np.zeros(path.count)
        away[path.count // 2] += 1
        away[[0, -1]] -= 0.5
        rows.append(
            {
                "method": connect.name,
                "pair": pair,
                "segment": float(segment),
                "length": length,
                "ratio": length / float(segment),
                "offset": float(np.sqrt(away @ gram @ away) / segment),
            }
        )
    return rows
