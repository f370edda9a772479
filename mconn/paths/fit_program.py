"""The compiled program of a fit: one epoch over the data, for one path or for several together."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int

from mconn.paths.fit_config import FitConfig
from mconn.paths.path import ControlledPath
from mconn.training import transformation
from mconn.trees import named_leaves, wide
from mconn.types import Batch, EvalFn, Key, Params, PyTree

Free: TypeAlias = PyTree
"""A list of every leaf's free control points, shape (free, ...); None for a leaf that is held."""


class State(NamedTuple):
    """Everything that a step changes.

    Attributes:
        free: the free control points.
        optimiser: the optimiser's state.
        mean: their mean over the end of the fit; the last ones before it begins.
    """

    free: Free
    optimiser: PyTree
    mean: Free


class Trace(NamedTuple):
    """What an epoch tells: means over its steps, and whether the state after it is finite."""

    objective: Float[Array, ""]
    loss: Float[Array, ""]
    largest_loss: Float[Array, ""]
    finite: Array


def free_indices(path: ControlledPath) -> np.ndarray:
    """The control points that a fit moves."""
    return np.setdiff1d(np.arange(path.count), path.fixed)


def _take_free(path: ControlledPath, held: tuple[str, ...]) -> Free:
    free = free_indices(path)
    return [
        None if name.startswith(held) else jnp.asarray(leaf)[free]
        for name, leaf in named_leaves(path.controls).items()
    ]


def put_free(path: ControlledPath, free: Free) -> ControlledPath:
    """The path with these free control points; the fixed ones stay bit for bit."""
    leaves, structure = jax.tree.flatten(path.controls)
    indices = free_indices(path)
    controls = [
        leaf if moved is None else jnp.asarray(leaf).at[indices].set(moved)
        for leaf, moved in zip(leaves, free, strict=True)
    ]
    return replace(path, controls=jax.tree.unflatten(structure, controls))


def _point(path: ControlledPath, free: Free, t: Any) -> Params:
    """``put_free(path, free)(t)``, without a copy of the control points."""
    leaves, structure = jax.tree.flatten(path.controls)
    fixed, moving, weights = np.array(path.fixed), free_indices(path), path.basis(t)
    mixed = [
        jnp.tensordot(weights.astype(leaf.dtype), leaf, 1)
        if moved is None
        else jnp.tensordot(weights[fixed].astype(leaf.dtype), leaf[fixed], 1)
        + jnp.tensordot(weights[moving].astype(leaf.dtype), moved, 1)
        for leaf, moved in zip(leaves, free, strict=True)
    ]
    return jax.tree.unflatten(structure, mixed)


def _squared_norm(params: Params, held: tuple[str, ...]) -> Float[Array, ""]:
    trained = [wide(x) for name, x in named_leaves(params).items() if not name.startswith(held)]
    return sum((jnp.vdot(leaf, leaf) for leaf in trained), jnp.zeros(()))


def initialise(path: ControlledPath, config: FitConfig, steps: int) -> State:
    """The state before the first step."""
    free = _take_free(path, config.held)
    return State(free, transformation(config.optimiser, config.epochs, steps).init(free), free)


@partial(jax.jit, static_argnames=("eval_fn", "config", "mesh", "together"))
def run_epoch(
    state: State,
    path: ControlledPath,
    key: Key,
    number: Int[Array, ""],
    data: Batch,
    *,
    eval_fn: EvalFn,
    config: FitConfig,
    mesh: Mesh,
    together: bool,
) -> tuple[State, Trace]:
    """One pass over the data.

    Args:
        state: the state before.
        path: the path; its free control points are those of ``state``.
        key: of the whole fit; with ``number`` it decides batches and points.
        number: of the epoch, from 0.
        data: all examples.
        eval_fn: whose metric ``loss`` is minimised.
        config: of the fit.
        mesh: devices with axes ``pair``, ``t`` and ``data``.
        together: whether state, path and key carry a leading axis of paths that are fitted
            together, each on its own batches.
    """
    epoch = partial(_epoch, eval_fn=eval_fn, config=config, mesh=mesh)
    if together:
        epoch = jax.vmap(epoch, (0, 0, 0, None, None), spmd_axis_name="pair")
    return epoch(state, path, key, number, data)


def _epoch(
    state: State,
    path: ControlledPath,
    key: Key,
    number: Int[Array, ""],
    data: Batch,
    *,
    eval_fn: EvalFn,
    config: FitConfig,
    mesh: Mesh,
) -> tuple[State, Trace]:
    examples = len(jax.tree.leaves(data)[0])
    steps = examples // config.batch_size
    optimiser = transformation(config.optimiser, config.epochs, steps)
    shuffle, draw = jax.random.split(jax.random.fold_in(key, number))
    order = jax.random.permutation(shuffle, examples)[: steps * config.batch_size]

    def loss_at(free: Free, t: Any, batch: Batch) -> Float[Array, ""]:
        params = _point(path, free, t)
        loss = eval_fn(params, batch)["loss"].mean()
        if config.weight_decay:
            loss += 0.5 * config.weight_decay * _squared_norm(params, config.held)
        return loss

    def objective(
        free: Free, ts: Array, batch: Batch, done: Array
    ) -> tuple[Float[Array, ""], Float[Array, "points"]]:
        if config.points == 1:
            losses = loss_at(free, ts[0], batch)[None]
        else:
            losses = jax.vmap(loss_at, (None, 0, None))(free, ts, batch)
        value = config.objective(losses, done)
        if config.penalty is not None:
            value += config.penalty(put_free(path, free))
        return value, losses

    def step(state: State, here: tuple[Array, Array, Array]) -> tuple[State, tuple[Array, ...]]:
        rows, key, index = here
        split = partial(_on, mesh)
        batch = jax.tree.map(lambda leaf: split(leaf[rows], "data"), data)
        current = jax.lax.stop_gradient(put_free(path, state.free))
        ts = split(config.sampling(key, current, config.points), "t")
        done = index / (config.epochs * steps)
        (value, losses), gradient = jax.value_and_grad(objective, has_aux=True)(
            state.free, ts, batch, done
        )
        change, optimiser_state = optimiser.update(gradient, state.optimiser, state.free)
        free = optax.apply_updates(state.free, change)
        mean = _averaged(state.mean, free, index, config, config.epochs * steps)
        return State(free, optimiser_state, mean), (value, losses.mean(), losses.max())

    places = (
        order.reshape(steps, config.batch_size),
        jax.random.split(draw, steps),
        number * steps + jnp.arange(steps),
    )
    state, told = jax.lax.scan(step, state, places)
    finite = jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(state.free)]).all()
    value, loss, largest = (each.mean() for each in told)
    return state, Trace(value, loss, largest, finite)


def _averaged(mean: Free, free: Free, index: Array, config: FitConfig, steps: int) -> Free:
    """The mean of the iterates since the average began; before that the last iterate."""
    if not config.average:
        return free
    began = int((1 - config.average) * steps)
    share = 1 / jnp.maximum(index - began + 1, 1)
    return jax.tree.map(lambda x, y: x + share * (y - x), mean, free)


def _on(mesh: Mesh, value: Array, axis: str) -> Array:
    """A value whose leading axis is split over an axis of the mesh, if that divides it."""
    if mesh.shape[axis] == 1 or len(value) % mesh.shape[axis]:
        return value
    return jax.lax.with_sharding_constraint(value, NamedSharding(mesh, PartitionSpec(axis)))
