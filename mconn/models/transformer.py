"""Decoders of any depth and width: GPT-2 and Llama."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


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
    def __call__(
        self, tokens: Int[Array | np.ndarray, "batch time"]
    ) -> Float[Array, "batch time vocabulary"]:
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
        queries = _dense(self.heads * size, "query")(normal)
        keys = _dense(self.key_heads * size, "key")(normal)
        values = _dense(self.key_heads * size, "value")(normal)
        mixed = grouped_attention(
            rotated(queries.reshape(batch, time, self.key_heads, group, size)),
            rotated(keys.reshape(batch, time, self.key_heads, 1, size))[:, :, :, 0],
            values.reshape(batch, time, self.key_heads, size),
        )
        x = x + _dense(self.width, "mixed")(mixed.reshape(x.shape))
        normal = nn.RMSNorm()(x)
        gated = nn.silu(_dense(self.hidden, "gate")(normal)) * _dense(self.hidden, "up")(normal)
        return x + _dense(self.width, "down")(gated)


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
    def __call__(
        self, tokens: Int[Array | np.ndarray, "batch time"]
    ) -> Float[Array, "batch time vocabulary"]:
        """The logits of the next token."""
        x = nn.Embed(self.vocabulary, self.width)(tokens)
        for _ in range(self.depth):
            x = LlamaBlock(self.width, self.heads, self.key_heads, self.hidden)(x)
        return _dense(self.vocabulary, "logits")(nn.RMSNorm()(x))


def _dense(size: int, name: str) -> nn.Dense:
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
