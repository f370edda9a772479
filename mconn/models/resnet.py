"""Residual networks of any depth and width."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.choices import check_choice

NORMALISERS: dict[str, Callable[[], nn.Module]] = {
    "layer": nn.LayerNorm,
    "batch": lambda: nn.BatchNorm(use_running_average=True),
}


SHORTCUTS = ("projection", "padding", "none")


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2015, figure 5, left)."""

    width: int
    stride: int
    normaliser: str
    shortcut: str

    @nn.compact
    def __call__(self, x: Float[Array | np.ndarray, "batch height width channels"]) -> Array:
        """The block's output."""
        normalise = NORMALISERS[self.normaliser]
        y = nn.Conv(self.width, (3, 3), self.stride, use_bias=False)(x)
        y = nn.Conv(self.width, (3, 3), use_bias=False)(nn.relu(normalise()(y)))
        y = normalise()(y)
        return nn.relu(y + shortcut(x, self.width, self.stride, self.normaliser, self.shortcut))


class Bottleneck(nn.Module):
    """Three convolutions, the middle one narrow, beside a shortcut (figure 5, right)."""

    width: int
    stride: int
    normaliser: str
    shortcut: str

    @nn.compact
    def __call__(self, x: Float[Array | np.ndarray, "batch height width channels"]) -> Array:
        """The block's output."""
        normalise, wide = NORMALISERS[self.normaliser], 4 * self.width
        y = nn.relu(normalise()(nn.Conv(self.width, (1, 1), use_bias=False)(x)))
        y = nn.Conv(self.width, (3, 3), self.stride, use_bias=False)(y)
        y = nn.Conv(wide, (1, 1), use_bias=False)(nn.relu(normalise()(y)))
        y = normalise()(y)
        return nn.relu(y + shortcut(x, wide, self.stride, self.normaliser, self.shortcut))


def shortcut(x: Array | np.ndarray, width: int, stride: int, normaliser: str, kind: str) -> Array:
    """The input of a block in the shape of its output: by a projection, or padded with zeros.

    Zero where there is no shortcut.
    """
    if kind == "none":
        return jnp.zeros(())
    if x.shape[-1] == width:
        return jnp.asarray(x)
    if kind == "projection":
        x = nn.Conv(width, (1, 1), stride, use_bias=False, name="shortcut")(x)
        return NORMALISERS[normaliser]()(x)
    missing = width - x.shape[-1]
    return jnp.pad(
        x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (missing // 2, missing - missing // 2))
    )


class ResNet(nn.Module):
    """A residual network (He et al. 2015, arXiv:1512.03385).

    Attributes:
        blocks: blocks of each stage; each stage has twice the channels of the one before.
        width: channels of the first stage's convolutions.
        block: `BasicBlock` or `Bottleneck`.
        normaliser: ``batch`` or ``layer``.
        shortcut: ``projection`` or ``padding``, where the number of channels changes; ``none`` for
            the plain networks of the paper.
        large_images: whether the first layers reduce the image, as for ImageNet.
        classes: outputs.

    Raises:
        ConfigError: for a normaliser or a shortcut that does not exist.
    """

    blocks: tuple[int, ...]
    width: int
    block: type[nn.Module]
    normaliser: str = "batch"
    shortcut: str = "projection"
    large_images: bool = False
    classes: int = 10

    def __post_init__(self) -> None:
        check_choice("normaliser", self.normaliser, NORMALISERS)
        check_choice("shortcut", self.shortcut, SHORTCUTS)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"]
    ) -> Float[Array, "batch classes"]:
        """The logits."""
        window, stride = ((7, 7), 2) if self.large_images else ((3, 3), 1)
        x = nn.Conv(self.width, window, stride, use_bias=False)(x)
        x = nn.relu(NORMALISERS[self.normaliser]()(x))
        if self.large_images:
            x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
        block: Any = self.block
        for stage, count in enumerate(self.blocks):
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                x = block(self.width * 2**stage, stride, self.normaliser, self.shortcut)(x)
        return nn.Dense(self.classes)(x.mean((1, 2)))


def resnet20(width: int = 16, **options: Any) -> ResNet:
    """The network for CIFAR-10 with 16, 32 and 64 channels (section 4.2)."""
    return ResNet((3, 3, 3), width, BasicBlock, **options)


def resnet50(width: int = 64, **options: Any) -> ResNet:
    """The network for ImageNet with 50 layers (table 1)."""
    return ResNet((3, 4, 6, 3), width, Bottleneck, large_images=True, classes=1000, **options)


def resnet152(width: int = 64, **options: Any) -> ResNet:
    """The network for ImageNet with 152 layers (table 1)."""
    return ResNet((3, 8, 36, 3), width, Bottleneck, large_images=True, classes=1000, **options)
