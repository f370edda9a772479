"""Whole architectures at small sizes, with the generators that they must have."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from symmetry_zoo import Case, images, linen, sequences

from benchmarks.networks import GPT2, VGG16, Llama, resnet20, resnet50


class UNet(nn.Module):
    """One level down and up again; the skip connection is a concatenation."""

    @nn.compact
    def __call__(self, x):
        skipped = nn.gelu(nn.Conv(4, (3, 3))(x))
        x = nn.gelu(nn.Conv(6, (3, 3))(nn.max_pool(skipped, (2, 2), (2, 2))))
        x = nn.ConvTranspose(5, (2, 2), (2, 2))(x)
        x = nn.gelu(nn.Conv(7, (3, 3))(jnp.concatenate([skipped, x], -1)))
        return nn.Conv(3, (1, 1))(x)


class Mixer(nn.Module):
    """MLPs over positions and over channels, in turns (Tolstikhin et al. 2021)."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(6, (4, 4), (4, 4))(x).reshape(x.shape[0], -1, 6)
        for _ in range(2):
            y = nn.LayerNorm()(x).swapaxes(1, 2)
            x = x + nn.Dense(4)(nn.gelu(nn.Dense(5)(y))).swapaxes(1, 2)
            x = x + nn.Dense(6)(nn.gelu(nn.Dense(7)(nn.LayerNorm()(x))))
        return nn.Dense(3)(nn.LayerNorm()(x).mean(1))


class Experts(nn.Module):
    """A mixture of experts: every token takes a softmax-weighted mean of all of them."""

    experts: int = 3
    hidden: int = 5

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6)(x)
        draw = nn.initializers.normal()
        up = self.param("up", draw, (self.experts, 6, self.hidden))
        down = self.param("down", draw, (self.experts, self.hidden, 6))
        routed = nn.softmax(nn.Dense(self.experts)(x))
        hidden = nn.gelu(jnp.einsum("btd,edh->bteh", x, up))
        x = x + jnp.einsum("bte,bteh,ehd->btd", routed, hidden, down)
        return nn.Dense(3)(x)


def tokens() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 11, size=(2, 6))


def resnet_sizes(
    block: str, inner: int, blocks: tuple[int, ...], width: int, wide: int
) -> dict[str, int]:
    """One generator per convolution inside a block, and one per stage for the stream."""
    sizes, number = {"Conv_0": width}, 0
    for stage, count in enumerate(blocks):
        for i in range(count):
            name = f"{block}_{number}"
            sizes |= {f"{name}/Conv_{j}": width * 2**stage for j in range(inner)}
            if i == 0 and (stage > 0 or wide != width):
                sizes[f"{name}/Conv_{inner}"] = wide * 2**stage
            number += 1
    return sizes


def layers(stream: dict[str, int], block: str, sizes: dict[str, int]) -> dict[str, int]:
    """The generators of a stream and of two blocks."""
    return stream | {f"{block}_{i}/{name}": size for i in range(2) for name, size in sizes.items()}


# A stream padded with zeros is the sum of what each stage added to it; a part of one unit is fixed.
BASIC = resnet_sizes("BasicBlock", 1, (3, 3, 3), 2, 2)
PADDED = {
    name: size
    for name, size in BASIC.items()
    if name not in ("BasicBlock_3/Conv_1", "BasicBlock_6/Conv_1")
} | {"BasicBlock_6/Conv_1": 2, "BasicBlock_6/Conv_1#2": 2}
BOTTLENECK = resnet_sizes("Bottleneck", 2, (3, 4, 6, 3), 2, 8)
VGG16_WIDTHS = (2, 2, 4, 4, 8, 8, 8, *(16,) * 6)
VGG16_CONVOLUTIONS = {f"Conv_{i}": width for i, width in enumerate(VGG16_WIDTHS)}

# Queries and keys share their second axis in GPT-2; in Llama the rotation by position fixes it.
GPT2_LAYER = {"Dense_0": 2, "Dense_0#2": 4, "Dense_0#3": 4, "Dense_3": 32}
LLAMA_LAYER = {"query": 2, "query#2": 3, "value": 4, "gate": 10}

ARCHITECTURES: dict[str, Callable[[], Case]] = {
    "vgg16": lambda: linen(VGG16(2), images(size=16), **VGG16_CONVOLUTIONS, Dense_0=16, Dense_1=16),
    "resnet-20": lambda: linen(resnet20(2), images(), **BASIC),
    "resnet-20 padding": lambda: linen(resnet20(2, shortcut="padding"), images(), **PADDED),
    "resnet-50": lambda: linen(resnet50(2), images(size=32), **BOTTLENECK),
    "u-net": lambda: linen(UNet(), images(), Conv_0=4, Conv_1=6, ConvTranspose_0=5, Conv_2=7),
    "mlp-mixer": lambda: linen(
        Mixer(), images(), Conv_0=6, Dense_1=5, Dense_3=7, Dense_5=5, Dense_7=7
    ),
    "mixture of experts": lambda: linen(
        Experts(), sequences(), **{"Dense_0": 6, "Dense_1": 3, "params/up": 5}
    ),
    "gpt-2": lambda: linen(
        GPT2(depth=2, width=8, heads=2, vocabulary=11, context=9),
        tokens(),
        **layers({"Embed_0": 8}, "GPT2Block", GPT2_LAYER),
    ),
    "llama": lambda: linen(
        Llama(depth=2, width=24, heads=6, key_heads=2, hidden=10, vocabulary=11),
        tokens(),
        **layers({"Embed_0": 24}, "LlamaBlock", LLAMA_LAYER),
    ),
}
