"""The geometry of a plane through three networks, and planes along random directions."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import paths, trees
from mconn.errors import ConfigError, StructureError
from mconn.paths import ControlledPath, Path
from mconn.paths.domain import PLANE
from mconn.types import Key, Params


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
    x, y, distance = trees.to_numpy(seen_from(plane, coordinates(plane).points, path, ts))
    return Projection(np.stack([x, y], axis=1), distance)


@jax.jit
def seen_from(
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
    ends = [moved(key, params, number) for number in range(2)]
    return paths.plane(params, *ends)


def moved(key: Key, params: Params, number: int) -> Params:
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
    check_points(points)
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
    check_points(points)
    length, height = coordinates.points[1, 0], coordinates.points[2, 1]
    steps = np.linspace(-reach, reach, points)
    return length * steps, height * steps


def check_points(points: int) -> None:
    """Refuse an axis without two ends."""
    if points < 2:
        raise ConfigError(f"points is {points}: an axis of a plane needs at least two")
