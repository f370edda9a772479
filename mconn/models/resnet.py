"""Residual networks of any depth and width, with normalisers after or before the convolutions."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.models.parts import normalise, training_convolution

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
        y = _convolve(x, self.width, 3, self.stride, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        y = _convolve(y, self.width, 3, 1, train)
        y = normalise(self.normaliser, y, train)
        return nn.relu(y + _shortcut(self, x, self.width, train))


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
        y = _convolve(x, self.width, 1, 1, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        y = _convolve(y, self.width, 3, self.stride, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        y = _convolve(y, 4 * self.width, 1, 1, train)
        y = normalise(self.normaliser, y, train)
        return nn.relu(y + _shortcut(self, x, 4 * self.width, train))


def _convolve(
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


def _shortcut(
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
        x = _convolve(x, width, 1, block.stride, train, name="shortcut")
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
        x = _convolve(x, self.width, window, stride, train)
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
            y = _convolve(y, width, window, stride, train)
        if x.shape[-1] != wide or self.stride > 1:
            x = _convolve(x, wide, 1, self.stride, train, name="shortcut")
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
        y = _convolve(x, self.width, 3, 1, train)
        for stage, count in enumerate(self.blocks):
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                width = self.width * 2**stage
                y = PreActivationBlock(width, stride, self.normaliser, self.bottleneck)(y, train)
        y = nn.relu(normalise(self.normaliser, y, train))
        return nn.Dense(self.classes)(jnp.mean(y, axis=(1, 2)))
