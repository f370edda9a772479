"""Fine-tuning a network off its cue: on clean images alone, or by connectivity-based fine-tuning.

Lubana et al., *Mechanistic mode connectivity*, ICML 2023, section 5. Connectivity-based fine-tuning
(CBFT) does not walk along a path of low loss: it pushes a barrier up, on images with the cue, on
the straight line back to the network that it starts from, and draws the representations of images
with and without the cue together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.mechanisms.digits import CueTrain, load_digits, with_cue
from mconn import landscape, trees
from mconn.checks import check_choice
from mconn.data import Split
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.paths import line
from mconn.types import Key, Params

Method = Literal["clean", "barrier"]

HEIGHT = 1.0
"""The loss on images with the cue, in nats, that the barrier is pushed to."""

SPREAD = 0.5
"""Standard deviations of t are cut here: t = 0.5 + 0.5 clip(normal, -SPREAD, SPREAD)."""


@dataclass(frozen=True)
class Finetune(Stage):
    """Go on from every network that was trained with the cue.

    The first `clean` training images have no cue, all others have it. Each step takes a batch of
    each; SGD with momentum 0.9. The result's tree holds the networks, stacked over seeds.

    Attributes:
        train: the networks to start from.
        method: ``clean`` trains on the images without a cue; ``barrier`` is CBFT.
        learning_rate: of both methods, constant.
        epochs: passes over the clean images.
        clean: how many images have no cue.
        batch_size: of both batches of a step.
        weight_decay: added to the gradient.
    """

    train: CueTrain
    method: Method
    learning_rate: float
    epochs: int = 20
    clean: int = 350
    batch_size: int = 50
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        check_choice("method", self.method, get_args(Method))
        if not 0 < self.batch_size <= self.clean:
            raise ConfigError(
                f"batch_size is {self.batch_size} and clean is {self.clean}: a batch needs as many "
                "images without a cue"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Seed after seed, with one compiled program."""
        config, networks = self.train.config, inputs["train"].tree
        images = load_digits(config, context).train
        rest = len(images) - self.clean
        if rest < self.batch_size:
            raise ConfigError(f"clean is {self.clean}, of {len(images)} images: leave some a cue")
        clean = with_cue(images.head(self.clean), "none")
        cued = with_cue(Split(images.inputs[self.clean :], images.labels[self.clean :]), "true")
        found = []
        with context.progress.task(f"fine-tune {self.method}", total=len(config.seeds)) as task:
            for done in range(len(config.seeds)):
                start, key = trees.index(networks, done), jax.random.key(done)
                found.append(trees.to_numpy(finetuned(self, start, clean, cued, key)))
                task.update(done + 1)
        return Result(tree=jax.tree.map(lambda *leaves: np.stack(leaves), *found))


@partial(jax.jit, static_argnums=0)
def finetuned(how: Finetune, start: Params, clean: Split, cued: Split, key: Key) -> Params:
    """The network after all epochs."""
    model = how.train.config.model
    optimiser = optax.chain(
        optax.add_decayed_weights(how.weight_decay), optax.sgd(how.learning_rate, momentum=0.9)
    )
    steps = clean.labels.shape[0] // how.batch_size

    def epoch(carry: Any, drawn: tuple[Key, Array]) -> tuple[Any, None]:
        key, number = drawn
        clean_key, cued_key, t_key = jax.random.split(key, 3)
        batches = (
            shuffled(clean_key, clean, steps, how.batch_size),
            shuffled(cued_key, cued, steps, how.batch_size),
        )
        # The invariance joins in the second epoch.
        weight = jnp.where(number > 0, 1.0, 0.0)
        keys = jax.random.split(t_key, steps)
        return jax.lax.scan(partial(step, weight), carry, (*batches, keys))[0], None

    def step(weight: Array, carry: Any, drawn: Any) -> tuple[Any, None]:
        params, state = carry
        clean_batch, cued_batch, key = drawn
        if how.method == "barrier":
            gradient = jax.grad(barrier_loss)(params, model, start, cued_batch, key)
            params, state = moved(params, state, gradient)
        gradient = jax.grad(clean_loss)(params, model, how.method, clean_batch, cued_batch, weight)
        return moved(params, state, gradient), None

    def moved(params: Params, state: Any, gradient: Params) -> tuple[Params, Any]:
        change, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, change), state

    drawn = (jax.random.split(key, how.epochs), jnp.arange(how.epochs))
    (params, _), _ = jax.lax.scan(epoch, (start, optimiser.init(start)), drawn)
    return params


def shuffled(key: Key, split: Split, steps: int, size: int) -> Split:
    """Batches of different examples, stacked; begins anew where there are too few."""
    count = split.labels.shape[0]
    rows = jax.random.permutation(key, count)[jnp.arange(steps * size) % count]
    return jax.tree.map(lambda leaf: leaf[rows.reshape(steps, size)], split)


def cross_entropy(model: nn.Module, params: Params, batch: Split) -> Float[Array, ""]:
    """The mean loss of a batch."""
    return landscape.Classification(model.apply)(params, batch)["loss"].mean()


def barrier_loss(
    params: Params, model: nn.Module, start: Params, batch: Split, key: Key
) -> Float[Array, ""]:
    """|HEIGHT - loss with the cue| at one point of the line to the start.

    The chain rule through the line scales the gradient by 1 - t.
    """
    t = 0.5 + 0.5 * jnp.clip(jax.random.normal(key), -SPREAD, SPREAD)
    return abs(HEIGHT - cross_entropy(model, line(params, start)(t), batch))


def clean_loss(
    params: Params,
    model: nn.Module,
    method: Method,
    clean: Split,
    cued: Split,
    weight: Float[Array, ""],
) -> Float[Array, ""]:
    """The loss without a cue, and for CBFT the distance of the classes' mean representations."""
    loss = cross_entropy(model, params, clean)
    if method == "clean":
        return loss
    without_cue, with_it = (
        class_means(penultimate(model, params, batch.inputs), batch.labels)
        for batch in (clean, cued)
    )
    return loss + weight * jnp.mean(jnp.sum((without_cue - with_it) ** 2, axis=1))


def penultimate(
    model: nn.Module, params: Params, inputs: Float[Array, "batch features"]
) -> Float[Array, "batch units"]:
    """What the last dense layer reads."""
    # Flax's type does not say that a pair comes back.
    found: Any = model.apply(params, inputs, capture_intermediates=True, mutable=["intermediates"])
    outputs = found[1]["intermediates"][f"Dense_{model.depth - 1}"]["__call__"][0]
    return jax.nn.relu(outputs)


def class_means(
    features: Float[Array, "batch units"], labels: Int[Array, " batch"]
) -> Float[Array, "10 units"]:
    """The mean of every class as a unit vector; zero for a class that is not in the batch."""
    means = jax.nn.one_hot(labels, 10).T @ features
    squares = jnp.sum(means**2, axis=1, keepdims=True)
    # The root's gradient at zero is infinite, so that it is taken of one there.
    return means / jnp.sqrt(jnp.where(squares > 0, squares, 1.0))
