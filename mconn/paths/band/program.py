"""The compiled program of a band: steps of all pivots, each on one batch."""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from mconn.paths.band.config import Rule
from mconn.paths.band.force import (
    Leaves,
    across_and_along,
    inner,
    lengths,
    overwritten,
    pivot,
    pulls,
    redistributed,
    tangent_weights,
)
from mconn.training.optimiser import transformation
from mconn.trees import named_leaves
from mconn.types import Batch, EvalFn, Params, PyTree


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
    trained = split(controls, rule.held)[0]
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
    start, still = split(state.controls, rule.held)
    end_decay = jnp.stack([decay(pivot(start, i), rule) for i in (0, len(shares))])

    def loss_of(trained: Leaves, held: Leaves, batch: Batch) -> Float[Array, ""]:
        params = joined(trained, held, structure, state.controls, rule.held)
        return eval_fn(params, batch)["loss"].mean() + decay(trained, rule)

    def step(carry: tuple[Leaves, PyTree, Room], here: Any) -> tuple[Any, Float[Array, "free"]]:
        (pivots, before, room), (chosen, rate) = carry, here
        batch = jax.tree.map(lambda leaf: leaf[chosen], data)

        def look(i: Array) -> tuple[Leaves, Array]:
            value, gradient = jax.value_and_grad(loss_of)(pivot(pivots, i), pivot(still, i), batch)
            return gradient, value

        gradients, losses = overwritten(room.gradients, look)
        at_ends = end_losses[:, chosen].mean(axis=1) + end_decay
        weights = tangent_weights(jnp.concatenate([at_ends[:1], losses, at_ends[1:]]))
        pull = jnp.zeros(len(losses))
        if math.isfinite(rule.spring):
            pull = pulls(pivots, shares, rule.spring)

        def move(i: Array) -> tuple[tuple[PyTree, PyTree], None]:
            places = pivot(pivots, i - 1), pivot(pivots, i), pivot(pivots, i + 1)
            uphill = weights[0][i - 1], weights[1][i - 1]
            force = across_and_along(pivot(gradients, i), places, uphill, pull[i - 1])
            change, state = optimiser.update(force, pivot(before, i), places[1])
            change = jax.tree.map(lambda leaf: (rate * leaf).astype(leaf.dtype), change)
            return (optax.apply_updates(places[1], change), state), None

        (moved, after), _ = overwritten((room.pivots, room.optimiser), move)
        if not math.isfinite(rule.spring):
            pivots, moved = moved, redistributed(moved, shares, pivots)
        return (moved, after, Room(pivots, gradients, before)), losses

    begun = (start, state.optimiser, Room(start, start, state.optimiser))
    # Two steps at once bring every tree back into its own memory, without a copy.
    (pivots, optimiser_state, _), losses = jax.lax.scan(step, begun, (rows, rates), unroll=2)
    controls = joined(pivots, still, structure, state.controls, rule.held)
    return State(controls, optimiser_state), losses


@partial(jax.jit, static_argnames="held")
def segment_lengths(controls: Params, *, held: tuple[str, ...]) -> Float[Array, "segments"]:
    """The length of every segment, over the leaves that are trained."""
    return lengths(split(controls, held)[0])


def decay(trained: Leaves, rule: Rule) -> Float[Array, ""]:
    """The weight decay's part of the loss."""
    if not rule.weight_decay:
        return jnp.zeros(())
    return 0.5 * rule.weight_decay * inner(trained, trained)


def split(tree: Params, held: tuple[str, ...]) -> tuple[Leaves, Leaves]:
    """The leaves that are trained, and those that are held."""
    named = {name: jnp.asarray(leaf) for name, leaf in named_leaves(tree).items()}
    trained = [leaf for name, leaf in named.items() if not name.startswith(held)]
    return trained, [leaf for name, leaf in named.items() if name.startswith(held)]


def joined(
    trained: Leaves, still: Leaves, structure: Any, like: Params, held: tuple[str, ...]
) -> Params:
    """The tree that `split` took apart."""
    moving, resting = iter(trained), iter(still)
    leaves = [next(resting if n.startswith(held) else moving) for n in named_leaves(like)]
    return jax.tree.unflatten(structure, leaves)
