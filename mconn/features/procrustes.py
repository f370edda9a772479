"""The best orthogonal map from one representation to another, and how it moves along a path."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from mconn.errors import StructureError
from mconn.features.subspaces import centred, check_enough, checked_pair

_UNIQUE = 1e-6
"""Singular values below this share of the largest leave the rotation of their directions free."""


class Procrustes(NamedTuple):
    """The orthogonal map U that brings x U closest to y.

    Attributes:
        rotation: U, shape (m, m); its determinant may be -1.
        residual: |x U - y|_F^2 / |y|_F^2, of centred features.
        distance: |x U - y|_F of centred features that are scaled to the norm 1: from 0 to sqrt(2)
            (Ding et al., NeurIPS 2021; Williams et al., NeurIPS 2021).
        free: dimensions in which U is not determined by the features.
    """

    rotation: Float[np.ndarray, "m m"]
    residual: float
    distance: float
    free: int


def procrustes(x: Any, y: Any) -> Procrustes:
    """The orthogonal Procrustes problem (Schonemann, Psychometrika 31, 1966).

    Args:
        x: features, shape (n, m).
        y: features of the same examples in as many units, shape (n, m).

    Raises:
        DataError: if there are not more examples than units, where every residual is small; if one
            is constant or not finite.
        StructureError: if they are no matrices of the same shape.
    """
    x, y = (centred(each) for each in checked_pair(x, y))
    check_enough(len(x) - 1, max(x.shape[1], y.shape[1]), "a Procrustes residual")
    return _from_cross(x.T @ y, float(np.square(x).sum()), float(np.square(y).sum()))


def _from_cross(
    cross: Float[np.ndarray, "m m"],
    square_x: float,
    square_y: float,
    before: Float[np.ndarray, "m m"] | None = None,
) -> Procrustes:
    check_square(cross)
    left, values, right = np.linalg.svd(cross)
    kept = int((values > _UNIQUE * max(values[0], np.finfo(float).tiny)).sum())
    rotation = left[:, :kept] @ right[:kept]
    loose_left, loose_right = left[:, kept:], right[kept:]
    guess = np.eye(len(cross)) if before is None else before
    inner = loose_left.T @ guess @ loose_right.T
    u, _, v = np.linalg.svd(inner)
    rotation = rotation + loose_left @ (u @ v) @ loose_right
    total = values.sum()
    return Procrustes(
        rotation,
        float(max(square_x + square_y - 2 * total, 0) / square_y),
        distance_of(total, square_x, square_y),
        len(cross) - kept,
    )


def check_square(cross: np.ndarray) -> None:
    """Refuse layers of other numbers of units.

    Raises:
        StructureError: with both numbers.
    """
    if cross.shape[0] != cross.shape[1]:
        raise StructureError(
            f"an orthogonal map needs as many units on both sides, and there are {cross.shape[0]} "
            f"and {cross.shape[1]}: compare them by CKA or in sample space"
        )


def distance_of(total: float, square_x: float, square_y: float) -> float:
    """`Procrustes.distance` from the sum of the singular values of x^T y, and both squares."""
    return float(np.sqrt(max(2 - 2 * total / np.sqrt(square_x * square_y), 0)))


class Track(NamedTuple):
    """The orthogonal maps along a path.

    Attributes:
        rotations: U(t), shape (points, m, m), from the features of the first end.
        residual: |H_0 U - H_t|_F^2 / |H_t|_F^2, shape (points,), of centred features.
        free: dimensions in which U(t) continues the map before, as the features leave it open.
        steps: |U(t_i) - U(t_{i-1})|_F, shape (points - 1,).
    """

    rotations: Float[np.ndarray, "points m m"]
    residual: Float[np.ndarray, "points"]
    free: Float[np.ndarray, "points"]
    steps: Float[np.ndarray, "_"]


def track_rotations(
    crosses: Float[np.ndarray, "points m m"],
    square_start: float,
    squares: Float[np.ndarray, "points"],
) -> Track:
    """The best orthogonal maps at consecutive points, followed smoothly where they are free.

    In directions that the features do not use (dead units) any rotation is as good: there the one
    nearest to the rotation before is taken, so that what moves is what the features move.

    Args:
        crosses: H_0^T H_t of centred features, at every point.
        square_start: |H_0|_F^2.
        squares: |H_t|_F^2 at every point.
    """
    found: list[Procrustes] = []
    for cross, square in zip(crosses, squares, strict=True):
        before = found[-1].rotation if found else None
        found.append(
            _from_cross(np.asarray(cross, np.float64), square_start, float(square), before)
        )
    rotations = np.stack([each.rotation for each in found])
    return Track(
        rotations,
        np.array([each.residual for each in found]),
        np.array([each.free for each in found], float),
        np.linalg.norm(np.diff(rotations, axis=0), axis=(1, 2)),
    )
