"""The force on the pivots of a band: across it from the loss, along it from the springs.

Pivots are lists of leaves, stacked: (pivots, ...), with both ends.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.trees import wide

Leaves = list[Array]
"""The trained leaves of one network, or of several, stacked."""


def is_one_by_one() -> bool:
    """Whether one pivot is worked on after the other.

    The caches of a CPU hold one network and not the band, and a batch of matrix products takes a
    fifth longer there than each by itself. Elsewhere all pivots are worked on at once.
    """
    return jax.default_backend() == "cpu"


def each(function: Callable[[Array], Any], count: int) -> Any:
    """``function`` of every index below ``count``: numbers, not networks."""
    if is_one_by_one():
        return jax.lax.map(function, jnp.arange(count))
    return jax.vmap(function)(jnp.arange(count))


def overwritten(room: Any, function: Callable[[Array], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Stacked trees with new entries at all places but the ends.

    One after the other they are written in place.

    Args:
        room: the trees.
        function: of a place -> the new entry, and something more. Where it reads ``room``, the
            whole of it is copied at every place.

    Returns:
        The trees, and what is more, stacked over the places.
    """
    places = jnp.arange(1, len(jax.tree.leaves(room)[0]) - 1)
    if not is_one_by_one():
        entries, more = jax.vmap(function)(places)
        return jax.tree.map(lambda leaf, new: leaf.at[1:-1].set(new), room, entries), more

    def step(room: Any, i: Array) -> tuple[Any, Any]:
        entry, more = function(i)
        put = partial(jax.lax.dynamic_update_index_in_dim, index=i, axis=0)
        return jax.tree.map(put, room, entry), more

    return jax.lax.scan(step, room, places)


def pivot(stacked: Any, i: Any) -> Any:
    """One entry of every leaf."""
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, i, keepdims=False), stacked)


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
    places: tuple[Leaves, Leaves, Leaves],
    weights: tuple[Array, Array],
    pull: Float[Array, ""],
) -> Leaves:
    """Minus the force on one pivot: the gradient across the band, and the springs along it.

    With the unit tangent T this is g - <g, T> T - pull T.

    Args:
        gradient: of the loss at the pivot.
        places: of the pivot before it, of the pivot, and of the one after it.
        weights: of the segments ahead and behind in the tangent.
        pull: of the springs, ahead if positive.
    """
    ahead, behind = weights
    tangent = [ahead * (z - y) + behind * (y - x) for x, y, z in zip(*places, strict=True)]
    squared = jnp.maximum(inner(tangent, tangent), jnp.finfo(float).tiny)
    along = inner(gradient, tangent) / squared + pull / jnp.sqrt(squared)
    return [(g - along * x).astype(g.dtype) for g, x in zip(gradient, tangent, strict=True)]


def pulls(
    pivots: Leaves, shares: Float[Array, "segments"], spring: float | int
) -> Float[Array, "free"]:
    """The springs' forces k (|ahead| - |behind|), each length less its share of the band's."""
    found = lengths(pivots)
    stretched = found - shares * found.sum()
    return spring * (stretched[1:] - stretched[:-1])


def lengths(pivots: Leaves) -> Float[Array, "segments"]:
    """The length of every segment."""

    def one(i: Array) -> Array:
        here, after = pivot(pivots, i), pivot(pivots, i + 1)
        segment = [y - x for x, y in zip(here, after, strict=True)]
        return jnp.sqrt(inner(segment, segment))

    return each(one, len(pivots[0]) - 1)


def redistributed(pivots: Leaves, shares: Float[Array, "segments"], room: Leaves) -> Leaves:
    """The pivots, moved along the chain so that each segment has its share of the length.

    This is what infinitely stiff springs do, and the string method (E, Ren and Vanden-Eijnden
    2007, J. Chem. Phys. 126, 164103). Ends stay bit for bit.

    Args:
        pivots: with both ends.
        shares: of every segment.
        room: pivots with the same ends, to be overwritten.
    """
    steps = lengths(pivots)
    reached = jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])
    wanted = jnp.cumsum(shares) / jnp.sum(shares) * reached[-1]
    segment = jnp.searchsorted(reached, wanted, side="right") - 1
    segment = jnp.clip(segment, 0, len(steps) - 1)
    tiny = jnp.finfo(steps.dtype).tiny
    places = (wanted - reached[segment]) / jnp.maximum(steps[segment], tiny)

    def one(i: Array) -> tuple[Leaves, None]:
        place, j = places[i - 1], segment[i - 1]
        return [
            x + (place * (y - x)).astype(x.dtype)
            for x, y in zip(pivot(pivots, j), pivot(pivots, j + 1), strict=True)
        ], None

    return overwritten(room, one)[0]


def inner(a: Leaves, b: Leaves) -> Float[Array, ""]:
    """<a, b> over all leaves, in single precision or wider."""
    return sum((jnp.vdot(wide(x), wide(y)) for x, y in zip(a, b, strict=True)), jnp.zeros(()))
