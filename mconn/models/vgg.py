"""The deep plain convolutional network of Simonyan and Zisserman."""

from typing import get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.models.parts import (
    INITIALISERS,
    Initialiser,
    Normaliser,
    normalise,
    training_convolution,
)


class VGG16(nn.Module):
    """Thirteen convolutions and three dense layers (Simonyan and Zisserman 2014, table 1, D).

    With LayerNorm and dense layers as wide as the last convolution, as Ainsworth et al. (2022) have
    it for images of 32 x 32; the last pooling is over the whole image. Without normaliser it is
    that of Garipov et al. (2018) but for their dropout before the dense layers.

    Attributes:
        width: channels of the first convolutions.
        classes: outputs.
        normaliser: ``layer`` (LayerNorm over the channels), ``batch`` (BatchNorm) or ``none``.
        initialiser: of the kernels: ``lecun`` (Flax's own), ``he`` or ``glorot``, all normal.

    Raises:
        ConfigError: for an unknown name.
    """

    width: int = 64
    classes: int = 10
    normaliser: Normaliser = "layer"
    initialiser: Initialiser = "lecun"

    def __post_init__(self) -> None:
        check_choice("normaliser", self.normaliser, get_args(Normaliser))
        check_choice("initialiser", self.initialiser, get_args(Initialiser))
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Float[Array, "batch classes"]:
        """The logits; ``train`` makes BatchNorm use, and update, the batch's statistics."""
        kernel = INITIALISERS[self.initialiser]
        convolution = training_convolution if train else jax.lax.conv_general_dilated
        hidden = jnp.asarray(x)
        for stage, (convolutions, factor) in enumerate(((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))):
            for _ in range(convolutions):
                hidden = nn.Conv(
                    factor * self.width,
                    (3, 3),
                    kernel_init=kernel,
                    conv_general_dilated=convolution,
                )(hidden)
                hidden = nn.relu(normalise(self.normaliser, hidden, train))
            hidden = nn.max_pool(hidden, (2, 2), (2, 2)) if stage < 4 else hidden.max((1, 2))
        for _ in range(2):
            hidden = nn.relu(nn.Dense(8 * self.width, kernel_init=kernel)(hidden))
        return nn.Dense(self.classes, kernel_init=kernel)(hidden)
