"""Embeddings from the truncated singular value decomposition of a matrix."""

from typing import Any

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float

from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.words.embeddings.pmi import Matrix

SOLVERS = ("auto", "exact", "arpack", "randomised")
SMALL = 512
"""The largest side of a matrix that is decomposed exactly if the solver is left to us."""


def factorise(
    matrix: Matrix, dimension: int, *, power: float = 0.5, solver: str = "auto", seed: int = 0
) -> dict[str, Float[np.ndarray, "..."]]:
    """The embeddings U S^p and V S^(1 - p) of the largest singular values.

    With p = 1/2, words and contexts are treated alike, as SGNS does; p = 0 and 1 are the others in
    use (Levy, Goldberg and Dagan, TACL 2015). The product of words and contexts is the best
    approximation of the matrix of that rank, whatever p. A symmetric matrix with a negative
    eigenvalue, as the constant of a PMI matrix has, gets a context with the sign turned.

    Args:
        matrix: words by contexts, dense or sparse.
        dimension: of the embedding.
        power: p.
        solver: ``exact``; ``arpack`` (SciPy's ``svds``); ``randomised`` (scikit-learn's, with 4
            power iterations), for large ones; ``auto`` takes exact up to 512 words, else arpack.
        seed: of the solver's start.

    Returns:
        ``words`` and ``contexts``, shapes (words, dimension) and (contexts, dimension), in the
        order of falling singular values; the largest entry of each column of words is positive.

    Raises:
        ConfigError: if the dimension is not within the matrix, or the solver unknown.
    """
    check_choice("solver", solver, SOLVERS)
    least = min(matrix.shape)
    if not 1 <= dimension <= least:
        raise ConfigError(
            f"dimension is {dimension}: for {least} words it must be between 1 and {least}"
        )
    if solver == "auto":
        solver = "exact" if max(matrix.shape) <= SMALL or dimension == least else "arpack"
    left, values, right = decompose(matrix, dimension, solver, seed)
    places = np.abs(left).argmax(axis=0)
    signs = np.where(left[places, np.arange(dimension)] < 0, -1.0, 1.0)
    return {
        "words": left * signs * values**power,
        "contexts": right.T * signs * values ** (1 - power),
    }


def decompose(
    matrix: Matrix, dimension: int, solver: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest singular values in falling order, with their vectors."""
    if solver == "exact":
        dense = matrix.toarray() if sparse.issparse(matrix) else matrix
        left, values, right = np.linalg.svd(dense, full_matrices=False)
        return left[:, :dimension], values[:dimension], right[:dimension]
    if solver == "arpack":
        from scipy.sparse.linalg import svds

        # ARPACK works with fewer singular values than the matrix has.
        if dimension >= min(matrix.shape):
            raise ConfigError(
                f"dimension is {dimension}: arpack finds at most {min(matrix.shape) - 1}, take "
                "the solver 'exact'"
            )
        start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
        found: Any = svds(matrix, k=dimension, v0=start)
        left, values, right = found
        order = np.argsort(-values)
        return left[:, order], values[order], right[order]
    from sklearn.utils import extmath

    solve: Any = extmath.randomized_svd
    return solve(matrix, dimension, n_iter=4, random_state=seed)


def combined(params: dict[str, np.ndarray]) -> Float[np.ndarray, "words dimension"]:
    """The sum w + c of a word's two vectors, as in GloVe; for words that are the contexts as well.

    Raises:
        ConfigError: if there are not as many contexts as words.
    """
    if params["words"].shape != params["contexts"].shape:
        raise ConfigError(
            f"words have the shape {params['words'].shape} and contexts "
            f"{params['contexts'].shape}: only vectors of the same words can be added"
        )
    return params["words"] + params["contexts"]
