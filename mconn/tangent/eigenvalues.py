"""Eigenvalues and participation ratio of a kernel that is never formed."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError
from mconn.tangent.operator import Operator


class TopEigenvalues(NamedTuple):
    """The largest eigenvalues of an operator.

    Attributes:
        values: from the largest on.
        vectors: as columns, each of length one.
        residuals: |K v - lambda v| of each; no eigenvalue is further than that from the value.
    """

    values: Float[np.ndarray, " k"]
    vectors: Float[np.ndarray, "size k"]
    residuals: Float[np.ndarray, " k"]


def top_eigenvalues(
    kernel: Operator, k: int = 10, *, tolerance: float = 1e-4, products: int = 500, seed: int = 0
) -> TopEigenvalues:
    """The k largest eigenvalues, by Lanczos iterations with restarts (ARPACK, as SciPy has it).

    Args:
        kernel: the operator.
        k: how many.
        tolerance: largest residual of an eigenvalue, relative to it.
        products: restarts after which the search is given up.
        seed: of the first vector.

    Raises:
        ConfigError: if k is not below the number of rows, or the search is given up.
    """
    import scipy.sparse.linalg

    linalg: Any = scipy.sparse.linalg

    if not 0 < k < kernel.size:
        raise ConfigError(f"k is {k}, and the kernel has {kernel.size} rows: take 1 to fewer")
    generator = np.random.default_rng(seed)
    dtype = kernel.diagonal().dtype
    linear = linalg.LinearOperator(
        (kernel.size, kernel.size), matvec=lambda v: kernel @ v.astype(dtype).ravel(), dtype=dtype
    )
    start = generator.normal(size=kernel.size).astype(dtype)
    try:
        values, vectors = linalg.eigsh(linear, k, v0=start, tol=tolerance, maxiter=products)
    except linalg.ArpackNoConvergence as error:
        raise ConfigError(
            f"{len(error.eigenvalues)} of {k} eigenvalues were found to {tolerance:g} after "
            f"{products} restarts: raise the tolerance or the number of products"
        ) from error
    values, vectors = values[::-1], vectors[:, ::-1]
    errors = [
        float(np.linalg.norm(kernel @ vector - value * vector))
        for value, vector in zip(values, np.ascontiguousarray(vectors.T), strict=True)
    ]
    return TopEigenvalues(values, vectors, np.array(errors))


class Participation(NamedTuple):
    """The participation ratio of an operator's spectrum.

    Attributes:
        value: (trace K)^2 / trace(K^2).
        standard_error: of it, from the spread over probes.
    """

    value: float
    standard_error: float


def participation_ratio(kernel: Operator, probes: int = 16, *, seed: int = 0) -> Participation:
    """(trace K)^2 / trace(K^2), with the exact trace, and trace(K^2) = E |K z|^2 over random signs.

    Raises:
        ConfigError: if there are fewer than two probes.
    """
    if probes < 2:
        raise ConfigError(f"probes is {probes}: a standard error needs two or more")
    diagonal = kernel.diagonal()
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (probes, kernel.size))
    squares = np.array(
        [((kernel @ sign).astype(np.float64) ** 2).sum() for sign in signs.astype(diagonal.dtype)]
    )
    trace = float(diagonal.sum(dtype=np.float64))
    value = trace**2 / squares.mean()
    relative = squares.std(ddof=1) / np.sqrt(probes) / squares.mean()
    return Participation(float(value), float(value * relative))
