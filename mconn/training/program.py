"""The two compiled programs of training: every seed's initial state, and one epoch of all seeds."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int

from mconn.data import Split
from mconn.training.config import TrainConfig, transformation
from mconn.types import Key, Params, PyTree

EVALUATION_BATCH = 1000


class State(NamedTuple):
    """Everything that a step changes."""

    variables: Params
    optimiser: PyTree


class Program(NamedTuple):
    """Training as functions of arrays; all seeds lie stacked on the leading axis of ``State``.

    Attributes:
        initialise: ``seeds -> State``.
        epoch: ``(State, seeds, epoch, train, validation) -> (State, steps, ends)``; ``steps``
            holds the loss and the accuracy of every batch ``[steps, seeds]``, ``ends`` whether
            the new state is finite and, given a validation split, its accuracy ``[seeds]``.
        split_over_seeds: how stacked states and seeds lie on the devices.
        on_every_device: how data lie on them.
        steps: steps of an epoch.
    """

    initialise: Callable[..., State]
    epoch: jax.stages.Wrapped
    split_over_seeds: NamedSharding
    on_every_device: NamedSharding
    steps: int


@functools.lru_cache(maxsize=8)
def build(config: TrainConfig, examples: int, shape: tuple[int, ...]) -> Program:
    """The program that trains all seeds of ``config`` together; the last few are remembered.

    Seeds are a batch axis (``vmap``) on each device, and spread over as many devices as divide
    their number. Measured on 2 cores, 4 seeds, as time over that of 4 trainings one by one, for
    the nets 64-256-256-256-10 (batch 100) and 784-512-512-512-10 (batch 500): on two host devices
    ``vmap`` .51 and .94, ``lax.map`` over whole epochs .50 and .91, ``lax.map`` inside the step
    .59 and 1.07; on one device ``vmap`` .65 and .99, unrolled .60 and .94. The first is within
    noise of the best, and is what an accelerator needs. Filling up 3 seeds to 4, so that both
    devices work, gained nothing over ``vmap`` on one.

    Args:
        config: the training.
        examples: how many training examples there are.
        shape: the shape of one input.
    """
    steps = examples // config.batch_size
    optimiser = transformation(config.optimiser, config.epochs, steps)
    mesh = _seed_mesh(len(config.seeds))
    seeds, whole = PartitionSpec("seeds"), PartitionSpec()

    def initialise(seed: Int[Array, ""]) -> State:
        variables = config.model.init(_seed_keys(seed)[0], jnp.zeros((1, *shape)))
        return State(variables, optimiser.init(variables["params"]))

    def step(state: State, batch: Split) -> tuple[State, dict[str, Float[Array, ""]]]:
        def objective(params: Params) -> tuple[Float[Array, ""], tuple[Any, Float[Array, ""]]]:
            logits, updates = config.model.apply(
                {**state.variables, "params": params},
                batch.inputs,
                train=True,
                mutable=["batch_stats"],
            )
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()
            return loss, (updates, _correct(logits, batch.labels).mean())

        params = state.variables["params"]
        (loss, (updates, accuracy)), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        change, optimiser_state = optimiser.update(gradient, state.optimiser, params)
        variables = {
            **state.variables,
            **updates,
            "params": optax.apply_updates(params, change),
        }
        return State(variables, optimiser_state), {"loss": loss, "accuracy": accuracy}

    def epoch(
        state: State, seed: Int[Array, ""], number: Int[Array, ""], train: Split, validation: Any
    ) -> tuple[State, dict[str, Array], dict[str, Array]]:
        state, trace = jax.lax.scan(
            lambda state, rows: step(state, jax.tree.map(lambda array: array[rows], train)),
            state,
            _shuffled_batches(seed, number, examples, config.batch_size),
        )
        ends = {"finite": _all_finite(state)}
        if validation is not None:
            ends["validation_accuracy"] = _accuracy_of(config.model, state.variables, validation)
        return state, trace, ends

    together = jax.shard_map(
        jax.vmap(epoch, in_axes=(0, 0, None, None, None), out_axes=(0, 1, 0)),
        mesh=mesh,
        in_specs=(seeds, seeds, whole, whole, whole),
        out_specs=(seeds, PartitionSpec(None, "seeds"), seeds),
    )
    return Program(
        initialise=jax.jit(jax.vmap(initialise), compiler_options=_quick_compilation()),
        epoch=jax.jit(together),
        split_over_seeds=NamedSharding(mesh, seeds),
        on_every_device=NamedSharding(mesh, whole),
        steps=steps,
    )


def _seed_mesh(count: int) -> jax.sharding.Mesh:
    devices = jax.devices()
    used = max(n for n in range(1, len(devices) + 1) if count % n == 0)
    return jax.sharding.Mesh(np.array(devices[:used]), ("seeds",), axis_types=(AxisType.Auto,))


def _quick_compilation() -> dict[str, int] | None:
    """Compiler options for a program that runs once.

    A CPU compiles the random numbers of each new shape for a second at full optimisation, and for
    a tenth of one at none.
    """
    return {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None


def _seed_keys(seed: Int[Array, ""]) -> Key:
    """Two keys of one seed: its initial weights' and its shuffles'."""
    return jax.random.split(jax.random.key(seed))


def _shuffled_batches(
    seed: Int[Array, ""], epoch: Int[Array, ""], examples: int, batch_size: int
) -> Int[Array, "steps batch"]:
    """The rows of an epoch's batches, without the last, incomplete one."""
    order = jax.random.permutation(jax.random.fold_in(_seed_keys(seed)[1], epoch), examples)
    steps = examples // batch_size
    return order[: steps * batch_size].reshape(steps, batch_size)


def _correct(logits: Float[Array, "n classes"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    return (logits.argmax(axis=-1) == labels).astype(jnp.float32)


def _all_finite(tree: PyTree) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _accuracy_of(model: Any, variables: Params, split: Split) -> Float[Array, ""]:
    """The share of correct answers in evaluation mode, in bounded memory."""

    def right(example: Split) -> Float[Array, ""]:
        logits = model.apply(variables, example.inputs[None])
        return _correct(logits, example.labels[None])[0]

    return jax.lax.map(right, split, batch_size=EVALUATION_BATCH).mean()
