"""The compiled programs of a band: steps of all pivots, each on one batch; the loss along a chain.

Pivots are lists of leaves, stacked: (pivots, ...), with both ends. The force on them acts across
the band from the loss, and along it from the springs.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from mconn.paths.band.config import Rule
from mconn.training import transformation
from mconn.trees import count_examples, inner, named_leaves, to_numpy
from mconn.types import Batch, EvalFn, Params, PyTree

Leaves = list[Array]
"""The trained leaves of one network, or of several, stacked."""

MOST_EXAMPLES = 1000
"""Examples that are evaluated at once."""


class State(NamedTuple):
    """Everything that a step changes.

    Attributes:
        controls: all pivots, stacked, ends included.
        optimiser: the optimiser's state of every pivot; of the ends it is not used.
    """

    controls: Params
    optimiser: PyTree


class Room(NamedTuple):
    """Stacked trees that a step overwrites, and does not read: else it would copy them often."""

    pivots: Leaves
    gradients: Leaves
    optimiser: PyTree


@partial(jax.jit, static_argnames="rule")
def begin(controls: Params, rule: Rule) -> State:
    """The state at the beginning of a cycle."""
    trained = _split(controls, rule.held)[0]
    return State(controls, jax.vmap(transformation(rule.optimiser, 1, 1).init)(trained))


@partial(jax.jit, static_argnames=("eval_fn", "rule"))
def run_steps(
    state: State,
    shares: Float[Array, "segments"],
    rows: Int[Array, "steps batch"],
    rates: Float[Array, "steps"],
    end_losses: Float[Array, "2 examples"],
    data: Batch,
    *,
    eval_fn: EvalFn,
    rule: Rule,
) -> tuple[State, Float[Array, "steps free"]]:
    """A few steps of a cycle.

    Args:
        state: the state before.
        shares: of every segment in the band's length.
        rows: the examples of every step, which all pivots see.
        rates: the learning rate of every step.
        end_losses: of both ends, which do not change, on every example.
        data: all examples.
        eval_fn: whose metric ``loss`` is minimised.
        rule: of a step.

    Returns:
        The state after them, and the loss of every free pivot in every step, with the weight
        decay's part.
    """
    optimiser = transformation(rule.optimiser, 1, 1)
    structure = jax.tree.structure(state.controls)
    start, still = _split(state.controls, rule.held)
    end_decay = jnp.stack([_decay(_pivot(start, i), rule) for i in (0, len(shares))])

    def loss_of(trained: Leaves, held: Leaves, batch: Batch) -> Float[Array, ""]:
        params = _joined(trained, held, structure, state.controls, rule.held)
        return eval_fn(params, batch)["loss"].mean() + _decay(trained, rule)

    def step(carry: tuple[Leaves, PyTree, Room], here: Any) -> tuple[Any, Float[Array, "free"]]:
        (pivots, before, room), (chosen, rate) = carry, here
        batch = jax.tree.map(lambda leaf: leaf[chosen], data)

        def look(i: Array) -> tuple[Leaves, Array]:
            value, gradient = jax.value_and_grad(loss_of)(
                _pivot(pivots, i), _pivot(still, i), batch
            )
            return gradient, value

        gradients, losses = _overwritten(room.gradients, look)
        at_ends = end_losses[:, chosen].mean(axis=1) + end_decay
        weights = tangent_weights(jnp.concatenate([at_ends[:1], losses, at_ends[1:]]))
        pull = jnp.zeros(len(losses))
        if math.isfinite(rule.spring):
            pull = _pulls(pivots, shares, rule.spring)

        def move(i: Array) -> tuple[tuple[PyTree, PyTree], None]:
            places = _pivot(pivots, i - 1), _pivot(pivots, i), _pivot(pivots, i + 1)
            uphill = weights[0][i - 1], weights[1][i - 1]
            force = _across_and_along(_pivot(gradients, i), places, uphill, pull[i - 1])
            change, state = optimiser.update(force, _pivot(before, i), places[1])
            change = jax.tree.map(lambda leaf: (rate * leaf).astype(leaf.dtype), change)
            return (optax.apply_updates(places[1], change), state), None

        (moved, after), _ = _overwritten((room.pivots, room.optimiser), move)
        if not math.isfinite(rule.spring):
            pivots, moved = moved, _redistributed(moved, shares, pivots)
        return (moved, after, Room(pivots, gradients, before)), losses

    begun = (start, state.optimiser, Room(start, start, state.optimiser))
    # Two steps at once bring every tree back into its own memory, without a copy.
    (pivots, optimiser_state, _), losses = jax.lax.scan(step, begun, (rows, rates), unroll=2)
    controls = _joined(pivots, still, structure, state.controls, rule.held)
    return State(controls, optimiser_state), losses


@partial(jax.jit, static_argnames="held")
def segment_lengths(controls: Params, *, held: tuple[str, ...]) -> Float[Array, "segments"]:
    """The length of every segment, over the leaves that are trained."""
    return _lengths(_split(controls, held)[0])


def _decay(trained: Leaves, rule: Rule) -> Float[Array, ""]:
    if not rule.weight_decay:
        return jnp.zeros(())
    return 0.5 * rule.weight_decay * inner(trained, trained)


def _split(tree: Params, held: tuple[str, ...]) -> tuple[Leaves, Leaves]:
    """The leaves that are trained, and those that are held."""
    named = {name: jnp.asarray(leaf) for name, leaf in named_leaves(tree).items()}
    trained = [leaf for name, leaf in named.items() if not name.startswith(held)]
    return trained, [leaf for name, leaf in named.items() if name.startswith(held)]


def _joined(
    trained: Leaves, still: Leaves, structure: Any, like: Params, held: tuple[str, ...]
) -> Params:
    """The tree that `split` took apart."""
    moving, resting = iter(trained), iter(still)
    leaves = [next(resting if n.startswith(held) else moving) for n in named_leaves(like)]
    return jax.tree.unflatten(structure, leaves)


class Folded(NamedTuple):
    """Data in equal batches, on the device; the last one is filled up with the last example."""

    batches: Batch
    counted: Float[Array | np.ndarray, "number size"]

    @property
    def examples(self) -> int:
        """Their number, without the filling."""
        return int(np.asarray(self.counted).sum())


def fold(data: Batch) -> Folded:
    """The data in batches."""
    count = count_examples(data)
    number = math.ceil(count / MOST_EXAMPLES)
    size = math.ceil(count / number)

    def one(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        filling = np.repeat(leaf[-1:], number * size - count, axis=0)
        return np.concatenate([leaf, filling]).reshape(number, size, *leaf.shape[1:])

    counted = (np.arange(number * size) < count).astype(np.float32).reshape(number, size)
    return jax.device_put(Folded(jax.tree.map(one, data), counted))


def dense_losses(
    eval_fn: EvalFn, controls: Params, sub_points: int, data: Folded
) -> Float[np.ndarray, "segments points"]:
    """Mean losses of every segment, at its pivots and at ``sub_points`` points between them.

    The program has one segment at a time as argument, so that it is compiled once for chains of
    any number of pivots.
    """
    controls = to_numpy(controls)
    segments = len(jax.tree.leaves(controls)[0]) - 1
    places = np.linspace(0, 1, sub_points + 2)[:-1].astype(np.float32)
    rows = [
        np.asarray(
            _segment_losses(
                eval_fn, jax.tree.map(lambda leaf, i=i: leaf[i : i + 2], controls), places, data
            )
        )
        for i in range(segments)
    ]
    last = jax.tree.map(lambda leaf: leaf[-1], controls)
    end = (np.asarray(example_losses(eval_fn, last, data)) * np.asarray(data.counted)).sum()
    starts = np.stack(rows).astype(np.float64)
    ends = np.append(starts[1:, 0], end / data.examples)
    return np.concatenate([starts, ends[:, None]], axis=1)


@partial(jax.jit, static_argnums=0)
def _segment_losses(
    eval_fn: EvalFn, pair: Params, places: Float[Array, "points"], data: Folded
) -> Float[Array, "points"]:
    """Mean losses on the segment between two networks, one point after the other."""

    def at(place: Array) -> Array:
        params = jax.tree.map(lambda leaf: leaf[0] + (place * (leaf[1] - leaf[0])), pair)
        sums = jax.lax.map(
            lambda batch: jnp.vdot(eval_fn(params, batch[0])["loss"], batch[1]),
            (data.batches, data.counted),
        )
        return sums.sum() / data.counted.sum()

    return jax.lax.map(at, places)


@partial(jax.jit, static_argnums=0)
def example_losses(eval_fn: EvalFn, params: Params, data: Folded) -> Float[Array, "number size"]:
    """The loss of every example."""
    return jax.lax.map(lambda batch: eval_fn(params, batch)["loss"], data.batches)


def _is_one_by_one() -> bool:
    """Whether one pivot is worked on after the other.

    The caches of a CPU hold one network and not the band, and a batch of matrix products takes a
    fifth longer there than each by itself. Elsewhere all pivots are worked on at once.
    """
    return jax.default_backend() == "cpu"


def _each(function: Callable[[Array], Any], count: int) -> Any:
    if _is_one_by_one():
        return jax.lax.map(function, jnp.arange(count))
    return jax.vmap(function)(jnp.arange(count))


def _overwritten(room: Any, function: Callable[[Array], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Stacked trees with new entries at all places but the ends.

    One after the other they are written in place, but where ``function``, of a place -> the new
    entry and something more, reads ``room``: then the whole of it is copied at every place.
    """
    places = jnp.arange(1, len(jax.tree.leaves(room)[0]) - 1)
    if not _is_one_by_one():
        entries, more = jax.vmap(function)(places)
        return jax.tree.map(lambda leaf, new: leaf.at[1:-1].set(new), room, entries), more

    def step(room: Any, i: Array) -> tuple[Any, Any]:
        entry, more = function(i)
        put = partial(jax.lax.dynamic_update_index_in_dim, index=i, axis=0)
        return jax.tree.map(put, room, entry), more

    return jax.lax.scan(step, room, places)


def _pivot(stacked: Any, i: Any) -> Any:
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


def _across_and_along(
    gradient: Leaves,
    places: tuple[Leaves, Leaves, Leaves],
    weights: tuple[Array, Array],
    pull: Float[Array, ""],
) -> Leaves:
    """Minus the force on one pivot: the gradient across the band, and the springs along it.

    With the unit tangent T this is g - <g, T> T - pull T, at the middle one of three pivots.
    """
    ahead, behind = weights
    tangent = [ahead * (z - y) + behind * (y - x) for x, y, z in zip(*places, strict=True)]
    squared = jnp.maximum(inner(tangent, tangent), jnp.finfo(float).tiny)
    along = inner(gradient, tangent) / squared + pull / jnp.sqrt(squared)
    return [(g - along * x).astype(g.dtype) for g, x in zip(gradient, tangent, strict=True)]


def _pulls(
    pivots: Leaves, shares: Float[Array, "segments"], spring: float | int
) -> Float[Array, "free"]:
    """The springs' forces k (|ahead| - |behind|), each length less its share of the band's."""
    found = _lengths(pivots)
    stretched = found - shares * found.sum()
    return spring * (stretched[1:] - stretched[:-1])


def _lengths(pivots: Leaves) -> Float[Array, "segments"]:
    def one(i: Array) -> Array:
        here, after = _pivot(pivots, i), _pivot(pivots, i + 1)
        segment = [y - x for x, y in zip(here, after, strict=True)]
        return jnp.sqrt(inner(segment, segment))

    return _each(one, len(pivots[0]) - 1)


def _redistributed(pivots: Leaves, shares: Float[Array, "segments"], room: Leaves) -> Leaves:
    """The pivots, moved along the chain so that each segment has its share of the length.

    This is what infinitely stiff springs do, and the string method (E, Ren and Vanden-Eijnden
    2007, J. Chem. Phys. 126, 164103). Ends stay bit for bit; ``room``, with the same ends, is
    overwritten.
    """
    steps = _lengths(pivots)
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
            for x, y in zip(_pivot(pivots, j), _pivot(pivots, j + 1), strict=True)
        ], None

    return _overwritten(room, one)[0]
