"""The multilayer perceptron."""

import flax.linen as nn
import numpy as np
from jaxtyping import Array, Float

from mconn.models.parts import (
    ACTIVATIONS,
    INITIALISERS,
    Activation,
    Initialiser,
    Normaliser,
    check_parts,
    normalise,
)


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
