"""Training the seeds of a config together, from the last complete epoch on."""

import abc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Bool, Float

from mconn.checks import check_kind
from mconn.data import Dataset
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.progress import SILENT, Field, Progress
from mconn.saving import Keeper, last_step, open_keeper, restored, save_step
from mconn.training.config import TrainConfig
from mconn.training.program import build
from mconn.trees import to_numpy
from mconn.types import Params

History = dict[str, Float[np.ndarray, "epochs seeds"]]

Observed = dict[str, Float[np.ndarray, " measurements"]]
"""Every number at epoch 0 (before training), 1, ...; NaN where it was not measured."""


class Observer(abc.ABC):
    """Measures all networks of a training now and then; it changes nothing of the training.

    Attributes:
        every: epochs from one measurement to the next. The networks before the first epoch and
            after the last one are always measured.
    """

    every: int = 1

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """What `measure` returns, which must not change during a training."""

    @abc.abstractmethod
    def measure(self, networks: Params, initial: Params) -> Mapping[str, float]:
        """The numbers of one moment.

        Args:
            networks: the variables of all seeds, stacked.
            initial: those that they had before the first epoch.
        """

    def show(self, observed: Observed) -> Mapping[str, Field]:
        """Called after every measurement with all of them so far, also those before a stop.

        Returns:
            What to show beside the training's progress until the next measurement.
        """
        return {}

    def is_due(self, epoch: int, epochs: int) -> bool:
        """Whether the networks are measured after so many epochs."""
        return epoch in (0, epochs) or epoch % self.every == 0


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
    keeper: Keeper | Path | str | None = None,
    progress: Progress = SILENT,
    observer: Observer | None = None,
) -> Trained:
    """Train one network per seed, all together, and save them after every epoch.

    A training that was stopped goes on after its last complete epoch and ends with the same bits
    as one that never stopped.

    Args:
        config: the model, the optimiser, the seeds and the sizes.
        dataset: what ``mconn.data.load(config.data)`` returned.
        keeper: a folder, or another `mconn.saving.Keeper`, of this training's states; None saves
            nothing.
        progress: where epochs are reported.
        observer: measures the networks now and then; the training itself is the same bit for bit.

    Raises:
        ConfigError: if a batch is larger than the training split, or the observer measures other
            numbers than it announces.
        StructureError: if the model's outputs are not one per class, or an argument has another
            kind.
        DivergenceError: if a loss is not finite; the last good state stays.
        CheckpointError: if the keeper belongs to another training, or all in it are damaged.
    """
    check_kind("config", config, TrainConfig, "make one with mconn.training.TrainConfig")
    check_kind("dataset", dataset, Dataset, "load one with mconn.data.load")
    _check_sizes(config, dataset)
    program = build(config, len(dataset.train), dataset.train.inputs.shape[1:])
    names = "nothing" if observer is None else ", ".join(sorted(observer.names))
    kept = open_keeper(keeper, "training", **vars(config), observed=names)
    seeds = jax.device_put(np.array(config.seeds, np.int32), program.split_over_seeds)
    data = jax.device_put((dataset.train, dataset.validation), program.on_every_device)
    names = ["train_loss", "train_accuracy"]
    if dataset.validation is not None:
        names.append("validation_accuracy")
    shape = (config.epochs, len(config.seeds))
    history = {name: np.full(shape, np.nan, np.float32) for name in names}
    observed = _nothing_observed(observer, config.epochs)
    done, initial, shown = 0, None, {}
    found = last_step(kept, progress)
    if found is None:
        state = program.initialise(seeds)
        if observer is not None:
            initial = state.variables
            shown = _observe(observer, observed, 0, initial, initial)
    else:
        done, arrays = found
        state = jax.eval_shape(program.initialise, seeds)
        state, history, observed = restored(arrays, (state, history, observed))
        history = {name: history[name] for name in names}  # JAX sorts the names
        if observer is not None:
            initial = program.initialise(seeds).variables
    state = jax.device_put(state, program.split_over_seeds)
    with progress.task("train", total=config.epochs, unit="epoch") as task:
        if done:
            progress.note(f"train: going on after epoch {done} of {config.epochs}")
            task.update(done)
        for epoch in range(done, config.epochs):
            began = time.perf_counter()
            state, *measured = program.epoch(state, seeds, epoch, *data)
            steps, ends = to_numpy(measured)
            _refuse_divergence(config, epoch, steps["loss"], ends["finite"], kept)
            history["train_loss"][epoch] = steps["loss"].mean(axis=0)
            history["train_accuracy"][epoch] = steps["accuracy"].mean(axis=0)
            if dataset.validation is not None:
                history["validation_accuracy"][epoch] = ends["validation_accuracy"]
            if observer is not None and observer.is_due(epoch + 1, config.epochs):
                shown = _observe(observer, observed, epoch + 1, state.variables, initial)
            save_step(kept, epoch + 1, (state, history, observed))
            examples = steps["loss"].size * config.batch_size
            task.update(
                epoch + 1,
                loss=float(history["train_loss"][epoch].mean()),
                accuracy=float(history["train_accuracy"][epoch].mean()),
                speed=f"{examples / (time.perf_counter() - began):,.0f} examples/s",
                **shown,
            )
    return Trained(to_numpy(state.variables), history, observed)


def _check_sizes(config: TrainConfig, dataset: Dataset) -> None:
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


def _nothing_observed(observer: Observer | None, epochs: int) -> Observed:
    if observer is None:
        return {}
    if observer.every < 1:
        raise ConfigError(f"every is {observer.every}: measure every epoch (1) or more seldom")
    return {name: np.full(epochs + 1, np.nan) for name in sorted(observer.names)}


def _observe(
    observer: Observer, observed: Observed, epoch: int, now: Params, start: Params
) -> Mapping[str, Field]:
    """Measure, note the numbers in ``observed``, and return what to show."""
    measured = observer.measure(now, start)
    if set(measured) != set(observed):
        wrong = sorted(set(measured) ^ set(observed))
        raise ConfigError(
            f"the observer announces {len(observed)} numbers and measures {len(measured)}; "
            f"they differ in {', '.join(wrong)}: return exactly its `names`"
        )
    for name, value in measured.items():
        observed[name][epoch] = value
    return observer.show(observed)


def _refuse_divergence(
    config: TrainConfig,
    epoch: int,
    losses: Float[np.ndarray, "steps seeds"],
    finite: Bool[np.ndarray, " seeds"],
    kept: Keeper | None,
) -> None:
    """Refuse an epoch in which a loss, or a number of the state after it, is not finite."""
    good = np.concatenate([np.isfinite(losses), finite[None]])
    if good.all():
        return
    row, seed = np.argwhere(~good)[0]
    what, step = ("loss", row) if row < len(losses) else ("state", row - 1)
    saved = "nothing was saved"
    if kept is not None:
        saved = f"the state after epoch {epoch} is kept in {kept}" if epoch else "none is kept yet"
    raise DivergenceError(
        f"the {what} of seed {config.seeds[seed]} is not finite at step {step + 1} of epoch "
        f"{epoch + 1} (step {epoch * len(losses) + step + 1} in all): lower the learning rate, now "
        f"{config.optimiser.learning_rate}; {saved}"
    )
