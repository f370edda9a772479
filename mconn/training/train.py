"""Training the seeds of a config together, from the last complete epoch on."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Bool, Float

from mconn.data import Dataset
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.progress import SILENT, Progress
from mconn.training.checkpoints import Checkpoints, open_checkpoints
from mconn.training.config import TrainConfig
from mconn.training.observer import Observed, Observer, nothing_observed, observe
from mconn.training.program import Program, State, build
from mconn.trees import to_numpy
from mconn.types import Params

History = dict[str, Float[np.ndarray, "epochs seeds"]]


@dataclass(frozen=True)
class Trained:
    """The networks of all seeds.

    Attributes:
        params: the model's variables (``params``, and ``batch_stats`` where it has some) on the
            host; every leaf has the seeds as its leading axis.
        history: ``train_loss`` and ``train_accuracy``, means over the epoch's batches while they
            were trained on, and ``validation_accuracy`` after the epoch if the data set has a
            validation split; each ``[epochs, seeds]``.
        observed: what the observer measured, each ``[epochs + 1]`` from before the first epoch on,
            NaN where it was not due; empty without an observer.
    """

    params: Params
    history: History
    observed: Observed = field(default_factory=dict)


def train(
    config: TrainConfig,
    dataset: Dataset,
    checkpoints: Path | None = None,
    progress: Progress = SILENT,
    observer: Observer | None = None,
) -> Trained:
    """Train one network per seed, all together, and save them after every epoch.

    A training that was stopped goes on after its last complete epoch and ends with the same bits
    as one that never stopped.

    Args:
        config: the model, the optimiser, the seeds and the sizes.
        dataset: what ``mconn.data.load(config.data)`` returned.
        checkpoints: the folder of this training's checkpoints; None saves nothing.
        progress: where epochs are reported.
        observer: measures the networks now and then; the training itself is the same bit for bit.

    Raises:
        ConfigError: if a batch is larger than the training split, or the observer measures other
            numbers than it announces.
        StructureError: if the model's outputs are not one per class.
        DivergenceError: if a loss is not finite; the last good checkpoint stays.
        CheckpointError: if the folder belongs to another training, or all in it are damaged.
    """
    check_sizes(config, dataset)
    program = build(config, len(dataset.train), dataset.train.inputs.shape[1:])
    if checkpoints is None:
        return run(config, dataset, program, None, progress, observer)
    names = "nothing" if observer is None else ", ".join(sorted(observer.names))
    with open_checkpoints(checkpoints, config, progress, observed=names) as saved:
        return run(config, dataset, program, saved, progress, observer)


def run(
    config: TrainConfig,
    dataset: Dataset,
    program: Program,
    saved: Checkpoints | None,
    progress: Progress,
    observer: Observer | None,
) -> Trained:
    """The epochs that are left after the last checkpoint."""
    seeds = jax.device_put(np.array(config.seeds, np.int32), program.split_over_seeds)
    data = jax.device_put((dataset.train, dataset.validation), program.on_every_device)
    observed = nothing_observed(observer, config.epochs)
    done, state, history, observed = start(config, dataset, program, saved, seeds, observed)
    initial, shown = None, {}
    if observer is not None:
        initial = state.variables if done == 0 else program.initialise(seeds).variables
        if done == 0:
            shown = observe(observer, observed, 0, initial, initial)
    with progress.task("train", total=config.epochs, unit="epoch") as task:
        if done:
            progress.note(f"train: going on after epoch {done} of {config.epochs}")
            task.update(done)
        for epoch in range(done, config.epochs):
            began = time.perf_counter()
            state, *measured = program.epoch(state, seeds, epoch, *data)
            steps, ends = to_numpy(measured)
            refuse_divergence(config, epoch, steps["loss"], ends["finite"], saved)
            history["train_loss"][epoch] = steps["loss"].mean(axis=0)
            history["train_accuracy"][epoch] = steps["accuracy"].mean(axis=0)
            if dataset.validation is not None:
                history["validation_accuracy"][epoch] = ends["validation_accuracy"]
            if observer is not None and observer.is_due(epoch + 1, config.epochs):
                shown = observe(observer, observed, epoch + 1, state.variables, initial)
            if saved is not None:
                saved.save(epoch + 1, {"state": state, "history": history, "observed": observed})
            examples = steps["loss"].size * config.batch_size
            task.update(
                epoch + 1,
                loss=float(history["train_loss"][epoch].mean()),
                accuracy=float(history["train_accuracy"][epoch].mean()),
                speed=f"{examples / (time.perf_counter() - began):,.0f} examples/s",
                **shown,
            )
    return Trained(to_numpy(state.variables), history, observed)


def start(
    config: TrainConfig,
    dataset: Dataset,
    program: Program,
    saved: Checkpoints | None,
    seeds: jax.Array,
    observed: Observed,
) -> tuple[int, State, History, Observed]:
    """How many epochs are done, the state after them, their history, and what was observed."""
    names = ["train_loss", "train_accuracy"]
    if dataset.validation is not None:
        names.append("validation_accuracy")
    shape = (config.epochs, len(config.seeds))
    history = {name: np.full(shape, np.nan, np.float32) for name in names}
    if saved is not None:
        state = jax.eval_shape(program.initialise, seeds)
        restored = saved.restore({"state": state, "history": history, "observed": observed})
        if restored is not None:
            done, tree = restored
            history = {name: tree["history"][name] for name in names}  # JAX sorts the names
            state = jax.device_put(tree["state"], program.split_over_seeds)
            return done, state, history, dict(tree["observed"])
    state = jax.device_put(program.initialise(seeds), program.split_over_seeds)
    return 0, state, history, observed


def check_sizes(config: TrainConfig, dataset: Dataset) -> None:
    """Refuse a batch larger than the training split, and a model with other classes."""
    examples = len(dataset.train)
    if config.batch_size > examples:
        raise ConfigError(
            f"batch_size is {config.batch_size} and {dataset.name} has {examples} training "
            "examples: take a smaller batch"
        )
    example = jax.ShapeDtypeStruct((1, *dataset.train.inputs.shape[1:]), np.float32)
    logits = jax.eval_shape(
        lambda x: config.model.init_with_output(jax.random.key(0), x)[0], example
    )
    if logits.shape != (1, dataset.classes):
        raise StructureError(
            f"the model maps one example to the shape {logits.shape}, and {dataset.name} has "
            f"{dataset.classes} classes: give the model that many outputs"
        )


def refuse_divergence(
    config: TrainConfig,
    epoch: int,
    losses: Float[np.ndarray, "steps seeds"],
    finite: Bool[np.ndarray, " seeds"],
    saved: Checkpoints | None,
) -> None:
    """Refuse an epoch in which a loss, or a number of the state after it, is not finite."""
    good = np.concatenate([np.isfinite(losses), finite[None]])
    if good.all():
        return
    row, seed = np.argwhere(~good)[0]
    what, step = ("loss", row) if row < len(losses) else ("state", row - 1)
    if saved is None:
        kept = "nothing was saved"
    elif epoch == 0:
        kept = "there is no checkpoint yet"
    else:
        kept = f"the checkpoint of epoch {epoch} is kept in {saved.folder}"
    raise DivergenceError(
        f"the {what} of seed {config.seeds[seed]} is not finite at step {step + 1} of epoch "
        f"{epoch + 1} (step {epoch * len(losses) + step + 1} in all): lower the learning rate, now "
        f"{config.optimiser.learning_rate}; {kept}"
    )
