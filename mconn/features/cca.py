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
from mconn.features.moments import Comparison

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
    return from_covariances(x.T @ x, y.T @ y, x.T @ y, len(x), variance=variance)


def canonical_of(moments: Comparison, *, variance: float = 1.0) -> Canonical:
    """Canonical correlations from moments that were summed in one pass; see `svcca`.

    Moments in single precision tell correlations apart from 1 down to about 1e-6.
    """
    xx, yy, xy = (each.covariance() for each in moments)
    tolerance = TOLERANCE if moments.xx.cross.dtype == np.float64 else 1e-5
    count = int(moments.xx.count)
    return from_covariances(xx, yy, xy, count, variance=variance, tolerance=tolerance)


def from_covariances(
    xx: Float[np.ndarray, "p p"],
    yy: Float[np.ndarray, "q q"],
    xy: Float[np.ndarray, "p q"],
    count: int,
    *,
    variance: float = 1.0,
    tolerance: float = TOLERANCE,
) -> Canonical:
    """Canonical correlations from covariances, in the principal components of each."""
    if not 0 < variance <= 1:
        raise ConfigError(f"variance is {variance}: it is a share above 0 and at most 1")
    (values_x, basis_x), (values_y, basis_y) = (
        leading(each, variance, tolerance) for each in (xx, yy)
    )
    dimensions = (len(values_x), len(values_y))
    check_enough(count - 1, sum(dimensions), "a canonical correlation")
    whitened = basis_x.T @ xy @ basis_y / np.sqrt(np.outer(values_x, values_y))
    left, correlations, _ = np.linalg.svd(whitened, full_matrices=False)
    # The variate h_i = X B S^-1/2 u_i has with the unit j the inner product (B S^1/2 u_i)_j.
    shares = np.abs((basis_x * np.sqrt(values_x)) @ left).sum(axis=0)
    return Canonical(np.clip(correlations, 0, 1), shares / shares.sum(), dimensions)


def leading(
    covariance: Float[np.ndarray, "p p"], variance: float, tolerance: float
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "p k"]]:
    """The largest eigenvalues that hold a share of the variance, with their vectors."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > tolerance * values[0]).sum())
    share = np.cumsum(values[:rank]) / values[:rank].sum()
    kept = rank if variance == 1 else min(rank, int(np.searchsorted(share, variance)) + 1)
    return values[:kept], vectors[:, :kept]
