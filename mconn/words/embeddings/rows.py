"""Steps on the few rows of a table that a batch touches."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

EPSILON = 1e-8
"""Keeps a row's first step finite."""


class Table(NamedTuple):
    """A table of rows, and for each row the sum of the mean squares of its gradients so far."""

    rows: Float[Array, "*seeds rows dimension"]
    squares: Float[Array, "*seeds rows"]


def fresh(rows: Float[np.ndarray, "rows dimension"]) -> Table:
    """A table that was not changed yet, in float32."""
    return Table(jnp.asarray(rows.astype(np.float32)), jnp.asarray(np.zeros(len(rows), np.float32)))


def descend(
    table: Table,
    places: Int[Array, " entries"],
    gradients: Float[Array, "entries dimension"],
    rate: Float[Array, ""],
) -> Table:
    """One step of AdaGrad with one rate per row (J. Duchi, E. Hazan and Y. Singer, JMLR 2011).

    A row that a batch touches several times moves by the sum of its gradients.

    Args:
        table: the rows.
        places: the row of every gradient.
        gradients: of the loss.
        rate: the learning rate.
    """
    squares = table.squares.at[places].add(jnp.mean(gradients**2, axis=-1))
    scale = rate / jnp.sqrt(squares[places] + EPSILON)
    return Table(table.rows.at[places].add(-scale[:, None] * gradients), squares)
