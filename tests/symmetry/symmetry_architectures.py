"""Whole architectures at small sizes, with the generators that they must have."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from symmetry_zoo import Case, images, linen, sequences

from mconn.models import GPT2, VGG16, Llama, resnet20, resnet50


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


ARCHITECTURES: dict[str, Callable[[], Case]] = {
    "vgg16": lambda: linen(VGG16(2), images(size=16)),
    "resnet-20": lambda: linen(resnet20(2), images()),
    "resnet-20 padding": lambda: linen(resnet20(2, shortcut="padding"), images()),
    "resnet-50": lambda: linen(resnet50(2), images(size=32)),
    "u-net": lambda: linen(UNet(), images()),
    "mlp-mixer": lambda: linen(Mixer(), images()),
    "mixture of experts": lambda: linen(Experts(), sequences()),
    "gpt-2": lambda: linen(
        GPT2(depth=2, width=8, heads=2, vocabulary=11, context=9),
        tokens(),
    ),
    "llama": lambda: linen(
        Llama(depth=2, width=24, heads=6, key_heads=2, hidden=10, vocabulary=11),
        tokens(),
    ),
}
