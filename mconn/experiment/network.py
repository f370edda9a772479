"""The network that an experiment trains, as a function and shapes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.data.load import SHAPES
from mconn.errors import ConfigError
from mconn.training import TrainConfig
from mconn.types import ApplyFn, Key, Params


class Network(NamedTuple):
    """A function, and the shapes of its parameters and of two examples of its inputs.

    Two are enough to tell the batch axis from a broadcast one. ``initialise(key)`` draws
    parameters.
    """

    apply: ApplyFn
    params: Params
    inputs: jax.ShapeDtypeStruct
    initialise: Callable[[Key], Params]

    def draw(self, key: Key) -> tuple[Params, Float[Array, "examples *shape"]]:
        """Random parameters, and random inputs."""
        keys = jax.random.split(key)
        return jax.jit(self.initialise)(keys[0]), jax.random.normal(keys[1], self.inputs.shape)


def network_of(experiment: Any) -> Network:
    """The network that an experiment trains; its data are not loaded.

    Raises:
        ConfigError: if the experiment has no field ``train`` that says what it trains.
    """
    config = getattr(experiment, "train", None)
    if not isinstance(config, TrainConfig):
        raise ConfigError(
            f"a {type(experiment).__name__} trains no network whose symmetry could be found: "
            "give it a field `train` that is a TrainConfig"
        )
    inputs = jax.ShapeDtypeStruct((2, *SHAPES[config.data.name]), jnp.float32)

    def initialise(key: Key) -> Params:
        return config.model.init(key, jnp.zeros(inputs.shape))

    params = jax.eval_shape(initialise, jax.random.key(0))
    return Network(config.model.apply, params, inputs, initialise)
