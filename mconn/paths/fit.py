"""Fitting a path: only its free control points move."""

import contextlib
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float

from mconn import trees
from mconn.errors import DataError, DivergenceError, StructureError
from mconn.meshes import complete, on_host
from mconn.paths.fit_config import FitConfig
from mconn.paths.fit_program import State, Trace, free_indices, initialise, put_free, run_epoch
from mconn.paths.path import ControlledPath
from mconn.progress import SILENT, Progress
from mconn.training.checkpoints import Checkpoints, open_checkpoints
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
    config: FitConfig,
    key: Key,
    *,
    checkpoints: Path | None = None,
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
        key: decides batches and points.
        checkpoints: the folder of this fit's checkpoints; None saves nothing.
        progress: where epochs are reported.
        mesh: devices with axes among ``t`` and ``data``, over which the points and the examples of
            a step are split; one device if None.

    Raises:
        StructureError: if the path has no free control point.
        DataError: if there are fewer examples than one batch, or their number is not one.
        DivergenceError: if a loss is not finite; the last good checkpoint stays.
        CheckpointError: if the folder belongs to another fit, or all in it are damaged.
    """
    (fitted,) = fit_many(
        eval_fn,
        [path],
        data,
        config,
        key[None],
        checkpoints=checkpoints,
        progress=progress,
        mesh=mesh,
    )
    return fitted


def fit_many(
    eval_fn: EvalFn,
    paths: Sequence[ControlledPath],
    data: Batch,
    config: FitConfig,
    keys: Key,
    *,
    checkpoints: Path | None = None,
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
        checkpoints: as in `fit`.
        progress: as in `fit`.
        mesh: its axis ``pair`` splits the paths over devices.

    Raises:
        StructureError: if the paths differ in family or structure; and as `fit`.
    """
    check(paths, data, config)
    steps = trees.count_examples(data) // config.batch_size
    mesh = complete(mesh)
    together = len(paths) > 1
    by_pair = NamedSharding(mesh, PartitionSpec("pair") if together else PartitionSpec())
    whole = NamedSharding(mesh, PartitionSpec())
    stacked = trees.to_numpy(trees.stack(paths) if together else paths[0])
    seeds = np.asarray(jax.random.key_data(keys if together else keys[0]))
    run = Run(config, digest((stacked, seeds)))
    # From the host, so that every process puts its own part of the same numbers.
    state = trees.to_numpy(begin(stacked, config, steps, together))
    state, stacked, seeds = jax.device_put((state, stacked, seeds), by_pair)
    keys, data = jax.random.wrap_key_data(seeds), jax.device_put(data, whole)
    names = ("objective", "loss", "largest_loss")
    history = {name: np.full((config.epochs, len(paths)), np.nan, np.float32) for name in names}
    with open_if(checkpoints, run, progress) as saved:
        done, state, history = resumed(saved, state, history, by_pair)
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
                refuse_divergence(trace, epoch, config, saved)
                for name in names:
                    history[name][epoch] = getattr(trace, name)
                if saved is not None:
                    saved.save(epoch + 1, {"state": on_host(state), "history": history})
                seen = steps * config.batch_size * config.points * len(paths)
                task.update(
                    epoch + 1,
                    loss=float(history["loss"][epoch].mean()),
                    speed=f"{seen / (time.perf_counter() - began):,.0f} examples/s",
                )
    samples = config.epochs * steps * config.batch_size * config.points
    finished = on_host(finish(stacked, state, together))
    return [
        Fitted(
            trees.index(finished, i) if together else finished,
            {name: values[:, i] for name, values in history.items()},
            samples,
        )
        for i in range(len(paths))
    ]


@dataclass(frozen=True)
class Run:
    """What a folder of checkpoints belongs to."""

    config: FitConfig
    start: str


def check(paths: Sequence[ControlledPath], data: Batch, config: FitConfig) -> None:
    """Refuse what cannot be fitted."""
    if not paths:
        raise StructureError("there is no path to fit: pass at least one")
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


def digest(tree: object) -> str:
    """The sha256 of all numbers of a tree."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()


@contextlib.contextmanager
def open_if(folder: Path | None, run: Run, progress: Progress) -> Iterator[Checkpoints | None]:
    """The checkpoints in a folder, or None."""
    if folder is None:
        yield None
        return
    with open_checkpoints(folder, run, progress) as saved:
        yield saved


def resumed(
    saved: Checkpoints | None, state: State, history: dict, where: NamedSharding
) -> tuple[int, State, dict]:
    """How many epochs are done, and the state and the history after them."""
    found = None if saved is None else saved.restore({"state": state, "history": history})
    if found is None:
        return 0, state, history
    done, tree = found
    return done, jax.device_put(tree["state"], where), dict(tree["history"])


@partial(jax.jit, static_argnums=(1, 2, 3))
def begin(path: ControlledPath, config: FitConfig, steps: int, together: bool) -> State:
    """The state before the first step, of one path or of several, stacked."""
    start = partial(initialise, config=config, steps=steps)
    return (jax.vmap(start) if together else start)(path)


@partial(jax.jit, static_argnums=2)
def finish(path: ControlledPath, state: State, together: bool) -> ControlledPath:
    """The paths with their averaged control points, still stacked."""
    return (jax.vmap(put_free) if together else put_free)(path, state.mean)


def refuse_divergence(
    trace: Trace, epoch: int, config: FitConfig, saved: Checkpoints | None
) -> None:
    """Refuse an epoch in which a loss, or a control point after it, is not finite."""
    good = np.isfinite(trace.objective) & trace.finite
    if np.all(good):
        return
    which = "" if good.ndim == 0 else f" of path {int(np.argmin(good))}"
    kept = (
        f"the checkpoint of epoch {epoch} is kept in {saved.folder}"
        if saved is not None and epoch
        else "nothing was saved"
    )
    raise DivergenceError(
        f"the loss{which} is not finite in epoch {epoch + 1} of the fit: lower the learning rate, "
        f"now {config.optimiser.learning_rate}; {kept}"
    )
