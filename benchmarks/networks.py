"""Well-known networks at any size: the benchmarks take them whole, the tests take them small."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

NORMALISERS: dict[str, Callable[[], nn.Module]] = {
    "layer": nn.LayerNorm,
    "batch": lambda: nn.BatchNorm(use_running_average=True),
}


class VGG16(nn.Module):
    """Thirteen convolutions and three dense layers (Simonyan and Zisserman 2014, table 1, D).

    With LayerNorm and dense layers as wide as the last convolution, as Ainsworth et al. (2022) have
    it for images of 32 x 32; the last pooling is over the whole image.
    """

    width: int = 64
    classes: int = 10

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch classes"]:
        """The logits."""
        for stage, (convolutions, factor) in enumerate(((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))):
            for _ in range(convolutions):
                x = nn.relu(nn.LayerNorm()(nn.Conv(factor * self.width, (3, 3))(x)))
            x = nn.max_pool(x, (2, 2), (2, 2)) if stage < 4 else x.max((1, 2))
        for _ in range(2):
            x = nn.relu(nn.Dense(8 * self.width)(x))
        return nn.Dense(self.classes)(x)


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2015, figure 5, left)."""

    width: int
    stride: int
    normaliser: str
    shortcut: str

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Array:
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
    def __call__(self, x: Float[Array, "batch height width channels"]) -> Array:
        """The block's output."""
        normalise, wide = NORMALISERS[self.normaliser], 4 * self.width
        y = nn.relu(normalise()(nn.Conv(self.width, (1, 1), use_bias=False)(x)))
        y = nn.Conv(self.width, (3, 3), self.stride, use_bias=False)(y)
        y = nn.Conv(wide, (1, 1), use_bias=False)(nn.relu(normalise()(y)))
        y = normalise()(y)
        return nn.relu(y + shortcut(x, wide, self.stride, self.normaliser, self.shortcut))


def shortcut(x: Array, width: int, stride: int, normaliser: str, kind: str) -> Array:
    """The input of a block in the shape of its output: by a projection, or padded with zeros."""
    if x.shape[-1] == width:
        return x
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
        shortcut: ``projection`` or ``padding``, where the number of channels changes.
        large_images: whether the first layers reduce the image, as for ImageNet.
        classes: outputs.
    """

    blocks: tuple[int, ...]
    width: int
    block: type[nn.Module]
    normaliser: str = "batch"
    shortcut: str = "projection"
    large_images: bool = False
    classes: int = 10

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
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


class GPT2Block(nn.Module):
    """Attention with one projection for queries, keys and values, then an MLP with GELU."""

    width: int
    heads: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch time width"]) -> Float[Array, "batch time width"]:
        """The stream after the block."""
        by_head = (*x.shape[:2], self.heads, self.width // self.heads)
        joined = nn.Dense(3 * self.width)(nn.LayerNorm()(x))
        queries, keys, values = (each.reshape(by_head) for each in jnp.split(joined, 3, axis=-1))
        mixed = grouped_attention(queries[:, :, :, None], keys, values)
        x = x + nn.Dense(self.width)(mixed.reshape(x.shape))
        return x + nn.Dense(self.width)(nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x))))


class GPT2(nn.Module):
    """A decoder with learned positions and tied embeddings (Radford et al. 2019, table 2).

    The default is the small one with 124 million parameters.
    """

    depth: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 50257
    context: int = 1024

    @nn.compact
    def __call__(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocabulary"]:
        """The logits of the next token."""
        embedding = nn.Embed(self.vocabulary, self.width)
        drawn = nn.initializers.normal(0.01)
        positions = self.param("positions", drawn, (self.context, self.width))
        x = embedding(tokens) + positions[: tokens.shape[1]]
        for _ in range(self.depth):
            x = GPT2Block(self.width, self.heads)(x)
        return embedding.attend(nn.LayerNorm()(x))


class LlamaBlock(nn.Module):
    """Attention whose keys are shared by groups of heads, then a gated MLP, without biases."""

    width: int
    heads: int
    key_heads: int
    hidden: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch time width"]) -> Float[Array, "batch time width"]:
        """The stream after the block."""
        batch, time, _ = x.shape
        size, group = self.width // self.heads, self.heads // self.key_heads
        normal = nn.RMSNorm()(x)
        queries = dense(self.heads * size, "query")(normal)
        keys = dense(self.key_heads * size, "key")(normal)
        values = dense(self.key_heads * size, "value")(normal)
        mixed = grouped_attention(
            rotated(queries.reshape(batch, time, self.key_heads, group, size)),
            rotated(keys.reshape(batch, time, self.key_heads, 1, size))[:, :, :, 0],
            values.reshape(batch, time, self.key_heads, size),
        )
        x = x + dense(self.width, "mixed")(mixed.reshape(x.shape))
        normal = nn.RMSNorm()(x)
        gated = nn.silu(dense(self.hidden, "gate")(normal)) * dense(self.hidden, "up")(normal)
        return x + dense(self.width, "down")(gated)


class Llama(nn.Module):
    """A decoder with RMSNorm, rotary positions, grouped-query attention and SwiGLU.

    The default has the 7 billion parameters of Touvron et al. (2023, arXiv:2302.13971, table 2),
    where every head has keys of its own.
    """

    depth: int = 32
    width: int = 4096
    heads: int = 32
    key_heads: int = 32
    hidden: int = 11008
    vocabulary: int = 32000

    @nn.compact
    def __call__(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocabulary"]:
        """The logits of the next token."""
        x = nn.Embed(self.vocabulary, self.width)(tokens)
        for _ in range(self.depth):
            x = LlamaBlock(self.width, self.heads, self.key_heads, self.hidden)(x)
        return dense(self.vocabulary, "logits")(nn.RMSNorm()(x))


def dense(size: int, name: str) -> nn.Dense:
    """A dense layer without a bias."""
    return nn.Dense(size, use_bias=False, name=name)


def rotated(x: Float[Array, "batch time heads group size"]) -> Array:
    """Rotary position embedding of the last axis (Su et al. 2021, arXiv:2104.09864, eq. 34)."""
    half = x.shape[-1] // 2
    angles = jnp.outer(jnp.arange(x.shape[1]), 10000.0 ** (-jnp.arange(half) / half))
    cosine, sine = jnp.cos(angles)[:, None, None], jnp.sin(angles)[:, None, None]
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate(
        [first * cosine - second * sine, first * sine + second * cosine], axis=-1
    )


def grouped_attention(
    queries: Float[Array, "batch time heads group size"],
    keys: Float[Array, "batch time heads size"],
    values: Float[Array, "batch time heads size"],
) -> Float[Array, "batch time heads group size"]:
    """Causal attention in which a group of heads shares its keys (Ainslie et al. 2023)."""
    time, size = queries.shape[1], queries.shape[-1]
    scores = jnp.einsum("bthgd,bshd->bhgts", queries, keys) / size**0.5
    visible = jnp.tril(jnp.ones((time, time), bool))
    weights = jax.nn.softmax(jnp.where(visible, scores, -1e9))
    return jnp.einsum("bhgts,bshd->bthgd", weights, values)
