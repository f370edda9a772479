"""Examples folded into batches of equal size, without a copy where none is needed."""

import math
from typing import Any

import jax
import numpy as np

from mconn import trees
from mconn.landscape.program import Examples
from mconn.types import Batch


def fold(data: Batch, batch_size: int, shares: int = 1) -> Examples:
    """All examples in their order; the last batch is filled up with the last example.

    Args:
        data: the examples.
        batch_size: largest number of examples in one batch.
        shares: what the size of a batch must be a multiple of: the devices that share it.
    """
    count = trees.count_examples(data)
    number = math.ceil(count / batch_size)
    size = math.ceil(math.ceil(count / number) / shares) * shares
    missing = number * size - count

    def folded(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        if missing:
            leaf = np.concatenate([leaf, np.repeat(leaf[-1:], missing, axis=0)])
        return leaf.reshape(number, size, *leaf.shape[1:])

    real = (np.arange(number * size) < count).reshape(number, size)
    return Examples(jax.tree.map(folded, data), real)


def fold_whole(data: Batch, batch_size: int) -> Batch:
    """The examples in full batches, without the few that are left over."""
    count = trees.count_examples(data)
    size = min(batch_size, count)
    number = count // size

    def folded(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)[: number * size]
        return leaf.reshape(number, size, *leaf.shape[1:])

    return jax.tree.map(folded, data)
