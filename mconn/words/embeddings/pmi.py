"""Pointwise mutual information of words and contexts, shifted, and cut at zero on request.

O. Levy and Y. Goldberg, *Neural word embedding as implicit matrix factorization*, NIPS 2014;
context smoothing as in O. Levy, Y. Goldberg and I. Dagan, *Improving distributional similarity with
lessons learned from word embeddings*, TACL 2015.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse

from mconn.errors import ConfigError, DataError

Matrix = Any
"""A NumPy matrix, or a sparse one of SciPy."""


@dataclass(frozen=True, eq=False)
class Association:
    """A matrix of (shifted, positive) pointwise mutual information.

    Attributes:
        matrix: words by contexts; sparse where the counts are.
        unseen: the share of all pairs that were never counted. Their value would be minus infinity,
            and is 0 here, as is usual; for a positive matrix, that is what it is.
        isolated: words without any context, whose rows are zero.
    """

    matrix: Matrix
    unseen: float
    isolated: int


def pmi(
    counts: Matrix, *, shift: float = 0.0, positive: bool = False, smoothing: float = 1.0
) -> Association:
    """log(P(w, c) / (P(w) P(c))) - shift.

    Args:
        counts: how often each word occurs with each context, or the probabilities; a NumPy matrix
            or a sparse one. Nothing needs to be symmetric.
        shift: subtracted; log k gives what SGNS with k negatives factorises.
        positive: whether to set what is below zero to zero (SPPMI).
        smoothing: the power alpha of the contexts' frequencies in P(c) ~ #(c)^alpha; .75 is usual.

    Raises:
        DataError: if no pair was counted, a count is negative or not finite, or there are fewer
            than two words.
        ConfigError: if the smoothing is not above 0.
    """
    check_counts(counts)
    if not smoothing > 0:
        raise ConfigError(f"smoothing is {smoothing}: it is a power above 0, 1 for none")
    table: Any = sparse.coo_array(counts)
    keep = table.data > 0
    rows, columns = (place[keep] for place in table.coords)
    seen = table.data[keep].astype(np.float64)
    words = np.bincount(rows, seen, table.shape[0])
    contexts = np.bincount(columns, seen, table.shape[1]) ** smoothing
    values = np.log(seen) - np.log(words[rows]) - np.log(contexts[columns])
    # With alpha 1 this is the logarithm of the number of pairs.
    values += np.log(contexts.sum()) - shift
    if positive:
        values = np.maximum(values, 0.0)
    matrix: Matrix = sparse.csr_array((values, (rows, columns)), shape=table.shape)
    if not sparse.issparse(counts):
        matrix = matrix.toarray()
    elif positive:
        matrix.eliminate_zeros()
    return Association(matrix, 1 - len(seen) / np.prod(table.shape), int((words == 0).sum()))


def check_counts(counts: Matrix) -> None:
    """Refuse counts of which no embedding can be made.

    Raises:
        DataError: naming what is wrong.
    """
    if counts.ndim != 2 or min(counts.shape) < 2:
        raise DataError(
            f"the counts have the shape {tuple(counts.shape)}: two words and two contexts are the "
            "least, give a larger vocabulary"
        )
    data = sparse.csr_array(counts).data
    if not np.isfinite(data).all() or (data < 0).any():
        raise DataError("a count is negative or not finite: give numbers of occurrences")
    if not data.any():
        raise DataError("no word occurs with any other: give a longer text, or a larger window")
