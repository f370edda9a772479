"""Principal angles between subspaces, in one of two spaces that must not be confused.

*Sample space*: the columns of a matrix of features span a subspace of R^n, n being the examples. No
invertible linear map among the units changes it: permutations, scalings and rotations of a network
leave the angles at 0. *Neuron space*: the rows span a subspace of R^m, m being the units, which a
permutation of units turns: there a network and its own permuted copy lie far apart. Angles are in
radians, in ascending order.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError, StructureError
from mconn.features.matrices import check_enough, checked_pair

TOLERANCE = 1e-6
"""Singular values below this share of the largest are those of no direction."""


def sample_space_angles(
    x: Any, y: Any, *, dimension: int | None = None, tolerance: float = TOLERANCE
) -> Float[np.ndarray, "k"]:
    """Angles between the column spaces, in R^n, of two centred matrices of features.

    Args:
        x: shape (n, p).
        y: shape (n, q), of the same examples.
        dimension: of each matrix only its first principal components are taken, so many; all that
            it has by default.
        tolerance: singular values below this share of the largest count as 0: dead or equal units
            add no dimension.

    Returns:
        As many angles as the smaller subspace has dimensions; all 0 if one contains the other.

    Raises:
        DataError: if there are not more examples than both subspaces have dimensions, where every
            two share some; if one is constant or not finite.
        StructureError: if they are no matrices of the same number of rows.
        ConfigError: if there are fewer dimensions than asked for.
    """
    x, y = checked_pair(x, y)
    left, right = (left_basis(centred(each), dimension, tolerance) for each in (x, y))
    check_enough(len(x) - 1, left.shape[1] + right.shape[1], "an angle in sample space")
    return between_bases(left, right)


def neuron_space_angles(
    x: Any, y: Any, *, dimension: int, tolerance: float = TOLERANCE
) -> Float[np.ndarray, "k"]:
    """Angles between the first principal directions among the units, in R^m.

    A permutation or rotation of the units of one network changes them: compare a network with
    itself at another time, or with one that is aligned.

    Args:
        x: shape (n, m).
        y: shape (n', m): the same units in the same order.
        dimension: the number of principal directions of each.
        tolerance: as in `sample_space_angles`.

    Raises:
        StructureError: if they have other numbers of units.
        ConfigError: if there are fewer directions than asked for.
        DataError: if one is constant or not finite.
    """
    for each in (x, y):
        checked_pair(each, each)
    if np.shape(x)[1] != np.shape(y)[1]:
        raise StructureError(
            f"angles in neuron space are between directions among the same units, and there are "
            f"{np.shape(x)[1]} and {np.shape(y)[1]}: compare in sample space"
        )
    left, right = (left_basis(centred(np.asarray(each)).T, dimension, tolerance) for each in (x, y))
    return between_bases(left, right)


def subspace_angles(
    a: Float[np.ndarray, "m k"], b: Float[np.ndarray, "m l"], *, tolerance: float = TOLERANCE
) -> Float[np.ndarray, "_"]:
    """Angles between the column spaces of two matrices, as they are.

    Raises:
        StructureError: if the columns have other lengths.
        DataError: if one is 0 or not finite.
    """
    if np.shape(a)[0] != np.shape(b)[0]:
        raise StructureError(f"columns of the lengths {np.shape(a)[0]} and {np.shape(b)[0]} differ")
    return between_bases(*(left_basis(np.asarray(m, float), None, tolerance) for m in (a, b)))


def centred(x: np.ndarray) -> Float[np.ndarray, "n p"]:
    """Features less their means, in double precision."""
    wide = x.astype(np.float64)
    return wide - wide.mean(axis=0)


def left_basis(
    x: Float[np.ndarray, "n p"], dimension: int | None, tolerance: float
) -> Float[np.ndarray, "n k"]:
    """An orthonormal basis of the column space, or of its largest part.

    Raises:
        ConfigError: if it has fewer dimensions than asked for.
    """
    vectors, values, _ = np.linalg.svd(x, full_matrices=False)
    rank = int((values > tolerance * values[0]).sum()) if values[0] > 0 else 0
    if rank < max(dimension or 1, 1) or (dimension is not None and dimension < 1):
        raise ConfigError(
            f"dimension is {dimension} and the features have {rank}: ask for 1 to {rank}"
        )
    return vectors[:, : dimension or rank]


def between_bases(
    a: Float[np.ndarray, "n k"], b: Float[np.ndarray, "n l"]
) -> Float[np.ndarray, "_"]:
    """Angles between the spans of orthonormal columns, exact also near 0.

    Cosines say nothing below 1e-8; sines do: Bjorck and Golub, Mathematics of Computation 27
    (1973), and Knyazev and Argentati, SIAM Journal on Scientific Computing 23 (2002).
    """
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    product = a.T @ b
    cosines = np.linalg.svd(product, compute_uv=False)
    sines = np.linalg.svd(b - a @ product, compute_uv=False)[::-1]
    small = cosines > np.sqrt(0.5)
    return np.where(small, np.arcsin(np.clip(sines, 0, 1)), np.arccos(np.clip(cosines, 0, 1)))
