"""Every family of networks, so small that a blind search and a full Jacobian are cheap.

Roles have lengths of their own where they can, so that few axes have to be tried together. The
seeds are such that every ReLU is on for some of the inputs and off for others: a unit that is not
has symmetries of its own, which the tests would find.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mconn import symmetry
from mconn.models import Llama, grouped_attention
from mconn.symmetry import Group
from mconn.trees import named_leaves


@dataclass(frozen=True)
class Family:
    """A network in double precision, with inputs for four outputs per parameter."""

    apply: Callable[..., Any]
    params: Any
    x: Any

    @property
    def leaves(self) -> dict[str, np.ndarray]:
        """The parameters by name, in the order of the flat vector."""
        return named_leaves(self.params)

    @property
    def flat(self) -> np.ndarray:
        """All parameters in one vector."""
        return np.concatenate([leaf.ravel() for leaf in self.leaves.values()])

    def outputs(self, flat: Any, x: Any) -> Any:
        """The outputs as a function of the vector of all parameters."""
        leaves, structure = jax.tree.flatten(self.params)
        parts = jnp.split(flat, np.cumsum([leaf.size for leaf in leaves])[:-1])
        shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        return self.apply(jax.tree.unflatten(structure, shaped), x).ravel()


def fill(shapes: Any, seed: int) -> Any:
    """Parameters in general position: scales and variances positive, all else normal."""
    random = np.random.default_rng(seed)

    def draw(path: Any, leaf: Any) -> np.ndarray:
        name = jax.tree_util.keystr(path)
        if any(word in name for word in ("var", "scale")):
            return random.uniform(0.6, 1.6, leaf.shape)
        return random.normal(size=leaf.shape) * (0.3 if "bias" in name else 0.7)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def batch_size(apply: Callable[..., Any], params: Any, x: np.ndarray) -> int:
    """How many inputs like one there must be for four outputs per parameter."""
    outputs = jax.eval_shape(apply, params, x).size
    return ceil(4 * sum(leaf.size for leaf in jax.tree.leaves(params)) / outputs)


def generic(apply: Callable[..., Any], params: Any, *shape: int) -> Family:
    """A network of normal inputs of one shape."""
    batch = batch_size(apply, params, np.zeros((1, *shape)))
    return Family(apply, params, np.random.default_rng(6).normal(size=(batch, *shape)))


def linen(model: nn.Module, *shape: int, seed: int = 8) -> Family:
    """A Flax module of normal inputs."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((2, *shape)))
    return generic(model.apply, fill(shapes, seed), *shape)


def language(model: nn.Module, vocabulary: int) -> Family:
    """A Flax module of sequences of four tokens."""
    x = np.random.default_rng(7).integers(vocabulary, size=(100, 4))
    params = fill(jax.eval_shape(model.init, jax.random.key(0), x), 8)
    return Family(model.apply, params, x[: batch_size(model.apply, params, x[:1])])


class MLP(nn.Module):
    activation: Callable[[Any], Any]

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = self.activation(nn.Dense(3)(x))
        return nn.Dense(3)(x)


class CNN(nn.Module):
    normaliser: Any = None
    width: int = 4

    @nn.compact
    def __call__(self, x):
        for width in (self.width, 3):
            x = nn.Conv(width, (2, 2))(x)
            if self.normaliser and (self.normaliser is not GROUP or width == self.width):
                x = self.normaliser()(x)
            x = nn.relu(x)
        return nn.Dense(2)(x.mean((1, 2)))


BATCH = partial(nn.BatchNorm, use_running_average=True)
GROUP = partial(nn.GroupNorm, num_groups=2)


class Separable(nn.Module):
    """A grouped convolution after a pointwise one, then a depthwise one."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (1, 1))(x))
        x = nn.relu(nn.Conv(6, (1, 3), feature_group_count=2)(x))
        x = nn.relu(nn.Conv(6, (1, 3), feature_group_count=6)(x))
        return nn.Dense(5)(x.mean((1, 2)))


class SqueezeExcite(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (2, 2))(x))
        squeezed = nn.relu(nn.Dense(3)(x.mean((1, 2))))
        return nn.Dense(2)((x * nn.sigmoid(nn.Dense(4)(squeezed))[:, None, None]).mean((1, 2)))


class VGG(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.Conv(3, (2, 2))(x))
        x = nn.relu(nn.Conv(3, (2, 2))(nn.max_pool(x, (2, 2), (2, 2))))
        return nn.Dense(2)(nn.relu(nn.Dense(3)(x.max((1, 2)))))


class ResNet(nn.Module):
    shortcut: str

    @nn.compact
    def __call__(self, x):
        def convolve(x, width, *options):
            return BATCH()(nn.Conv(width, *options, use_bias=False)(x))

        x = nn.relu(convolve(x, 3, (2, 2)))
        y = convolve(nn.relu(convolve(x, 4, (2, 2))), 5, (1, 1), 2)
        if self.shortcut == "projection":
            x = convolve(x, 5, (1, 1), 2)
        else:
            x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (1, 1)))
        return nn.Dense(2)(nn.relu(x + y).mean((1, 2)))


class DenseNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(3, (2, 2))(x)
        for _ in range(2):
            x = jnp.concatenate([x, nn.relu(nn.Conv(3, (2, 2))(nn.relu(x)))], -1)
        return nn.Dense(2)(x.mean((1, 2)))


class UNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        skipped = nn.gelu(nn.Conv(3, (1, 2))(x))
        x = nn.gelu(nn.Conv(4, (2, 1))(nn.max_pool(skipped, (2, 2), (2, 2))))
        x = nn.ConvTranspose(2, (2, 2), (2, 2))(x)
        return nn.Conv(3, (1, 1))(nn.gelu(nn.Conv(5, (1, 2))(jnp.concatenate([skipped, x], -1))))


class Mixer(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(3, (2, 2), (2, 2))(x).reshape(x.shape[0], -1, 3)
        y = nn.LayerNorm()(x).swapaxes(1, 2)
        x = x + nn.Dense(4)(nn.gelu(nn.Dense(5)(y))).swapaxes(1, 2)
        x = x + nn.Dense(3)(nn.gelu(nn.Dense(2)(nn.LayerNorm()(x))))
        return nn.Dense(2)(nn.LayerNorm()(x).mean(1))


class Recurrent(nn.Module):
    cell: type[nn.RNNCellBase]

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.RNN(self.cell(3, param_dtype=float))(x)[:, -1])


class VisionTransformer(nn.Module):
    """One layer, with few biases: an axis of the stream must not have too many sites."""

    @nn.compact
    def __call__(self, x):
        norm = partial(nn.LayerNorm, use_bias=False)
        x = nn.Conv(4, (2, 2), (2, 2), use_bias=False)(x).reshape(x.shape[0], -1, 4)
        token = self.param("token", nn.initializers.zeros, (1, 1, 4))
        x = jnp.concatenate([jnp.tile(token, (x.shape[0], 1, 1)), x], 1)
        x = x + self.param("positions", nn.initializers.zeros, (5, 4))
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=6)(norm()(x))
        x = x + nn.Dense(4, use_bias=False)(nn.gelu(nn.Dense(7)(norm()(x))))
        return nn.Dense(9)(norm()(x).mean(1))


class GPT2(nn.Module):
    """One layer; the three entries of each of the two heads are fewer than the stream's five."""

    @nn.compact
    def __call__(self, tokens):
        embedding = nn.Embed(6, 5)
        x = embedding(tokens) + self.param("positions", nn.initializers.zeros, (4, 5))
        q, k, v = jnp.split(nn.Dense(18)(nn.LayerNorm()(x)), 3, axis=-1)
        by_head = (*x.shape[:2], 2, 3)
        mixed = grouped_attention(
            q.reshape(by_head)[:, :, :, None], k.reshape(by_head), v.reshape(by_head)
        )
        x = x + nn.Dense(5)(mixed.reshape(*x.shape[:2], 6))
        x = x + nn.Dense(5)(nn.gelu(nn.Dense(7)(nn.LayerNorm()(x))))
        return embedding.attend(nn.LayerNorm()(x))


class Experts(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4)(x)
        up = self.param("up", nn.initializers.normal(), (3, 4, 2))
        down = self.param("down", nn.initializers.normal(), (3, 2, 4))
        routed = nn.softmax(nn.Dense(3)(x))
        hidden = nn.gelu(jnp.einsum("bd,edh->beh", x, up))
        return nn.Dense(5)(x + jnp.einsum("be,beh,ehd->bd", routed, hidden, down))


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        class Block(nn.Module):
            @nn.compact
            def __call__(self, x, _):
                return x + nn.Dense(4)(nn.tanh(nn.Dense(2)(x))), None

        stack = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        return nn.Dense(5)(stack()(nn.Dense(4)(x), None)[0])


def autoencoder(activation: Callable[[Any], Any]) -> Family:
    """A decoder that is its encoder transposed."""

    def apply(params: Any, x: Any) -> Any:
        return activation(x @ params["w"] + params["b"]) @ params["w"].T + params["c"]

    shapes = {name: np.zeros(shape) for name, shape in (("w", (4, 3)), ("b", 3), ("c", 4))}
    return generic(apply, fill(shapes, 8), 4)


FAMILIES: dict[str, Callable[[], Family]] = {
    "mlp relu": lambda: linen(MLP(nn.relu), 3),
    "mlp leaky relu": lambda: linen(MLP(nn.leaky_relu), 3),
    "mlp tanh": lambda: linen(MLP(nn.tanh), 3),
    "mlp gelu": lambda: linen(MLP(nn.gelu), 3),
    "mlp silu": lambda: linen(MLP(nn.silu), 3),
    "mlp identity": lambda: linen(MLP(lambda x: x), 3),
    "cnn": lambda: linen(CNN(), 3, 3, 2),
    "cnn batch norm": lambda: linen(CNN(BATCH), 3, 3, 2),
    "cnn layer norm": lambda: linen(CNN(nn.LayerNorm), 3, 3, 2),
    "cnn group norm": lambda: linen(CNN(GROUP, 6), 3, 3, 2),
    "cnn instance norm": lambda: linen(CNN(nn.InstanceNorm), 3, 3, 2),
    "separable": lambda: linen(Separable(), 4, 4, 3, seed=11),
    "squeeze and excitation": lambda: linen(SqueezeExcite(), 3, 3, 2, seed=2),
    "vgg": lambda: linen(VGG(), 4, 4, 2, seed=21),
    "resnet projection": lambda: linen(ResNet("projection"), 4, 4, 2),
    "resnet padding": lambda: linen(ResNet("padding"), 4, 4, 2),
    "densenet": lambda: linen(DenseNet(), 3, 3, 2),
    "u-net": lambda: linen(UNet(), 4, 4, 2),
    "mlp-mixer": lambda: linen(Mixer(), 4, 4, 2),
    "tied autoencoder": lambda: autoencoder(jax.nn.relu),
    "tied linear autoencoder": lambda: autoencoder(lambda x: x),
    "lstm": lambda: linen(Recurrent(nn.LSTMCell), 3, 2),
    "gru": lambda: linen(Recurrent(nn.GRUCell), 3, 2),
    "vision transformer": lambda: linen(VisionTransformer(), 4, 4, 2),
    "gpt-2": lambda: language(GPT2(), 6),
    "llama": lambda: language(Llama(1, 8, 4, 2, 3, 9), 9),
    "llama, one head": lambda: language(Llama(1, 4, 1, 1, 3, 5), 5),
    "mixture of experts": lambda: linen(Experts(), 6),
    "scan": lambda: linen(Scanned(), 6),
}


@cache
def discovered(name: str) -> tuple[Family, Group]:
    """A family and its group; found once for all tests."""
    with jax.enable_x64(True):
        family = FAMILIES[name]()
        return family, symmetry.discover(family.apply, family.params, family.x)
