"""The linear assignment problem: the permutation that maximises a sum of similarities."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from mconn.align.cost import Similarity
from mconn.choices import check_choice
from mconn.errors import MconnError

SOLVERS = ("auto", "scipy", "optax")


def assign(similarity: Similarity, solver: str = "auto") -> Int[np.ndarray, "n"]:
    """The permutation p with the largest sum_i similarity[i, p[i]]; exact.

    Args:
        similarity: gain of every pair, shape (n, n).
        solver: ``scipy`` on the host or ``optax`` on the device. ``auto`` takes SciPy's where
            JAX computes on the host, on which it is about four times faster, and otherwise
            optax's, which needs no transfer.

    Raises:
        ConfigError: if the solver is unknown.
        MconnError: if a similarity is not finite.
    """
    check_choice("assignment solver", solver, SOLVERS)
    if not bool(np.isfinite(np.asarray(similarity)).all()):
        raise MconnError(
            "similarities are not finite: a network has weights or activations that are not"
        )
    if solver == "scipy" or (solver == "auto" and jax.default_backend() == "cpu"):
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment(np.asarray(similarity), maximize=True)[1].astype(np.int32)
    return np.asarray(_assign_on_device(jnp.asarray(similarity)))


@jax.jit
def _assign_on_device(similarity: jax.Array) -> jax.Array:
    from optax.assignment import hungarian_algorithm

    rows, columns = hungarian_algorithm(-similarity)
    return jnp.zeros(len(similarity), jnp.int32).at[rows].set(columns.astype(jnp.int32))
