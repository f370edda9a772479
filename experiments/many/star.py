"""A star network: one whose lines to many other networks all stay low.

Sonthalia et al., *Do deep neural network solutions form a star domain?*, 2024, arXiv:2403.07968,
train it to have a low expected loss on the lines to other networks, aligned to it, and test it
against networks that it has not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
from jaxtyping import Array, Float, Int

from experiments.many.aligned import AlignMany, permutations_of, unstacked
from mconn import align, data, landscape, paths, symmetry, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Train
from mconn.symmetry import Group
from mconn.types import ApplyFn, Key, Params

ALIGN_EVERY = 5
"""Epochs between two alignments of the sources to the star."""


@dataclass(frozen=True)
class Star(Stage):
    """Train a star network from the mean of aligned networks, its sources.

    In each step one source, one point of the line to it and one batch are drawn. Every few epochs
    the sources are aligned anew, from where they are. The result's tree is the network; its table
    ``history`` has the mean loss of each epoch.

    Attributes:
        train: the sources.
        align: brings them together at the start.
        epochs: passes over the training split.
        learning_rate: the largest one of Adam's cosine schedule.
        on_lines: train on the lines; False is the control, which trains the network alone.
    """

    train: Train
    align: AlignMany
    epochs: int
    learning_rate: float = 1e-3
    on_lines: bool = True

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs is {self.epochs}: train the star for at least one")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Epoch after epoch: align on the host, train on the device."""
        config, networks = self.train.config, unstacked(inputs["train"].tree)
        dataset = data.load(config.data, context.data_dir)
        group = permutations_of(config.model.apply, networks[0], dataset)
        first, seeds = str(config.seeds[0]), config.seeds[1:]
        sources = [
            networks[0],
            *(
                symmetry.act(group, inputs["align"].tree[f"{first}-{seed}"], network)
                for seed, network in zip(seeds, networks[1:], strict=True)
            ),
        ]
        steps = len(dataset.train) // config.batch_size
        schedule = (self.learning_rate, self.epochs * steps)
        star = jax.tree.map(lambda *leaves: jnp.mean(jnp.stack(leaves), axis=0), *sources)
        state = optimiser(*schedule).init(star)
        inputs_and_labels = (jnp.asarray(dataset.train.inputs), jnp.asarray(dataset.train.labels))
        losses = []
        stacked = trees.stack(sources)
        name = "star" if self.on_lines else "star control"
        with context.progress.task(name, total=self.epochs, unit="epoch") as task:
            for epoch in range(self.epochs):
                if epoch % ALIGN_EVERY == 0:
                    sources = [moved_onto(group, star, source) for source in sources]
                    stacked = trees.stack(sources)
                star, state, loss = train_epoch(
                    config.model.apply,
                    schedule,
                    config.batch_size,
                    self.on_lines,
                    (star, state),
                    stacked,
                    jax.random.fold_in(jax.random.key(0), epoch),
                    *inputs_and_labels,
                )
                losses.append(float(loss))
                task.update(epoch + 1, loss=losses[-1])
        history = {"epoch": np.arange(1, self.epochs + 1), "loss": np.array(losses)}
        return Result(tree=trees.to_numpy(star), tables={"history": pa.table(history)})


def moved_onto(group: Group, star: Params, source: Params) -> Params:
    """The source, aligned to the star from where it is."""
    element = align.match(group, star, source, start="identity").element
    return symmetry.act(group, element, source)


def optimiser(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """Adam with a cosine schedule."""
    return optax.adam(optax.cosine_decay_schedule(learning_rate, steps))


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def train_epoch(
    apply: ApplyFn,
    schedule: tuple[float, int],
    batch_size: int,
    on_lines: bool,
    start: Any,
    sources: Params,
    key: Key,
    inputs: Float[Array, "n ..."],
    labels: Int[Array, "n"],
) -> tuple[Params, Any, Float[Array, ""]]:
    """One pass over the data.

    Args:
        apply: the network.
        schedule: the largest learning rate, and the steps of all epochs.
        batch_size: examples of one step.
        on_lines: mix the star with a source in every step.
        start: the star and the optimiser's state.
        sources: the aligned networks, stacked.
        key: of the epoch.
        inputs: all examples.
        labels: their classes.

    Returns:
        The star, the state, and the mean loss.
    """
    update = optimiser(*schedule).update
    eval_fn = landscape.Classification(apply)
    count = len(jax.tree.leaves(sources)[0])
    order_key, step_key = jax.random.split(key)
    number = len(inputs) // batch_size
    order = jax.random.permutation(order_key, len(inputs))[: number * batch_size]

    def loss_of(star: Params, source: Params, t: Array, batch: data.Split) -> Array:
        return eval_fn(paths.line(star, source)(t), batch)["loss"].mean()

    def step(carry: Any, drawn: Any) -> tuple[Any, Array]:
        (star, state), (key, rows) = carry, drawn
        source_key, point_key = jax.random.split(key)
        source = trees.index(sources, jax.random.randint(source_key, (), 0, count))
        t = jax.random.uniform(point_key) * on_lines
        batch = data.Split(inputs[rows], labels[rows])
        loss, gradient = jax.value_and_grad(loss_of)(star, source, t, batch)
        change, state = update(gradient, state, star)
        return (optax.apply_updates(star, change), state), loss

    keys = jax.random.split(step_key, number)
    (star, state), losses = jax.lax.scan(step, start, (keys, order.reshape(number, batch_size)))
    return star, state, losses.mean()


@dataclass(frozen=True)
class StarLines(Stage):
    """Barriers on the lines from a star network to other networks, aligned to it by weights.

    Its table ``barriers`` has a row per network and split, with the loss of both ends.

    Attributes:
        star: the star network.
        train: the networks at the other ends.
        points: equispaced points on each line.
    """

    star: Star
    train: Train
    points: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Line after line."""
        config, star = self.train.config, inputs["star"].tree
        dataset = data.load(config.data, context.data_dir)
        networks = unstacked(inputs["train"].tree)
        group = permutations_of(config.model.apply, star, dataset)
        eval_fn = landscape.Classification(config.model.apply)
        ts, rows = np.linspace(0, 1, self.points), []
        with context.progress.task("star lines", total=len(networks), unit="line") as task:
            for done, (seed, network) in enumerate(
                zip(config.seeds, networks, strict=True), start=1
            ):
                element = align.match(group, star, network).element
                line = paths.line(star, symmetry.act(group, element, network))
                for split, examples in (("train", dataset.train), ("test", dataset.test)):
                    profile = landscape.evaluate(eval_fn, line, ts, examples)
                    barrier = landscape.barrier(profile)
                    losses = profile.mean("loss")
                    rows.append(
                        {
                            "pair": f"star-{seed}",
                            "split": split,
                            "value": barrier.value,
                            "standard_error": barrier.standard_error,
                            "low": barrier.low,
                            "high": barrier.high,
                            "star_loss": float(losses[0]),
                            "end_loss": float(losses[-1]),
                            "star_accuracy": float(1 - profile.mean("error")[0]),
                        }
                    )
                task.update(done)
        return Result(tables={"barriers": pa.Table.from_pylist(rows)})
