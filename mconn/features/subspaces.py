"""Subspaces of features: principal angles in one of two spaces, and canonical correlations.

*Sample space*: the columns of a matrix of features span a subspace of R^n, n being the examples. No
invertible linear map among the units changes it: permutations, scalings and rotations of a network
leave the angles at 0. *Neuron space*: the rows span a subspace of R^m, m being the units, which a
permutation of units turns: there a network and its own permuted copy lie far apart. Angles are in
radians, in ascending order.

Canonical correlations are what two representations share up to any invertible map of each. SVCCA:
Raghu et al., NeurIPS 2017. PWCCA: Morcos et al., NeurIPS 2018. Correlations are neither squared nor
weighted by their squares here.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError, DataError, StructureError


class FewExamplesWarning(UserWarning):
    """Features are compared on too few examples for their width to say much."""


def checked_pair(
    x: Any, y: Any, names: tuple[str, str] = ("x", "y")
) -> tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n q"]]:
    """Two matrices of features of the same examples, in single precision or wider.

    Raises:
        StructureError: if one is no matrix, or they have other numbers of rows.
        DataError: naming the one that is not finite, or does not vary.
    """
    first, second = checked(x, names[0]), checked(y, names[1])
    check_same_rows(first, second, names)
    return first, second


def checked(x: Any, name: str) -> Float[np.ndarray, "n p"]:
    """One matrix of features, in single precision or wider.

    Raises:
        StructureError: if it is no matrix.
        DataError: if it is not finite, or does not vary.
    """
    found = np.asarray(x)
    if found.ndim != 2:
        raise StructureError(
            f"the features {name} have the shape {found.shape}: pass a matrix, one row per "
            "example and one column per unit"
        )
    found = found.astype(np.promote_types(found.dtype, np.float32), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        total = found.sum()
    # A finite sum proves all finite, in a quarter of the time.
    if not (np.isfinite(total) or np.isfinite(found).all()):
        raise DataError(f"the features {name} are not finite: look at the network's parameters")
    if len(found) < 2 or not any((found[rows] != found[0]).any() for rows in (-1, slice(1, None))):
        raise DataError(
            f"the features {name} are constant over {len(found)} examples: nothing can be like "
            "them; take more examples, or leave the layer out"
        )
    return found


def check_same_rows(x: np.ndarray, y: np.ndarray, names: tuple[str, str]) -> None:
    """Refuse matrices of other numbers of examples.

    Raises:
        StructureError: with both numbers.
    """
    if len(x) != len(y):
        raise StructureError(
            f"the features {names[0]} have {len(x)} rows and {names[1]} have {len(y)}: pass the "
            "same examples in the same order"
        )


def check_enough(examples: int, widths: int, what: str, *, refuse: bool = True) -> None:
    """Refuse, or warn of, fewer examples than dimensions: what is measured is then no property.

    Args:
        examples: the number of rows.
        widths: the dimensions that they must exceed.
        what: what is measured.
        refuse: raise, rather than warn.

    Raises:
        DataError: with the numbers, and how many examples it takes.
    """
    if examples > widths:
        return
    told = (
        f"{what} on {examples} examples of features with {widths} dimensions says nothing: any two "
        f"such networks look alike; take more than {widths} examples"
    )
    if refuse:
        raise DataError(told)
    warnings.warn(told, FewExamplesWarning, stacklevel=3)


def check_four(count: int) -> None:
    """Refuse fewer examples than the debiased estimate is defined for."""
    if count < 4:
        raise DataError(
            f"{count} examples are given and the debiased estimate needs at least 4: take more"
        )


_TOLERANCE = 1e-6
"""Singular values below this share of the largest are those of no direction."""


def sample_space_angles(
    x: Any, y: Any, *, dimension: int | None = None, tolerance: float = _TOLERANCE
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
    left, right = (_left_basis(centred(each), dimension, tolerance) for each in (x, y))
    check_enough(len(x) - 1, left.shape[1] + right.shape[1], "an angle in sample space")
    return _between_bases(left, right)


def neuron_space_angles(
    x: Any, y: Any, *, dimension: int, tolerance: float = _TOLERANCE
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
    left, right = (
        _left_basis(centred(np.asarray(each)).T, dimension, tolerance) for each in (x, y)
    )
    return _between_bases(left, right)


def subspace_angles(
    a: Float[np.ndarray, "m k"], b: Float[np.ndarray, "m l"], *, tolerance: float = _TOLERANCE
) -> Float[np.ndarray, "_"]:
    """Angles between the column spaces of two matrices, as they are.

    Raises:
        StructureError: if the columns have other lengths.
        DataError: if one is 0 or not finite.
    """
    if np.shape(a)[0] != np.shape(b)[0]:
        raise StructureError(f"columns of the lengths {np.shape(a)[0]} and {np.shape(b)[0]} differ")
    return _between_bases(*(_left_basis(np.asarray(m, float), None, tolerance) for m in (a, b)))


def centred(x: np.ndarray) -> Float[np.ndarray, "n p"]:
    """Features less their means, in double precision."""
    wide = x.astype(np.float64)
    return wide - wide.mean(axis=0)


def _left_basis(
    x: Float[np.ndarray, "n p"], dimension: int | None, tolerance: float
) -> Float[np.ndarray, "n k"]:
    vectors, values, _ = np.linalg.svd(x, full_matrices=False)
    rank = int((values > tolerance * values[0]).sum()) if values[0] > 0 else 0
    if rank < max(dimension or 1, 1) or (dimension is not None and dimension < 1):
        raise ConfigError(
            f"dimension is {dimension} and the features have {rank}: ask for 1 to {rank}"
        )
    return vectors[:, : dimension or rank]


def _between_bases(
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


CORRELATED = 1e-9
"""Eigenvalues of a covariance below this share of the largest are those of no direction."""


class Canonical(NamedTuple):
    """Canonical correlations and what they rest on.

    Attributes:
        correlations: in descending order, from 0 to 1: the cosines of the principal angles in
            sample space.
        weights: how much of x each canonical variate accounts for (PWCCA), adding up to 1.
        dimensions: those of x and of y that were kept.
    """

    correlations: Float[np.ndarray, "k"]
    weights: Float[np.ndarray, "k"]
    dimensions: tuple[int, int]


def svcca(x: Any, y: Any, *, variance: float = 0.99) -> float:
    """The mean canonical correlation of the principal components that hold most of the variance.

    Args:
        x: features, shape (n, p).
        y: features of the same examples, shape (n, q).
        variance: the share of each one's variance that is kept.

    Raises:
        DataError: if there are not more examples than both have kept dimensions; if one is
            constant or not finite.
        StructureError: if they are no matrices of the same number of rows.
        ConfigError: if the share is not in (0, 1].
    """
    return float(cca(x, y, variance=variance).correlations.mean())


def pwcca(x: Any, y: Any) -> float:
    """The mean canonical correlation, weighted by how much of ``x`` each variate accounts for.

    It is not symmetric: the weights are those of x. See `svcca` for arguments and errors.
    """
    found = cca(x, y)
    return float(found.weights @ found.correlations)


def cca(x: Any, y: Any, *, variance: float = 1.0) -> Canonical:
    """Canonical correlations of two matrices of features; see `svcca`."""
    x, y = (centred(each) for each in checked_pair(x, y))
    if not 0 < variance <= 1:
        raise ConfigError(f"variance is {variance}: it is a share above 0 and at most 1")
    of_x, of_y = (principal(each.T @ each).leading(variance, CORRELATED) for each in (x, y))
    return correlated(of_x, of_y, x.T @ y, len(x))


class Principal(NamedTuple):
    """Principal components of features.

    Attributes:
        values: eigenvalues of the covariance, in descending order.
        basis: their vectors, as columns.
    """

    values: Float[np.ndarray, "k"]
    basis: Float[np.ndarray, "p k"]

    def leading(self, variance: float, tolerance: float) -> "Principal":
        """The first components that hold a share of the variance."""
        rank = int((self.values > tolerance * self.values[0]).sum())
        share = np.cumsum(self.values[:rank]) / self.values[:rank].sum()
        kept = rank if variance == 1 else min(rank, int(np.searchsorted(share, variance)) + 1)
        return Principal(self.values[:kept], self.basis[:, :kept])


def principal(covariance: Float[np.ndarray, "p p"]) -> Principal:
    """All components of a covariance."""
    values, basis = np.linalg.eigh(covariance)
    return Principal(values[::-1], basis[:, ::-1])


def correlated(
    x: Principal, y: Principal, cross: Float[np.ndarray, "p q"], count: int
) -> Canonical:
    """Canonical correlations of components, from the covariance of both features."""
    left, values, _ = np.linalg.svd(_whitened(x, y, cross, count), full_matrices=False)
    # The variate h_i = X B S^-1/2 u_i has with the unit j the inner product (B S^1/2 u_i)_j.
    shares = np.abs((x.basis * np.sqrt(x.values)) @ left).sum(axis=0)
    dimensions = (len(x.values), len(y.values))
    return Canonical(np.clip(values, 0, 1), shares / shares.sum(), dimensions)


def correlations(
    x: Principal, y: Principal, cross: Float[np.ndarray, "p q"], count: int
) -> Float[np.ndarray, "k"]:
    """Those of `correlated` alone, in a third of the time."""
    values = np.linalg.svd(_whitened(x, y, cross, count), compute_uv=False)
    return np.clip(values, 0, 1)


def _whitened(
    x: Principal, y: Principal, cross: Float[np.ndarray, "p q"], count: int
) -> Float[np.ndarray, "k l"]:
    check_enough(count - 1, len(x.values) + len(y.values), "a canonical correlation")
    return x.basis.T @ cross @ y.basis / np.sqrt(np.outer(x.values, y.values))
