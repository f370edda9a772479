"""A plane through three networks or along random directions: its geometry, and metrics on it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import paths, trees
from mconn.errors import ConfigError, StructureError
from mconn.landscape.losses import Moments
from mconn.measure import Execution, Run
from mconn.paths import PLANE, ControlledPath, Path
from mconn.types import Batch, EvalFn, Key, Params


class Coordinates(NamedTuple):
    """Orthonormal coordinates of the plane through a, b and c: a is the origin, b on the x axis.

    Distances in the plane are Euclidean distances between networks.

    Attributes:
        points: (x, y) of a, b and c, shape (3, 2).
    """

    points: Float[np.ndarray, "3 2"]

    def parameters(self, xy: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """The (u, v) of `mconn.paths.plane` at coordinates (x, y)."""
        (_, _), (length, _), (foot, height) = self.points
        v = xy[:, 1] / height
        return np.stack([(xy[:, 0] - v * foot) / length, v], axis=1)


class Projection(NamedTuple):
    """Points of a path, seen from a plane.

    Attributes:
        xy: coordinates of their feet in the plane, shape (points, 2).
        distance: their distances from the plane, shape (points,).
    """

    xy: Float[np.ndarray, "points 2"]
    distance: Float[np.ndarray, "points"]


def coordinates(plane: ControlledPath) -> Coordinates:
    """The coordinates of a plane, from the inner products of its three control points.

    Args:
        plane: `mconn.paths.plane` or `random_plane`.

    Raises:
        StructureError: if it is no plane, or its three networks lie on one line.
    """
    if plane.domain != PLANE or plane.count != 3:
        raise StructureError(
            f"a plane is spanned by three networks, and this path lives on {plane.domain.name} "
            f"with {plane.count} control points: make it with paths.plane"
        )
    gram = np.asarray(jax.jit(ControlledPath.gram)(plane), np.float64)
    length = np.sqrt(gram[1, 1])
    foot = gram[1, 2] / length if length else 0.0
    height = np.sqrt(max(0.0, gram[2, 2] - foot**2))
    # Below this, single precision does not tell the third network from one on the line.
    if height <= 1e-3 * np.sqrt(gram[2, 2]) or not length:
        raise StructureError(
            "the three networks lie on one line, through which there is no single plane: choose "
            "another third one"
        )
    return Coordinates(np.array([[0, 0], [length, 0], [foot, height]]))


def project(plane: ControlledPath, path: Path, ts: Float[np.ndarray, "points ..."]) -> Projection:
    """Where the points of a path lie, seen from a plane.

    A path whose control points lie in the plane has distance 0, up to rounding.

    Args:
        plane: `mconn.paths.plane` or `random_plane`.
        path: between networks of the same structure.
        ts: parameters of its points.

    Raises:
        StructureError: if a point lies outside the path's domain, or the plane is none.
    """
    ts = np.asarray(ts, np.float32)
    path.domain.check(ts)
    x, y, distance = trees.to_numpy(_seen_from(plane, coordinates(plane).points, path, ts))
    return Projection(np.stack([x, y], axis=1), distance)


@jax.jit
def _seen_from(
    plane: ControlledPath, points: Array, path: Path, ts: Array
) -> tuple[Array, Array, Array]:
    """Coordinates and distance of every point of the path."""
    a, b, c = (trees.index(plane.controls, i) for i in range(3))
    (length, _), (foot, height) = points[1], points[2]
    first = jax.tree.map(lambda a, b: (trees.wide(b) - trees.wide(a)) / length, a, b)
    second = jax.tree.map(
        lambda a, c, e: (trees.wide(c) - trees.wide(a) - foot * e) / height, a, c, first
    )

    def at_point(t: Array) -> tuple[Array, Array, Array]:
        away = jax.tree.map(lambda p, a: trees.wide(p) - trees.wide(a), path(t), a)
        x, y = trees.inner(away, first), trees.inner(away, second)
        rest = jax.tree.map(lambda w, e, f: w - x * e - y * f, away, first, second)
        return x, y, jnp.sqrt(trees.inner(rest, rest))

    return jax.lax.map(at_point, ts)


def random_plane(key: Key, params: Params) -> ControlledPath:
    """The plane through a network along two filter-normalised random directions.

    A direction is Gaussian; each of its filters, that is each slice along a leaf's last axis, is
    scaled to the norm of the network's filter. Leaves with one axis or none, which are biases and
    parameters and statistics of normalisers, stay as they are. The two directions are not made
    orthogonal, as in the paper: in so many dimensions they nearly are. Li et al. 2018, section 4.

    Args:
        key: of the directions.
        params: the network, at the origin.

    Returns:
        The plane through the network and its sums with either direction.

    Raises:
        StructureError: if no leaf has two axes.
    """
    if not any(np.ndim(leaf) >= 2 for leaf in jax.tree.leaves(params)):
        raise StructureError(
            "the network has no leaf with two axes, so no filter to scale a direction by: span the "
            "plane by networks, with paths.plane"
        )
    ends = [_moved(key, params, number) for number in range(2)]
    return paths.plane(params, *ends)


def _moved(key: Key, params: Params, number: int) -> Params:
    """The network plus a filter-normalised direction."""
    generator = np.random.default_rng([*np.asarray(jax.random.key_data(key)).ravel(), number])

    def add_direction(leaf: Any) -> Array:
        array = np.asarray(leaf)
        if array.ndim < 2:
            return jnp.asarray(leaf)
        axes = tuple(range(array.ndim - 1))
        direction = generator.standard_normal(array.shape)
        norms = [np.sqrt((x.astype(np.float64) ** 2).sum(axes)) for x in (array, direction)]
        return jnp.asarray(array + (direction * (norms[0] / norms[1])).astype(array.dtype))

    return jax.tree.map(add_direction, params)


def box(
    coordinates: Coordinates, points: int = 51, margin: float | int = 0.25
) -> tuple[Float[np.ndarray, "columns"], Float[np.ndarray, "rows"]]:
    """Equispaced x and y around the three networks of a plane.

    Args:
        coordinates: of the plane.
        points: of either axis.
        margin: what is added on every side, as a share of the longer side of the box.

    Raises:
        ConfigError: with fewer than two points.
    """
    _check_points(points)
    low, high = coordinates.points.min(axis=0), coordinates.points.max(axis=0)
    more = margin * (high - low).max()
    return tuple(np.linspace(low[i] - more, high[i] + more, points) for i in range(2))


def centred_box(
    coordinates: Coordinates, points: int = 51, reach: float | int = 1.0
) -> tuple[Float[np.ndarray, "columns"], Float[np.ndarray, "rows"]]:
    """Equispaced x and y around the first network, for a `random_plane`.

    Args:
        coordinates: of the plane.
        points: of either axis; an odd number includes the network itself.
        reach: how far to go along either direction, in lengths of the direction.

    Raises:
        ConfigError: with fewer than two points.
    """
    _check_points(points)
    length, height = coordinates.points[1, 0], coordinates.points[2, 1]
    steps = np.linspace(-reach, reach, points)
    return length * steps, height * steps


def _check_points(points: int) -> None:
    """Refuse an axis without two ends."""
    if points < 2:
        raise ConfigError(f"points is {points}: an axis of a plane needs at least two")


@dataclass(frozen=True)
class PlaneProfile:
    """What `evaluate_plane` returns, on the host; its rows are y, its columns x.

    Attributes:
        x: coordinates of the columns, in Euclidean distance between networks.
        y: coordinates of the rows.
        coordinates: of the plane; its ``points`` are those of the three networks.
        mean: per metric the mean over the examples.
        standard_error: per metric the standard error of that mean (unpaired).
        examples: number of examples.
        normaliser: how normaliser statistics were treated: ``recompute`` or ``interpolate``.
    """

    x: Float[np.ndarray, "columns"]
    y: Float[np.ndarray, "rows"]
    coordinates: Coordinates
    mean: dict[str, Float[np.ndarray, "rows columns"]]
    standard_error: dict[str, Float[np.ndarray, "rows columns"]]
    examples: int
    normaliser: str


def evaluate_plane(
    eval_fn: EvalFn,
    plane: ControlledPath,
    x: Any,
    y: Any,
    data: Batch,
    *,
    execution: Execution = Execution(),
) -> PlaneProfile:
    """Evaluate ``eval_fn`` on a grid of a plane.

    Means and standard errors are taken on the device; no value of an example is kept. Where a
    value is not finite, so is the mean of its point, and the rest stays.

    Args:
        eval_fn: as in `mconn.landscape.evaluate`, and so are all arguments not named here.
        plane: through three networks, `mconn.paths.plane`, or `random_plane`.
        x: coordinates of the grid's columns, for example from `box`; a is at (0, 0), and b on the
            x axis.
        y: coordinates of its rows.
        data: the examples.
        execution: as in `evaluate`; ``points_per_call`` is 32 by default, the points between two
            reports of progress.

    Raises:
        StructureError: if the plane is none, or a coordinate is not finite; and as `evaluate`.
    """
    where = coordinates(plane)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or y.ndim != 1:
        raise StructureError(
            f"x and y have the shapes {x.shape} and {y.shape}: pass the coordinates of the "
            "columns and of the rows, one axis each"
        )
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    run = Run(Moments(eval_fn), [plane], where.parameters(grid), data, execution)
    found = run(run.ts).of_path(0).result
    mean, standard_error = (
        {metric: values[:, part].reshape(len(y), len(x)) for metric, values in found.items()}
        for part in range(2)
    )
    return PlaneProfile(
        x=x,
        y=y,
        coordinates=where,
        mean=mean,
        standard_error=standard_error,
        examples=trees.count_examples(data),
        normaliser=run.normaliser,
    )
