"""Well-known networks at any depth and width, for studies that need their shapes only."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Layer = Literal["dense", "convolution"]


class Stack(nn.Module):
    """An input layer, ``depth`` blocks of two layers each, and a dense output layer; no biases.

    Attributes:
        depth: blocks.
        width: units (channels) of every layer.
        skip: whether the input of a block is added to its output.
        layer: ``dense``, or ``convolution`` of 3 x 3 with an average over the image at the end.
        linear: whether there is no nonlinearity; a ReLU follows every layer otherwise.
        classes: outputs.
    """

    depth: int
    width: int
    skip: bool = False
    layer: Layer = "dense"
    linear: bool = False
    classes: int = 10

    @nn.compact
    def __call__(self, x: Float[Array, "batch *features"]) -> Float[Array, "batch classes"]:
        """The logits."""

        def layer(x: Array) -> Array:
            if self.layer == "convolution":
                return nn.Conv(self.width, (3, 3), use_bias=False)(x)
            return nn.Dense(self.width, use_bias=False)(x)

        def activate(x: Array) -> Array:
            return x if self.linear else nn.relu(x)

        x = activate(layer(x))
        for _ in range(self.depth):
            y = layer(activate(layer(x)))
            x = activate(x + y if self.skip else y)
        x = x.mean((1, 2)) if self.layer == "convolution" else x
        return nn.Dense(self.classes, use_bias=False)(x)


class VGG16(nn.Module):
    """Thirteen convolutions and three dense layers (Simonyan and Zisserman 2014, table 1, D).

    With LayerNorm and dense layers as wide as the last convolution, as Ainsworth et al. (2023) have
    it for images of 32 x 32.
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


class ResNet(nn.Module):
    """A residual network with BatchNorm and projections (He et al. 2015, arXiv:1512.03385).

    The running statistics are parameters here, as they are where a trained network is used.

    Attributes:
        blocks: blocks of each stage; each stage has twice the channels of the one before.
        width: channels of the first stage's convolutions.
        bottleneck: whether a block has three convolutions, of which the last is four times as wide
            (figure 5, right), or two.
        skip: whether a block has its shortcut; the plain networks of the paper have none.
        classes: outputs.
    """

    blocks: tuple[int, ...] = (3, 3, 3)
    width: int = 16
    bottleneck: bool = False
    skip: bool = True
    classes: int = 10

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch classes"]:
        """The logits."""

        def normalised(x: Array, channels: int, window: int, stride: int = 1) -> Array:
            x = nn.Conv(channels, (window, window), stride, use_bias=False)(x)
            return nn.BatchNorm(use_running_average=True)(x)

        x = nn.relu(normalised(x, self.width, 3))
        for stage, count in enumerate(self.blocks):
            channels = self.width * 2**stage
            wide = 4 * channels if self.bottleneck else channels
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                first = normalised(x, channels, 1 if self.bottleneck else 3, stride)
                y = normalised(nn.relu(first), channels, 3)
                y = normalised(nn.relu(y), wide, 1) if self.bottleneck else y
                if self.skip:
                    y = y + (normalised(x, wide, 1, stride) if x.shape[-1] != wide else x)
                x = nn.relu(y)
        return nn.Dense(self.classes)(x.mean((1, 2)))


class GPT2(nn.Module):
    """A decoder with learned positions and tied embeddings (Radford et al. 2019, table 2)."""

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
        by_head = (*tokens.shape, self.heads, 1, self.width // self.heads)
        for _ in range(self.depth):
            joined = nn.Dense(3 * self.width)(nn.LayerNorm()(x))
            query, key, value = (y.reshape(by_head) for y in jnp.split(joined, 3, axis=-1))
            mixed = attention(query, key[..., 0, :], value[..., 0, :])
            x = x + nn.Dense(self.width)(mixed.reshape(x.shape))
            x = x + nn.Dense(self.width)(nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x))))
        return embedding.attend(nn.LayerNorm()(x))


class Llama(nn.Module):
    """A decoder with RMSNorm, rotary positions, grouped-query attention and SwiGLU.

    The default has the 7 billion parameters of Touvron et al. (2023, arXiv:2302.13971, table 2).
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
        size, group = self.width // self.heads, self.heads // self.key_heads
        by_head = (*tokens.shape, self.key_heads)

        def dense(units: int) -> nn.Dense:
            return nn.Dense(units, use_bias=False)

        x = nn.Embed(self.vocabulary, self.width)(tokens)
        for _ in range(self.depth):
            normal = nn.RMSNorm()(x)
            query = dense(self.width)(normal).reshape(*by_head, group, size)
            key = dense(self.key_heads * size)(normal).reshape(*by_head, 1, size)
            value = dense(self.key_heads * size)(normal).reshape(*by_head, size)
            mixed = attention(rotated(query), rotated(key)[..., 0, :], value)
            x = x + dense(self.width)(mixed.reshape(x.shape))
            normal = nn.RMSNorm()(x)
            gated = nn.silu(dense(self.hidden)(normal)) * dense(self.hidden)(normal)
            x = x + dense(self.width)(gated)
        return dense(self.vocabulary)(nn.RMSNorm()(x))


def rotated(x: Float[Array, "batch time heads group size"]) -> Array:
    """Rotary position embedding of the last axis (Su et al. 2021, arXiv:2104.09864, eq. 34)."""
    half = x.shape[-1] // 2
    angles = jnp.outer(jnp.arange(x.shape[1]), 10000.0 ** (-jnp.arange(half) / half))
    cosine, sine = jnp.cos(angles)[:, None, None], jnp.sin(angles)[:, None, None]
    first, second = x[..., :half], x[..., half:]
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return jnp.concatenate(turned, axis=-1)


def attention(
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
