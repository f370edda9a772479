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
    lengths,
    over_pivots,
    redistributed,
    tangent_weights,
    with_ends,
)
from mconn.training.optimiser import transformation
from mconn.trees import named_leaves, wide
from mconn.types import Batch, EvalFn, Params, PyTree


class State(NamedTuple):
    """Everything that a step changes.

    Attributes:
        controls: all pivots, stacked, ends included.
        optimiser: the optimiser's state of every pivot between the ends.
    """

    controls: Params
    optimiser: PyTree


@partial(jax.jit, static_argnames="rule")
def begin(controls: Params, rule: Rule) -> State:
    """The state at the beginning of a cycle."""
    free = [leaf[1:-1] for leaf in split(controls, rule.held)[0]]
    return State(controls, jax.vmap(transformation(rule.optimiser, 1, 1).init)(free))


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
    still = split(state.controls, rule.held)[1]
    ends = [[leaf[i] for leaf in split(state.controls, rule.held)[0]] for i in (0, -1)]
    end_decay = jnp.stack([decay(end, rule) for end in ends])

    def loss_of(trained: Leaves, held: Leaves, batch: Batch) -> Float[Array, ""]:
        params = joined(trained, held, structure, state.controls, rule.held)
        return eval_fn(params, batch)["loss"].mean() + decay(trained, rule)

    def step(carry: tuple[Leaves, PyTree], here: Any) -> tuple[Any, Float[Array, "free"]]:
        (pivots, optimiser_state), (chosen, rate) = carry, here
        batch = jax.tree.map(lambda leaf: leaf[chosen], data)
        losses, gradients = over_pivots(
            lambda trained, held: jax.value_and_grad(loss_of)(trained, held, batch),
            [leaf[1:-1] for leaf in pivots],
            [leaf[1:-1] for leaf in still],
        )
        at_ends = end_losses[:, chosen].mean(axis=1) + end_decay
        weights = tangent_weights(jnp.concatenate([at_ends[:1], losses, at_ends[1:]]))
        length = lengths(pivots).sum() if math.isfinite(rule.spring) else jnp.zeros(())

        def move(i: Array, gradient: Leaves, state: PyTree, weights: Any, shares: Any) -> Any:
            before, here, after = ([leaf[i + k] for leaf in pivots] for k in range(3))
            force = across_and_along(
                gradient, before, here, after, weights, shares, length, rule.spring
            )
            change, state = optimiser.update(force, state, here)
            change = [(rate * leaf).astype(leaf.dtype) for leaf in change]
            return optax.apply_updates(here, change), state

        free, optimiser_state = over_pivots(
            move,
            jnp.arange(len(losses)),
            gradients,
            optimiser_state,
            weights,
            (shares[1:], shares[:-1]),
        )
        pivots = with_ends(pivots, free)
        if not math.isfinite(rule.spring):
            pivots = redistributed(pivots, shares)
        return (pivots, optimiser_state), losses

    start = (split(state.controls, rule.held)[0], state.optimiser)
    (pivots, optimiser_state), losses = jax.lax.scan(step, start, (rows, rates))
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
    return 0.5 * rule.weight_decay * sum(jnp.vdot(wide(leaf), wide(leaf)) for leaf in trained)


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
