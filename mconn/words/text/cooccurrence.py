"""How often a word and a context occur together, as a sparse matrix."""

import numpy as np
import scipy.sparse as sparse

from mconn.words.text.tokens import Sentences
from mconn.words.text.vocabulary import Vocabulary
from mconn.words.text.windows import Block, Window, blocks, neighbours


def count_pairs(
    text: Sentences,
    vocabulary: Vocabulary,
    window: Window | None = None,
    *,
    seed: int = 0,
    block: int = 1_000_000,
) -> sparse.csr_array:
    """Count the pairs of a word and a context.

    A pair counts with the weight of its distance, and in both directions, so that the matrix is
    symmetric. Memory holds the matrix and the pairs of one block at one distance.

    Args:
        text: from `sentences`.
        vocabulary: of the text.
        window: which neighbours count; five on either side, dynamic, by default.
        seed: of the thinning, if the window thins words out.
        block: words that are counted at once.

    Returns:
        Counts in float64, shape (words, words). It may have no entry: see `mconn.words.pmi`.
    """
    window = window or Window()
    size = len(vocabulary)
    total = sparse.csr_array((size, size), dtype=np.float64)
    for part in blocks(text, vocabulary, subsample=window.subsample, seed=seed, words=block):
        for distance in range(1, window.size + 1):
            total = total + ahead(part, distance, window.weight(distance), size)
    return sparse.csr_array(total + total.T)


def ahead(block: Block, distance: int, weight: float, size: int) -> sparse.csr_array:
    """The weighted counts of the pairs at one distance, in one direction."""
    first, second = neighbours(block, distance)
    pairs, times = np.unique(block.words[first] * size + block.words[second], return_counts=True)
    return sparse.csr_array(
        sparse.coo_array((weight * times, (pairs // size, pairs % size)), shape=(size, size))
    )
