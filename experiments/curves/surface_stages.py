"""Bezier surfaces between trained networks: fitted, and their losses over the whole surface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Float

from mconn import data, landscape, paths, trees
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Train
from mconn.paths import ControlledPath, FitConfig
from mconn.types import Params

Shape = Literal["square", "triangle"]
CORNERS: dict[Shape, int] = {"square": 4, "triangle": 3}
STRAIGHT: dict[Shape, str] = {"square": "bilinear", "triangle": "flat"}
"""The surface of the same corners without any fit: the control."""


def build(shape: Shape, corners: list[Params], degree: int) -> ControlledPath:
    """A surface through its corners, as yet straight."""
    if shape == "square":
        return paths.surface(corners, degree)
    return paths.triangle(corners, degree)


def grid_of(shape: Shape, points: int) -> Float[np.ndarray, "points k"]:
    """Parameters at equal distances, the corners among them."""
    axis = np.linspace(0, 1, points)
    u, v = (each.reshape(-1) for each in np.meshgrid(axis, axis, indexing="ij"))
    if shape == "square":
        return np.stack([u, v], axis=1)
    inside = u + v < 1 + 0.5 / points
    weights = np.stack([1 - u - v, u, v], axis=1)[inside]
    return np.where(abs(weights) < 1e-9, 0, weights)


@dataclass(frozen=True)
class SurfaceFits(Stage):
    """One surface for every few seeds, fitted all together, beside the straight ones.

    Its table ``map`` has a row per surface, method, split and point of the grid; its table
    ``surfaces`` a row per surface: how far its corners are from their networks, and how fast the
    network moves along either parameter.

    Attributes:
        train: the networks: a surface takes four of them (a triangle the first three of these).
        shape: ``square`` or ``triangle``.
        degree: of the polynomials.
        fit: how the free control points are fitted.
        grid: points along each parameter.
        seed: of the fits.
    """

    train: Train
    shape: Shape
    degree: int
    fit: FitConfig
    grid: int
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("shape", self.shape, CORNERS)
        seeds = len(self.train.config.seeds)
        if seeds < 4 or seeds % 4:
            raise ConfigError(f"there are {seeds} seeds: a surface takes four, so give 4, 8, ...")
        if self.degree < 2:
            raise ConfigError(f"degree is {self.degree}: below 2 there is nothing to fit")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Fit, and evaluate on the grid."""
        config = self.train.config
        dataset = data.load(config.data, context.data_dir)
        eval_fn = landscape.Classification(config.model.apply)
        every = trees.to_numpy(inputs["train"].tree)
        networks = [trees.index(every, i) for i in range(len(config.seeds))]
        corners = [
            networks[first : first + CORNERS[self.shape]] for first in range(0, len(networks), 4)
        ]
        fitted = paths.fit_many(
            eval_fn,
            [build(self.shape, each, self.degree) for each in corners],
            dataset.train,
            self.fit,
            jax.random.split(jax.random.key(self.seed), len(corners)),
            keeper=context.work / "checkpoints",
            progress=context.progress,
        )
        ts = grid_of(self.shape, self.grid)
        rows, facts = [], []
        for number, (ends, found) in enumerate(zip(corners, fitted, strict=True)):
            facts.append({"surface": number, **surface_facts(self.shape, found.path, ends, ts)})
            # Of the same degree, so that both are measured by one program.
            straight = build(self.shape, ends, self.degree)
            for method, surface in ((STRAIGHT[self.shape], straight), ("fitted", found.path)):
                for split, examples in (("train", dataset.train), ("test", dataset.test)):
                    profile = landscape.evaluate(eval_fn, surface, ts, examples)
                    rows.append(
                        map_table(self.shape, ts, profile)
                        .append_column("surface", pa.array([number] * len(ts)))
                        .append_column("method", pa.array([method] * len(ts)))
                        .append_column("split", pa.array([split] * len(ts)))
                    )
        return Result(
            tables={"map": pa.concat_tables(rows), "surfaces": pa.Table.from_pylist(facts)}
        )


def map_table(shape: Shape, ts: np.ndarray, profile: landscape.Profile) -> pa.Table:
    """A row per point: its place in the plane, and the loss and accuracy there."""
    # In barycentric coordinates the last two are those of the plane.
    plane = ts if shape == "square" else ts[:, 1:]
    return pa.table(
        {
            "u": plane[:, 0],
            "v": plane[:, 1],
            "is_corner": (profile.mixture == 1).any(axis=1),
            "loss": profile.mean("loss"),
            "accuracy": 1 - profile.mean("error"),
        }
    )


def surface_facts(
    shape: Shape, surface: ControlledPath, corners: list[Params], ts: np.ndarray
) -> dict[str, float]:
    """How far the corners are from their networks, and the mean speed along either parameter."""
    places = [[0, 0], [0, 1], [1, 0], [1, 1]] if shape == "square" else np.eye(3)
    gaps = [
        max(
            float(np.max(np.abs(np.asarray(found) - np.asarray(wanted)), initial=0))
            for found, wanted in zip(
                jax.tree.leaves(at(surface, jnp.asarray(place, float))),
                jax.tree.leaves(corner),
                strict=True,
            )
        )
        for place, corner in zip(places, corners, strict=True)
    ]
    along = np.eye(2) if shape == "square" else np.array([[-1, 1, 0], [-1, 0, 1]])
    u, v = speeds(surface, jnp.asarray(ts, float), jnp.asarray(along, float))
    return {"corner_gap": max(gaps), "speed_u": float(u), "speed_v": float(v)}


@jax.jit
def at(path: ControlledPath, t: jax.Array) -> Params:
    """A point of a path."""
    return path(t)


@jax.jit
def speeds(
    surface: ControlledPath, ts: Float[jax.Array, "points k"], along: Float[jax.Array, "two k"]
) -> Float[jax.Array, "two"]:
    """The mean norm of the derivative along either parameter, from the Gram matrix."""

    def squared(t: jax.Array, direction: jax.Array) -> jax.Array:
        weights = jax.jvp(surface.basis, (t,), (direction,))[1]
        return weights @ surface.gram() @ weights

    every = jax.vmap(jax.vmap(squared, (0, None)), (None, 0))(ts, along)
    return jnp.sqrt(jnp.maximum(every, 0)).mean(axis=1)
