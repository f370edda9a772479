"""Residual networks whose normalisers and activations come before the convolutions."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.models.parts import normalise
from mconn.models.resnet import NORMALISERS, convolve


class PreActivationBlock(nn.Module):
    """Normaliser, activation and convolution, twice or three times, beside the untouched input.

    The input goes through a convolution of one pixel where its shape changes (He et al. 2016,
    figure 1b; three convolutions, the first two narrow, as in the networks of 164 layers).
    """

    width: int
    stride: int
    normaliser: str
    bottleneck: bool

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Array:
        """The block's output."""
        wide = 4 * self.width if self.bottleneck else self.width
        plan = [(self.width, 3, self.stride), (wide, 3, 1)]
        if self.bottleneck:
            plan = [(self.width, 1, 1), (self.width, 3, self.stride), (wide, 1, 1)]
        y: Any = x
        for width, window, stride in plan:
            y = nn.relu(normalise(self.normaliser, y, train))
            y = convolve(y, width, window, stride, train)
        if x.shape[-1] != wide or self.stride > 1:
            x = convolve(x, wide, 1, self.stride, train, name="shortcut")
        return y + x


class PreResNet(nn.Module):
    """A pre-activation residual network for small images (He et al. 2016, arXiv:1603.05027).

    With ``(18, 18, 18)`` it is the network of 164 layers for CIFAR-10.

    Attributes:
        blocks: blocks of each stage; each stage has twice the channels of the one before.
        width: channels of the first stage's narrow convolutions.
        bottleneck: three convolutions in a block, the last with four times the channels; or two.
        normaliser: ``batch`` or ``layer``.
        classes: outputs.

    Raises:
        ConfigError: for a normaliser that does not exist.
    """

    blocks: tuple[int, ...]
    width: int = 16
    bottleneck: bool = True
    normaliser: str = "batch"
    classes: int = 10

    def __post_init__(self) -> None:
        check_choice("normaliser", self.normaliser, NORMALISERS)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Float[Array, "batch classes"]:
        """The logits; ``train`` makes BatchNorm use, and update, the batch's statistics."""
        y = convolve(x, self.width, 3, 1, train)
        for stage, count in enumerate(self.blocks):
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                width = self.width * 2**stage
                y = PreActivationBlock(width, stride, self.normaliser, self.bottleneck)(y, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        return nn.Dense(self.classes)(jnp.mean(y, axis=(1, 2)))
