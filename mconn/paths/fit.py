"""Fitting a path: only its free control points move."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float

from mconn import trees
from mconn.checks import check_kind
from mconn.errors import DataError, DivergenceError, StructureError
from mconn.meshes import complete, on_host
from mconn.paths.fit_config import FitConfig
from mconn.paths.fit_program import State, Trace, free_indices, initialise, put_free, run_epoch
from mconn.paths.path import ControlledPath
from mconn.progress import SILENT, Progress
from mconn.saving import Keeper, last_step, open_keeper, restored, save_step
from mconn.types import Batch, EvalFn, Key


class Fitted(NamedTuple):
    """A fitted path.

    Attributes:
        path: with its ends bit for bit as they were.
        history: ``objective``, ``loss`` (mean over the points drawn) and ``largest_loss`` (mean
            over steps of the largest of a step), each (epochs,), with the weight decay's part.
        samples: forward and backward passes of one example, in all.
    """

    path: ControlledPath
    history: dict[str, Float[np.ndarray, "epochs"]]
    samples: int


def fit(
    eval_fn: EvalFn,
    path: ControlledPath,
    data: Batch,
    config: FitConfig = FitConfig(),
    key: Key | None = None,
    *,
    keeper: Keeper | Path | str | None = None,
    progress: Progress = SILENT,
    mesh: Mesh | None = None,
) -> Fitted:
    """Train the free control points of a path on the loss along it.

    A fit that was stopped goes on after its last complete epoch and ends with the same bits.

    Args:
        eval_fn: (params, batch) -> {metric: (n,)}; its metric ``loss`` is minimised. Hashable. For
            a network with BatchNorm use `mconn.landscape.TrainingMode`.
        path: where to begin, for example `mconn.paths.bezier`.
        data: pytree of arrays with one leading axis of examples.
        config: how.
        key: decides batches and points; that of seed 0 if None.
        keeper: a folder, or another `mconn.saving.Keeper`, of this fit's states; None saves
            nothing.
        progress: where epochs are reported.
        mesh: devices with axes among ``t`` and ``data``, over which the points and the examples of
            a step are split; one device if None.

    Raises:
        StructureError: if the path has no free control point, or an argument has another kind.
        DataError: if there are fewer examples than one batch, or their number is not one.
        DivergenceError: if a loss is not finite; the last good state stays.
        CheckpointError: if the keeper belongs to another fit, or all in it are damaged.
    """
    keys = (jax.random.key(0) if key is None else key)[None]
    together = {"keeper": keeper, "progress": progress, "mesh": mesh}
    return fit_many(eval_fn, [path], data, config, keys, **together)[0]


def fit_many(
    eval_fn: EvalFn,
    paths: Sequence[ControlledPath],
    data: Batch,
    config: FitConfig = FitConfig(),
    keys: Key | None = None,
    *,
    keeper: Keeper | Path | str | None = None,
    progress: Progress = SILENT,
    mesh: Mesh | None = None,
) -> list[Fitted]:
    """Fit several paths of one family together, each on its own batches; see `fit`.

    Args:
        eval_fn: as in `fit`.
        paths: with the same basis and structure.
        data: the examples, of all of them.
        config: how.
        keys: one for each path; a path and its key alone decide its result.
        keeper: as in `fit`.
        progress: as in `fit`.
        mesh: its axis ``pair`` splits the paths over devices.

    Raises:
        StructureError: if the paths differ in family or structure; and as `fit`.
    """
    _check(paths, data, config)
    steps = trees.count_examples(data) // config.batch_size
    mesh = complete(mesh)
    together = len(paths) > 1
    by_pair = NamedSharding(mesh, PartitionSpec("pair") if together else PartitionSpec())
    whole = NamedSharding(mesh, PartitionSpec())
    stacked = trees.to_numpy(trees.stack(paths) if together else paths[0])
    if keys is None:
        keys = jax.random.split(jax.random.key(0), len(paths))
    seeds = np.asarray(jax.random.key_data(keys if together else keys[0]))
    kept = open_keeper(keeper, "fit", **vars(config), path=stacked, key=seeds)
    # From the host, so that every process puts its own part of the same numbers.
    state = trees.to_numpy(_begin(stacked, config, steps, together))
    names = ("objective", "loss", "largest_loss")
    history = {name: np.full((config.epochs, len(paths)), np.nan, np.float32) for name in names}
    done, found = 0, last_step(kept, progress)
    if found is not None:
        done, arrays = found
        state, history = restored(arrays, (state, history))
    state, stacked, seeds = jax.device_put((state, stacked, seeds), by_pair)
    keys, data = jax.random.wrap_key_data(seeds), jax.device_put(data, whole)
    with progress.task("fit", total=config.epochs, unit="epoch") as task:
        if done:
            progress.note(f"fit: going on after epoch {done} of {config.epochs}")
            task.update(done)
        for epoch in range(done, config.epochs):
            began = time.perf_counter()
            state, trace = run_epoch(
                state,
                stacked,
                keys,
                np.int32(epoch),
                data,
                eval_fn=eval_fn,
                config=config,
                mesh=mesh,
                together=together,
            )
            trace = on_host(trace)
            _refuse_divergence(trace, epoch, config, kept)
            for name in names:
                history[name][epoch] = getattr(trace, name)
            if kept is not None:
                save_step(kept, epoch + 1, (on_host(state), history))
            seen = steps * config.batch_size * config.points * len(paths)
            task.update(
                epoch + 1,
                loss=float(history["loss"][epoch].mean()),
                speed=f"{seen / (time.perf_counter() - began):,.0f} examples/s",
            )
    samples = config.epochs * steps * config.batch_size * config.points
    finished = on_host(_finish(stacked, state, together))
    return [
        Fitted(
            trees.index(finished, i) if together else finished,
            {name: values[:, i] for name, values in history.items()},
            samples,
        )
        for i in range(len(paths))
    ]


def _check(paths: Sequence[ControlledPath], data: Batch, config: FitConfig) -> None:
    check_kind("config", config, FitConfig, "make one with paths.FitConfig")
    if not paths:
        raise StructureError("there is no path to fit: pass at least one")
    for path in paths:
        check_kind("path", path, ControlledPath, "make one with paths.bezier or paths.chain")
    first = paths[0]
    if not len(free_indices(first)):
        raise StructureError(
            "the path has no free control point to fit: take a curve with bends, such as "
            "paths.bezier"
        )
    for other in paths[1:]:
        same = (other.basis, other.domain, other.fixed) == (first.basis, first.domain, first.fixed)
        if not same:
            raise StructureError(
                f"the paths are of different families ({first.basis} and {other.basis}): fit them "
                "one after the other"
            )
    examples = trees.count_examples(data)
    if examples < config.batch_size:
        raise DataError(
            f"there are {examples} examples and batch_size is {config.batch_size}: take a smaller "
            "batch"
        )


@partial(jax.jit, static_argnums=(1, 2, 3))
def _begin(path: ControlledPath, config: FitConfig, steps: int, together: bool) -> State:
    start = partial(initialise, config=config, steps=steps)
    return (jax.vmap(start) if together else start)(path)


@partial(jax.jit, static_argnums=2)
def _finish(path: ControlledPath, state: State, together: bool) -> ControlledPath:
    return (jax.vmap(put_free) if together else put_free)(path, state.mean)


def _refuse_divergence(trace: Trace, epoch: int, config: FitConfig, kept: Keeper | None) -> None:
    good = np.isfinite(trace.objective) & trace.finite
    if np.all(good):
        return
    which = "" if good.ndim == 0 else f" of path {int(np.argmin(good))}"
    saved = f"the state after epoch {epoch} is kept in {kept}" if kept and epoch else "none is kept"
    raise DivergenceError(
        f"the loss{which} is not finite in epoch {epoch + 1} of the fit: lower the learning rate, "
        f"now {config.optimiser.learning_rate}; {saved}"
    )
