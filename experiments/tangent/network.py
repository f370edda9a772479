"""Networks of any width in two parametrisations, trained to one loss by gradient descent."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.types import Params

Parametrisation = Literal["tangent", "standard"]
Activation = Literal["relu", "gelu"]
NONLINEARITY = {"relu": jax.nn.relu, "gelu": partial(jax.nn.gelu, approximate=False)}


@dataclass(frozen=True)
class Wide:
    """x -> W_L a(... a(W_0 x / sqrt(d)) sqrt(2 / m)), without biases; an ApplyFn.

    Attributes:
        width: units of a hidden layer.
        depth: hidden layers.
        parametrisation: ``tangent`` multiplies standard normal weights by these scales (Jacot et
            al. 2018); ``standard`` draws weights that contain them. Both draw the same functions.
        activation: the non-linearity.
    """

    width: int
    depth: int = 1
    parametrisation: Parametrisation = "tangent"
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        check_choice("parametrisation", self.parametrisation, get_args(Parametrisation))
        check_choice("activation", self.activation, get_args(Activation))

    def scales(self, features: int) -> list[float]:
        """What multiplies standard normal weights, by layer."""
        return [features**-0.5, *[(2 / self.width) ** 0.5] * self.depth]

    def draw(self, seeds: tuple[int, ...], features: int, classes: int) -> list[np.ndarray]:
        """Initial weights of all seeds, stacked."""
        sizes = [features, *[self.width] * self.depth, classes]
        drawn = []
        for layer, scale in enumerate(self.scales(features)):
            shape = sizes[layer : layer + 2]
            weights = np.stack(
                [
                    np.random.default_rng([seed, self.width, layer]).normal(size=shape)
                    for seed in seeds
                ]
            )
            factor = scale if self.parametrisation == "standard" else 1.0
            drawn.append((factor * weights).astype(np.float32))
        return drawn

    def __call__(self, params: Params, inputs: Any) -> Float[Array, "n classes"]:
        """The outputs."""
        hidden = inputs.reshape(len(inputs), -1)
        scales = self.scales(hidden.shape[1])
        for layer, weights in enumerate(params):
            factor = scales[layer] if self.parametrisation == "tangent" else 1.0
            hidden = hidden @ weights * factor
            if layer < self.depth:
                hidden = NONLINEARITY[self.activation](hidden)
        return hidden


class Descent(NamedTuple):
    """Trained networks, one per seed.

    Attributes:
        params: stacked weights.
        loss: what they reached.
        steps: how many steps it took.
    """

    params: Params
    loss: Float[Any, " seeds"]
    steps: Any


@partial(jax.jit, static_argnames=("network", "adam"))
def descend(
    network: Wide,
    params: Params,
    inputs: Float[Array, "n features"],
    targets: Float[Array, "n classes"],
    rate: Any,
    goal: Any,
    most: Any,
    *,
    adam: bool = False,
) -> Descent:
    """Full-batch descent of every seed on half the squared error, down to one loss.

    Args:
        network: the architecture.
        params: initial weights, stacked.
        inputs: the examples.
        targets: what the outputs should be.
        rate: the learning rate.
        goal: the loss (mean over examples of half the squared distance) at which a seed stops.
        most: steps after which it stops in any case.
        adam: Adam in place of gradient descent.
    """
    optimiser = optax.inject_hyperparams(optax.adam if adam else optax.sgd)(rate)

    def loss_of(params: Params) -> Array:
        return 0.5 * ((network(params, inputs) - targets) ** 2).sum(axis=1).mean()

    def of_seed(params: Params) -> Descent:
        def goes_on(state: Any) -> Array:
            return (state[2] > goal) & (state[3] < most)

        def step(state: Any) -> Any:
            params, memory, _, number = state
            gradient = jax.grad(loss_of)(params)
            change, memory = optimiser.update(gradient, memory, params)
            params = optax.apply_updates(params, change)
            return params, memory, loss_of(params), number + 1

        start = (params, optimiser.init(params), loss_of(params), 0)
        params, _, loss, steps = jax.lax.while_loop(goes_on, step, start)
        return Descent(params, loss, steps)

    return jax.lax.map(of_seed, params)
