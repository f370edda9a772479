"""The small networks: the multilayer perceptron and the convolutional one."""

from typing import Literal, get_args

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.models.parts import (
    ACTIVATIONS,
    INITIALISERS,
    Activation,
    Initialiser,
    Normaliser,
    check_parts,
    normalise,
    training_convolution,
)

Head = Literal["flatten", "average"]


class MLP(nn.Module):
    """``depth`` hidden layers of ``width`` units, each dense, normalised, activated.

    Attributes:
        width: units of a hidden layer.
        depth: hidden layers.
        classes: outputs.
        activation: the non-linearity's name.
        normaliser: ``none``, ``layer`` (LayerNorm) or ``batch`` (BatchNorm).
        initialiser: of the kernels: ``lecun`` (Flax's own), ``he`` or ``glorot``, all normal.

    Raises:
        ConfigError: for a size below one, or an unknown activation, normaliser or initialiser.
    """

    width: int = 512
    depth: int = 3
    classes: int = 10
    activation: Activation = "relu"
    normaliser: Normaliser = "none"
    initialiser: Initialiser = "lecun"

    def __post_init__(self) -> None:
        check_parts(self)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch *features"], train: bool = False
    ) -> Float[Array, "batch classes"]:
        """The logits; ``train`` makes BatchNorm use, and update, the batch's statistics."""
        kernel = INITIALISERS[self.initialiser]
        hidden = x.reshape(x.shape[0], -1)
        for _ in range(self.depth):
            hidden = nn.Dense(self.width, kernel_init=kernel)(hidden)
            hidden = ACTIVATIONS[self.activation](normalise(self.normaliser, hidden, train))
        return nn.Dense(self.classes, kernel_init=kernel)(hidden)


class CNN(nn.Module):
    """``depth`` blocks (convolution 3 x 3, normaliser, activation, max-pooling), a dense head.

    The first block has ``width`` channels and each later one twice as many as the one before;
    pooling is 2 x 2, and left out where the image has a side of one pixel.

    Attributes:
        width: channels of the first block.
        depth: blocks.
        classes: outputs.
        activation: the non-linearity's name.
        normaliser: ``none``, ``layer`` (LayerNorm over the channels) or ``batch`` (BatchNorm).
        initialiser: of the kernels: ``lecun`` (Flax's own), ``he`` or ``glorot``, all normal.
        head: how the dense layer sees the last image: ``flatten`` or its global ``average``.

    Raises:
        ConfigError: for a size below one, or an unknown name.
    """

    width: int = 16
    depth: int = 3
    classes: int = 10
    activation: Activation = "relu"
    normaliser: Normaliser = "none"
    initialiser: Initialiser = "lecun"
    head: Head = "flatten"

    def __post_init__(self) -> None:
        check_parts(self)
        check_choice("head", self.head, get_args(Head))
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Float[Array, "batch classes"]:
        """The logits; ``train`` makes BatchNorm use, and update, the batch's statistics."""
        kernel = INITIALISERS[self.initialiser]
        convolution = training_convolution if train else jax.lax.conv_general_dilated
        hidden = x
        for block in range(self.depth):
            hidden = nn.Conv(
                self.width * 2**block,
                (3, 3),
                kernel_init=kernel,
                conv_general_dilated=convolution,
            )(hidden)
            hidden = ACTIVATIONS[self.activation](normalise(self.normaliser, hidden, train))
            if min(hidden.shape[1:3]) > 1:
                hidden = nn.max_pool(hidden, (2, 2), (2, 2))
        average = self.head == "average"
        hidden = hidden.mean(axis=(1, 2)) if average else hidden.reshape(hidden.shape[0], -1)
        return nn.Dense(self.classes, kernel_init=kernel)(hidden)
