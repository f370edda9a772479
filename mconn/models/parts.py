"""The parts that networks choose by name: activations and normalisers."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import flax.linen as nn
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.errors import ConfigError

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "identity"]
Normaliser = Literal["none", "layer", "batch"]
Initialiser = Literal["lecun", "he", "glorot"]

ACTIVATIONS: dict[str, Callable[..., Array]] = {
    "relu": nn.relu,
    "leaky_relu": nn.leaky_relu,
    "elu": nn.elu,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "tanh": nn.tanh,
    "sigmoid": nn.sigmoid,
    "identity": lambda x: x,
}

INITIALISERS: dict[str, Callable[..., Array]] = {
    "lecun": nn.initializers.lecun_normal(),
    "he": nn.initializers.he_normal(),
    "glorot": nn.initializers.glorot_normal(),
}


def check_parts(network: Any) -> None:
    """Refuse a network with a size below one or a name that does not exist.

    Raises:
        ConfigError: naming the argument.
    """
    for name in ("width", "depth", "classes"):
        if getattr(network, name) < 1:
            raise ConfigError(f"{name} is {getattr(network, name)}: a network needs at least 1")
    check_choice("activation", network.activation, get_args(Activation))
    check_choice("normaliser", network.normaliser, get_args(Normaliser))
    check_choice("initialiser", network.initialiser, get_args(Initialiser))


def normalise(
    normaliser: str, x: Float[Array, "*batch features"], train: bool
) -> Float[Array, "*batch features"]:
    """Normalise the last axis: over itself (``layer``) or over all the others (``batch``)."""
    if normaliser == "layer":
        return nn.LayerNorm()(x)
    if normaliser == "batch":
        # Flax's 0.99 would need hundreds of steps to forget the initial statistics.
        return nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
    return x
