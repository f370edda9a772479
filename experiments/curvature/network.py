"""Networks with one hidden layer in three parametrisations, which share their programs.

They differ in constants that multiply the weights, and these are leaves of the parameters: a width
is compiled once, whatever the parametrisation.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.tangent.width import HalfSquaredError
from mconn.checks import check_choice
from mconn.data import Split
from mconn.landscape import Classification
from mconn.types import EvalFn, Params

Parametrisation = Literal["standard", "NTK", "mean field"]
PARAMETRISATIONS: tuple[Parametrisation, ...] = get_args(Parametrisation)
Loss = Literal["cross-entropy", "squared error"]

MOVING = ("weights/0", "weights/1")
"""The leaves that are trained; the scales are held."""

RATES: dict[Parametrisation, float] = {"standard": 1e-3, "NTK": 1e-2, "mean field": 3e-2}
"""Of Adam, whose steps do not depend on the scale of the loss: smaller for smaller weights."""


def shallow(params: Params, inputs: Any) -> Float[Array, "n classes"]:
    """X -> s_1 W_1 relu(s_0 W_0 x), without biases; an ApplyFn."""
    (first, second), scales = params["weights"], params["scales"]
    return jax.nn.relu(inputs @ first * scales[0]) @ second * scales[1]


def draw(
    parametrisation: Parametrisation, width: int, features: int, classes: int, seed: int
) -> Params:
    """Initial weights and scales: of variance 2 / features (He), and 1 / width in the output.

    ``NTK`` multiplies standard normal weights by these scales (Jacot et al. 2018), ``standard``
    draws weights that contain them, so that both draw the same functions. ``mean field`` divides
    the sum over units by their number instead (Mei et al. 2018).
    """
    check_choice("parametrisation", parametrisation, PARAMETRISATIONS)
    scales = [(2 / features) ** 0.5, width**-0.5 if parametrisation != "mean field" else 1 / width]
    shapes = ((features, width), (width, classes))
    weights = [
        np.random.default_rng([seed, width, layer]).normal(size=shape)
        for layer, shape in enumerate(shapes)
    ]
    if parametrisation == "standard":
        weights = [scale * drawn for scale, drawn in zip(scales, weights, strict=True)]
        scales = [1.0, 1.0]
    return {
        "weights": [drawn.astype(np.float32) for drawn in weights],
        "scales": [np.float32(scale) for scale in scales],
    }


EVAL_FNS: dict[Loss, EvalFn] = {
    "cross-entropy": Classification(shallow),
    "squared error": HalfSquaredError(shallow),
}


@dataclass(frozen=True)
class Job:
    """What is learned: examples, and the loss of each.

    Attributes:
        eval_fn: the loss, cross-entropy in nats or half the squared distance to one-hot targets
            whose mean over classes is zero.
        batch: all training examples, with inputs as vectors, and the labels that the loss needs.
        classes: outputs.
    """

    eval_fn: EvalFn
    batch: Split
    classes: int

    @property
    def features(self) -> int:
        """Inputs of the network."""
        return self.batch.inputs.shape[1]

    @classmethod
    def of(cls, loss: Loss, split: Split, classes: int) -> "Job":
        """The job on a split of images."""
        check_choice("loss", loss, get_args(Loss))
        labels = split.labels
        if loss == "squared error":
            labels = np.eye(classes, dtype=np.float32)[labels] - np.float32(1 / classes)
        return cls(EVAL_FNS[loss], Split(split.inputs.reshape(len(split), -1), labels), classes)


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        params: the network.
        loss: what it reached.
        steps: how many steps it took.
    """

    params: Params
    loss: Float[Any, ""]
    steps: Any


@partial(jax.jit, static_argnums=0)
def descend(
    eval_fn: EvalFn, params: Params, batch: Split, rate: Any, goal: Any, most: Any
) -> Trained:
    """Full-batch Adam down to one loss.

    Args:
        eval_fn: (params, batch) -> {"loss": (n,), ...}; hashable.
        params: the initial network.
        batch: the examples.
        rate: the learning rate.
        goal: the mean loss at which training stops.
        most: steps after which it stops in any case.
    """
    optimiser = optax.inject_hyperparams(optax.adam)(rate)

    def loss_of(weights: Any) -> Array:
        return eval_fn({**params, "weights": weights}, batch)["loss"].mean()

    def step(state: Any) -> Any:
        weights, memory, _, number = state
        loss, gradient = jax.value_and_grad(loss_of)(weights)
        change, memory = optimiser.update(gradient, memory, weights)
        # The loss is that before the step: a step that is not needed is not taken.
        after = optax.apply_updates(weights, change)
        kept = jax.tree.map(lambda new, old: jnp.where(loss > goal, new, old), after, weights)
        return kept, memory, loss, number + 1

    weights = params["weights"]
    start = (weights, optimiser.init(weights), jnp.asarray(jnp.inf, jnp.float32), 0)
    weights, _, loss, steps = jax.lax.while_loop(
        lambda state: (state[2] > goal) & (state[3] < most), step, start
    )
    return Trained({**params, "weights": weights}, loss, steps)


@partial(jax.jit, static_argnums=0)
def mean_loss(eval_fn: EvalFn, params: Params, batch: Split) -> Float[Array, ""]:
    """Over all examples."""
    return eval_fn(params, batch)["loss"].mean()
