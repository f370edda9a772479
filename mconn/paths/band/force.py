"""The force on the pivots of a band: across it from the loss, along it from the springs.

Pivots are lists of leaves, stacked: (pivots, ...), with both ends. One pivot is worked on after
the other on a CPU, whose caches hold one network and not the band, and all at once elsewhere.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.trees import wide

Leaves = list[Array]
"""The trained leaves of one network, or of several, stacked."""


def over_pivots(function: Callable[..., Any], *stacked: Any) -> Any:
    """``function`` of every entry of the leading axes."""
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda entry: function(*entry), stacked)
    return jax.vmap(function)(*stacked)


def tangent_weights(
    losses: Float[Array, "pivots"],
) -> tuple[Float[Array, "free"], Float[Array, "free"]]:
    """Weights of the segments ahead of and behind every pivot between the ends in its tangent.

    The tangent points to the neighbour with the higher loss; where both neighbours are higher, or
    both lower, it is a mixture, so that it turns without a jump (Henkelman and Jonsson 2000,
    J. Chem. Phys. 113, 9978, equations 8 to 11).

    Args:
        losses: of all pivots, ends included.

    Returns:
        The weight of x[i + 1] - x[i], and that of x[i] - x[i - 1].
    """
    before, here, after = losses[:-2], losses[1:-1], losses[2:]
    rise, fall = jnp.abs(after - here), jnp.abs(before - here)
    larger, smaller = jnp.maximum(rise, fall), jnp.minimum(rise, fall)
    up, down = (after > here) & (here > before), (after < here) & (here < before)
    higher_ahead = after > before
    flat = larger == 0
    ahead = jnp.where(up, 1.0, jnp.where(down, 0.0, jnp.where(higher_ahead, larger, smaller)))
    behind = jnp.where(up, 0.0, jnp.where(down, 1.0, jnp.where(higher_ahead, smaller, larger)))
    return jnp.where(flat, 1.0, ahead), jnp.where(flat, 1.0, behind)


def across_and_along(
    gradient: Leaves,
    before: Leaves,
    here: Leaves,
    after: Leaves,
    weights: tuple[Array, Array],
    shares: tuple[Array, Array],
    length: Float[Array, ""],
    spring: float | int,
) -> Leaves:
    """Minus the force on one pivot: the gradient across the band, and the springs along it.

    With the unit tangent T this is g - <g, T> T - k (|ahead| - |behind|) T, where each length is
    less its share of the band's; with infinite springs the last term is left out.

    Args:
        gradient: of the loss at the pivot.
        before: the pivot before it.
        here: the pivot.
        after: the pivot after it.
        weights: of the segments ahead and behind in the tangent.
        shares: of the segments ahead and behind in the band's length.
        length: of the band.
        spring: the constant k.
    """
    ahead = [y - x for x, y in zip(here, after, strict=True)]
    behind = [y - x for x, y in zip(before, here, strict=True)]
    a, b = weights
    aa, ab, bb = inner(ahead, ahead), inner(ahead, behind), inner(behind, behind)
    # <T, T> and <g, T> of the tangent before it has unit length.
    squared = a * a * aa + 2 * a * b * ab + b * b * bb
    slope = a * inner(gradient, ahead) + b * inner(gradient, behind)
    tiny = jnp.finfo(squared.dtype).tiny
    along = slope / jnp.maximum(squared, tiny)
    if math.isfinite(spring):
        stretched = jnp.sqrt(aa) - shares[0] * length - (jnp.sqrt(bb) - shares[1] * length)
        along += spring * stretched / jnp.sqrt(jnp.maximum(squared, tiny))
    return [
        (g - along * (a * x + b * y)).astype(g.dtype)
        for g, x, y in zip(gradient, ahead, behind, strict=True)
    ]


def lengths(pivots: Leaves) -> Float[Array, "segments"]:
    """The length of every segment."""

    def one(i: Array) -> Array:
        segment = [leaf[i + 1] - leaf[i] for leaf in pivots]
        return jnp.sqrt(inner(segment, segment))

    return over_pivots(one, jnp.arange(len(pivots[0]) - 1))


def redistributed(pivots: Leaves, shares: Float[Array, "segments"]) -> Leaves:
    """The pivots, moved along the chain so that each segment has its share of the length.

    This is what infinitely stiff springs do, and the string method (E, Ren and Vanden-Eijnden
    2007, J. Chem. Phys. 126, 164103). Ends stay bit for bit.
    """
    steps = lengths(pivots)
    reached = jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])
    wanted = jnp.cumsum(shares)[:-1] / jnp.sum(shares) * reached[-1]
    segment = jnp.searchsorted(reached, wanted, side="right") - 1
    segment = jnp.clip(segment, 0, len(steps) - 1)
    tiny = jnp.finfo(steps.dtype).tiny
    places = (wanted - reached[segment]) / jnp.maximum(steps[segment], tiny)

    def one(i: Array, place: Array) -> Leaves:
        return [leaf[i] + (place * (leaf[i + 1] - leaf[i])).astype(leaf.dtype) for leaf in pivots]

    return with_ends(pivots, over_pivots(one, segment, places))


def with_ends(pivots: Leaves, free: Leaves) -> Leaves:
    """The pivots whose ends are the old ones, bit for bit, and which are new between them."""
    return [
        jnp.concatenate([old[:1], new, old[-1:]]) for old, new in zip(pivots, free, strict=True)
    ]


def inner(a: Leaves, b: Leaves) -> Float[Array, ""]:
    """<a, b> over all leaves, in single precision or wider."""
    return sum(
        (jnp.vdot(wide(x), wide(y)) for x, y in zip(a, b, strict=True)), jnp.zeros((), float)
    )
