"""Eigenvalues from a Krylov space: Ritz values, bounds of their errors, and what may be missed.

After Lanczos steps with the couplings beta, the product of the distances of any eigenvalue from
all Ritz values, times the part that the start has of its vector, is at most the product of these.
Where that leaves the vector hardly a part, a random start has so little by chance only. Small
residuals say nothing of this: they are those of eigenvalues that were found. J. van Dorsselaer, M.
Hochstenbach and H. van der Vorst, *Computing probabilistic bounds for extreme eigenvalues of
symmetric matrices with the Lanczos method* (SIAM J. Matrix Anal. Appl. 2000).
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


@dataclass(frozen=True)
class Plan:
    """The sizes of a search; static.

    Attributes:
        top: the number of largest eigenvalues.
        bottom: the number of smallest eigenvalues.
        basis: directions that are kept in memory.
    """

    top: int
    bottom: int
    basis: int

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


def estimate(matrix: Float[Array, "basis basis"], size: Any, beta: Any, plan: Plan) -> Estimate:
    """What the filled part of a projected matrix says; ``beta`` is the residual's norm."""
    values, vectors = decomposed(matrix, size)
    rounding = jnp.finfo(values.dtype).eps * _spread(values, size)
    residuals = beta * jnp.abs(jnp.take(vectors, size - 1, axis=0)) + rounding
    chosen = _places(size, plan)
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
        norm=_spread(values, size),
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


def _places(size: Any, plan: Plan) -> Int[Array, " wanted"]:
    return jnp.concatenate([size - 1 - jnp.arange(plan.top), jnp.arange(plan.bottom)])


def _spread(values: Float[Array, " basis"], size: Any) -> Array:
    return jnp.maximum(jnp.abs(values[0]), jnp.abs(values[size - 1]))


CHANCE = 0.05
"""The largest chance of an eigenvalue that is missed with which a search ends."""

REACH = 10
"""How many tolerances an eigenvalue must be away from those that were found to count as missed."""


def count_places(plan: Plan) -> int:
    """The number of places where an eigenvalue may hide."""
    return sum(2 * wanted - 1 for wanted in (plan.top, plan.bottom) if wanted)


def _hiding_places(found: Estimate, plan: Plan, reach: Any) -> Float[Array, " places"]:
    top, bottom = found.values[: plan.top], found.values[plan.top :]
    return jnp.concatenate(
        [
            top + reach,
            jnp.maximum(top[:-1] - reach, top[1:] + reach),
            bottom - reach,
            jnp.minimum(bottom[:-1] + reach, bottom[1:] - reach),
        ]
    )


def log_distances(
    found: Estimate, plan: Plan, tolerance: Any, counted: Bool[Array, " basis"]
) -> Float[Array, " places"]:
    """The logarithms of the products of the distances from the Ritz values that are counted."""
    reach = jnp.maximum(REACH * tolerance * found.norm, jnp.finfo(found.norm.dtype).tiny)
    places = _hiding_places(found, plan, reach)
    distances = jnp.maximum(jnp.abs(places[:, None] - found.spectrum), reach)
    return jnp.where(counted, jnp.log(distances), 0).sum(axis=1)


def chance(log_parts: Float[Array, " places"], rows: int, random: Any) -> Float[Array, ""]:
    """A bound of the chance that a random start has parts as small as these.

    A part of a random unit vector has a density of at most sqrt(rows / 2 pi); adding a fixed
    vector makes small parts no likelier.
    """
    logarithm = log_parts.max() + 0.5 * math.log(2 * rows / math.pi) - jnp.log(random)
    return jnp.exp(jnp.minimum(logarithm, 0))
