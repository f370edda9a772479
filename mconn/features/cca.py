"""Canonical correlations: what two representations share up to any invertible map of each.

SVCCA: Raghu et al., NeurIPS 2017. PWCCA: Morcos et al., NeurIPS 2018. Correlations are neither
squared nor weighted by their squares here.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError
from mconn.features.angles import centred
from mconn.features.matrices import check_enough, checked_pair

TOLERANCE = 1e-9
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
    return float(canonical(x, y, variance=variance).correlations.mean())


def pwcca(x: Any, y: Any) -> float:
    """The mean canonical correlation, weighted by how much of ``x`` each variate accounts for.

    It is not symmetric: the weights are those of x. See `svcca` for arguments and errors.
    """
    found = canonical(x, y)
    return float(found.weights @ found.correlations)


def canonical(x: Any, y: Any, *, variance: float = 1.0) -> Canonical:
    """Canonical correlations of two matrices of features; see `svcca`."""
    x, y = (centred(each) for each in checked_pair(x, y))
    check_variance(variance)
    of_x, of_y = (principal(each.T @ each).leading(variance, TOLERANCE) for each in (x, y))
    return correlated(of_x, of_y, x.T @ y, len(x))


def check_variance(variance: float) -> None:
    """Refuse what is no share of the variance.

    Raises:
        ConfigError: with the number.
    """
    if not 0 < variance <= 1:
        raise ConfigError(f"variance is {variance}: it is a share above 0 and at most 1")


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
    left, values, _ = np.linalg.svd(whitened(x, y, cross, count), full_matrices=False)
    # The variate h_i = X B S^-1/2 u_i has with the unit j the inner product (B S^1/2 u_i)_j.
    shares = np.abs((x.basis * np.sqrt(x.values)) @ left).sum(axis=0)
    dimensions = (len(x.values), len(y.values))
    return Canonical(np.clip(values, 0, 1), shares / shares.sum(), dimensions)


def correlations(
    x: Principal, y: Principal, cross: Float[np.ndarray, "p q"], count: int
) -> Float[np.ndarray, "k"]:
    """Those of `correlated` alone, in a third of the time."""
    values = np.linalg.svd(whitened(x, y, cross, count), compute_uv=False)
    return np.clip(values, 0, 1)


def whitened(
    x: Principal, y: Principal, cross: Float[np.ndarray, "p q"], count: int
) -> Float[np.ndarray, "k l"]:
    """The covariance of components that are scaled to a variance of one.

    Raises:
        DataError: if there are not more examples than components.
    """
    check_enough(count - 1, len(x.values) + len(y.values), "a canonical correlation")
    return x.basis.T @ cross @ y.basis / np.sqrt(np.outer(x.values, y.values))
