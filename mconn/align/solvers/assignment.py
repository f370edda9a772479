"""The linear assignment problem: the permutation that maximises a sum of similarities."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.errors import MconnError


def assign(similarity: Float[np.ndarray, "*copies n m"]) -> Int[np.ndarray, "*copies n"]:
    """The permutation p with the largest sum_i similarity[i, p[i]], for every copy; exact.

    On the host, by SciPy's shortest augmenting paths (Crouse 2016): four times faster on a CPU than
    `assign_on_device`, and in double precision. With m > n it chooses n of the m units of b.

    Raises:
        MconnError: if a similarity is not finite.
    """
    from scipy.optimize import linear_sum_assignment

    if not np.isfinite(similarity).all():
        raise MconnError(
            "similarities are not finite: a network has weights or activations that are not"
        )
    copies, shape = similarity.shape[:-2], similarity.shape[-2:]
    flat = similarity.reshape(-1, *shape)
    columns = [linear_sum_assignment(reduced(each))[1] for each in flat]
    return np.array(columns).reshape(*copies, shape[0])


def reduced(similarity: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    """Costs with the same optimum, and a zero in every row and, if square, in every column.

    The first step of the Hungarian method, which SciPy leaves out: its search is then two times
    faster.
    """
    cost = np.subtract(similarity.max(axis=1, keepdims=True), similarity, dtype=np.float64)
    if cost.shape[0] == cost.shape[1]:
        cost -= cost.min(axis=0)
    return cost


def assign_on_device(similarity: Float[Array, "n n"]) -> Int[Array, "n"]:
    """The same inside ``jit`` and under ``vmap``, by optax's Hungarian algorithm."""
    from optax.assignment import hungarian_algorithm

    rows, columns = hungarian_algorithm(-similarity)
    return jnp.zeros(len(similarity), jnp.int32).at[rows].set(columns.astype(jnp.int32))
