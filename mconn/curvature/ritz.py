"""Eigenvalues from a Krylov space: Ritz values, residuals, and bounds of their errors."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@dataclass(frozen=True)
class Search:
    """What is searched for; static.

    Attributes:
        top: the number of largest eigenvalues.
        bottom: the number of smallest eigenvalues.
        basis: directions that are kept in memory.
        products: the largest number of products with the operator.
    """

    top: int
    bottom: int
    basis: int
    products: int

    @property
    def kept(self) -> tuple[int, int]:
        """Ritz vectors from the bottom and from the top that survive a restart."""
        wanted = self.top + self.bottom
        extra = max(0, self.basis - wanted) // 2
        # At both ends: large eigenvalues that are dropped come back and take products.
        at_top = self.top + extra // 2
        return wanted + extra - at_top, at_top


class Estimate(NamedTuple):
    """The wanted eigenvalues as far as a Krylov space shows them.

    Attributes:
        values: the largest from the highest down, then the smallest from the lowest up.
        combinations: their vectors in terms of the space's directions.
        residuals: |A x - value x|; an eigenvalue lies that near.
        errors: of the values: residual^2 over the gap to the next Ritz value, where that is
            smaller than the residual (Kato and Temple; Parlett 1998, theorem 11.7.1).
        norm: the largest absolute Ritz value.
        spectrum: all Ritz values in ascending order, and behind them what is to be ignored.
    """

    values: Float[Array, " wanted"]
    combinations: Float[Array, "wanted basis"]
    residuals: Float[Array, " wanted"]
    errors: Float[Array, " wanted"]
    norm: Float[Array, ""]
    spectrum: Float[Array, " basis"]


def estimate(matrix: Float[Array, "basis basis"], size: Any, beta: Any, plan: Search) -> Estimate:
    """What the filled part of a projected matrix says; ``beta`` is the residual's norm."""
    values, vectors = decomposed(matrix, size)
    rounding = jnp.finfo(values.dtype).eps * spread(values, size)
    residuals = beta * jnp.abs(jnp.take(vectors, size - 1, axis=0)) + rounding
    chosen = places(size, plan)
    # The next eigenvalue may lie nearer than its Ritz value, by that one's residual.
    distances = jnp.abs(values[chosen, None] - values) - residuals
    other = (chosen[:, None] != jnp.arange(len(values))) & (jnp.arange(len(values)) < size)
    gaps = jnp.where(other, distances, jnp.inf).min(axis=1)
    gaps = jnp.where(size > 1, gaps, 0)
    found = residuals[chosen]
    return Estimate(
        values=values[chosen],
        combinations=vectors[:, chosen].T,
        residuals=found,
        # The Ritz values themselves are rounded.
        errors=rounding + jnp.where(gaps > found, found**2 / jnp.where(gaps > 0, gaps, 1), found),
        norm=spread(values, size),
        spectrum=values,
    )


def decomposed(
    matrix: Float[Array, "basis basis"], size: Any
) -> tuple[Float[Array, " basis"], Float[Array, "basis basis"]]:
    """Ritz values in ascending order, with those of rows that are not filled behind them all."""
    filled = jnp.arange(len(matrix)) < size
    largest = jnp.abs(matrix).sum(axis=1).max()
    bound = jnp.where(largest > 0, 2 * largest, 1)
    padded = jnp.where(filled[:, None] & filled, matrix, jnp.diag(jnp.where(filled, 0, bound)))
    return jnp.linalg.eigh(padded)


def places(size: Any, plan: Search) -> Int[Array, " wanted"]:
    """Where the wanted values are among the ascending Ritz values."""
    return jnp.concatenate([size - 1 - jnp.arange(plan.top), jnp.arange(plan.bottom)])


def spread(values: Float[Array, " basis"], size: Any) -> Array:
    """The largest absolute Ritz value."""
    return jnp.maximum(jnp.abs(values[0]), jnp.abs(values[size - 1]))
