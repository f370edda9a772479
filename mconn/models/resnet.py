"""Residual networks of any depth and width."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.models.convolution import training_convolution
from mconn.models.parts import normalise

NORMALISERS = ("batch", "layer")
SHORTCUTS = ("projection", "padding", "none")


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2015, figure 5, left)."""

    width: int
    stride: int
    normaliser: str
    shortcut: str

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Array:
        """The block's output."""
        y = convolve(x, self.width, 3, self.stride, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        y = convolve(y, self.width, 3, 1, train)
        y = normalise(self.normaliser, y, train)
        return nn.relu(y + shortcut(self, x, self.width, train))


class Bottleneck(nn.Module):
    """Three convolutions, the middle one narrow, beside a shortcut (figure 5, right)."""

    width: int
    stride: int
    normaliser: str
    shortcut: str

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Array:
        """The block's output."""
        y = convolve(x, self.width, 1, 1, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        y = convolve(y, self.width, 3, self.stride, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        y = convolve(y, 4 * self.width, 1, 1, train)
        y = normalise(self.normaliser, y, train)
        return nn.relu(y + shortcut(self, x, 4 * self.width, train))


def convolve(
    x: Array | np.ndarray,
    width: int,
    window: int,
    stride: int,
    train: bool,
    name: str | None = None,
) -> Array:
    """A convolution with a square window and without a bias."""
    convolution = training_convolution if train else jax.lax.conv_general_dilated
    return nn.Conv(
        width,
        (window, window),
        stride,
        use_bias=False,
        conv_general_dilated=convolution,
        name=name,
    )(x)


def shortcut(
    block: BasicBlock | Bottleneck, x: Array | np.ndarray, width: int, train: bool
) -> Array:
    """The input of a block in the shape of its output: by a projection, or padded with zeros.

    Zero where there is no shortcut.
    """
    if block.shortcut == "none":
        return jnp.zeros(())
    if x.shape[-1] == width:
        return jnp.asarray(x)
    if block.shortcut == "projection":
        x = convolve(x, width, 1, block.stride, train, name="shortcut")
        return normalise(block.normaliser, x, train)
    missing, stride = width - x.shape[-1], block.stride
    return jnp.pad(
        x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (missing // 2, missing - missing // 2))
    )


BLOCKS: dict[str, type[nn.Module]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNet(nn.Module):
    """A residual network (He et al. 2015, arXiv:1512.03385).

    Attributes:
        blocks: blocks of each stage; each stage has twice the channels of the one before.
        width: channels of the first stage's convolutions.
        block: ``basic`` or ``bottleneck``, or a module class like `BasicBlock`, which a config
            cannot hold.
        normaliser: ``batch`` or ``layer``.
        shortcut: ``projection`` or ``padding``, where the number of channels changes; ``none`` for
            the plain networks of the paper.
        large_images: whether the first layers reduce the image, as for ImageNet.
        classes: outputs.

    Raises:
        ConfigError: for a block, a normaliser or a shortcut that does not exist.
    """

    blocks: tuple[int, ...]
    width: int
    block: str | type[nn.Module]
    normaliser: str = "batch"
    shortcut: str = "projection"
    large_images: bool = False
    classes: int = 10

    def __post_init__(self) -> None:
        check_choice("normaliser", self.normaliser, NORMALISERS)
        check_choice("shortcut", self.shortcut, SHORTCUTS)
        if isinstance(self.block, str):
            check_choice("block", self.block, BLOCKS)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"], train: bool = False
    ) -> Float[Array, "batch classes"]:
        """The logits; ``train`` makes BatchNorm use, and update, the batch's statistics."""
        window, stride = (7, 2) if self.large_images else (3, 1)
        x = convolve(x, self.width, window, stride, train)
        x = nn.relu(normalise(self.normaliser, x, train))
        if self.large_images:
            x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
        block: Any = BLOCKS[self.block] if isinstance(self.block, str) else self.block
        for stage, count in enumerate(self.blocks):
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                x = block(self.width * 2**stage, stride, self.normaliser, self.shortcut)(x, train)
        return nn.Dense(self.classes)(x.mean((1, 2)))


def resnet20(width: int = 16, **options: Any) -> ResNet:
    """The network for CIFAR-10 with 16, 32 and 64 channels (section 4.2)."""
    return ResNet((3, 3, 3), width, "basic", **options)


def resnet50(width: int = 64, **options: Any) -> ResNet:
    """The network for ImageNet with 50 layers (table 1)."""
    return ResNet((3, 4, 6, 3), width, "bottleneck", large_images=True, classes=1000, **options)


def resnet152(width: int = 64, **options: Any) -> ResNet:
    """The network for ImageNet with 152 layers (table 1)."""
    return ResNet((3, 8, 36, 3), width, "bottleneck", large_images=True, classes=1000, **options)
