"""The chance that the random start of a search hides an eigenvalue that is wanted.

After Lanczos steps with the couplings beta, the product of the distances of any eigenvalue from
all Ritz values, times the part that the start has of its vector, is at most the product of these.
Where that leaves the vector hardly a part, a random start has so little by chance only. Small
residuals say nothing of this: they are those of eigenvalues that were found. J. van Dorsselaer, M.
Hochstenbach and H. van der Vorst, *Computing probabilistic bounds for extreme eigenvalues of
symmetric matrices with the Lanczos method* (SIAM J. Matrix Anal. Appl. 2000).
"""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from mconn.curvature.ritz import Estimate, Search

CHANCE = 0.05
"""The largest chance of an eigenvalue that is missed with which a search ends."""

REACH = 10
"""How many tolerances an eigenvalue must be away from those that were found to count as missed."""


def count_places(plan: Search) -> int:
    """The number of places where an eigenvalue may hide."""
    return sum(2 * wanted - 1 for wanted in (plan.top, plan.bottom) if wanted)


def hiding_places(found: Estimate, plan: Search, reach: Any) -> Float[Array, " places"]:
    """Where an eigenvalue hides best, beyond the last one wanted and ``reach`` away from all.

    Between two that were found, the logarithm of the product of distances is concave: it is least
    beside one of them.
    """
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
    found: Estimate, plan: Search, tolerance: Any, counted: Bool[Array, " basis"]
) -> Float[Array, " places"]:
    """The logarithms of the products of the distances from the Ritz values that are counted."""
    reach = jnp.maximum(REACH * tolerance * found.norm, jnp.finfo(found.norm.dtype).tiny)
    places = hiding_places(found, plan, reach)
    distances = jnp.maximum(jnp.abs(places[:, None] - found.spectrum), reach)
    return jnp.where(counted, jnp.log(distances), 0).sum(axis=1)


def chance(log_parts: Float[Array, " places"], rows: int, random: Any) -> Float[Array, ""]:
    """A bound of the chance that a random start has parts as small as these.

    A part of a random unit vector has a density of at most sqrt(rows / 2 pi); adding a fixed
    vector makes small parts no likelier.

    Args:
        log_parts: logarithms of the largest parts that eigenvectors can have and still be hidden.
        rows: of the operator.
        random: the length of the start's random part, relative to the start.
    """
    logarithm = log_parts.max() + 0.5 * math.log(2 * rows / math.pi) - jnp.log(random)
    return jnp.exp(jnp.minimum(logarithm, 0))
