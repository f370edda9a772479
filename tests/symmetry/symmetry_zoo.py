"""Small networks of every kind, and whole architectures at small sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from small_families import (
    Experts,
    Mixer,
    Recurrent,
    Scanned,
    SqueezeExcite,
    UNet,
    VisionTransformer,
)

from mconn import symmetry
from mconn.models import GPT2, VGG16, Llama, ResNet as DeepResNet, resnet20
from mconn.symmetry import Element, Group, in_order, move_leaf
from mconn.trees import named_leaves


@dataclass(frozen=True)
class Case:
    apply: Callable[..., Any]
    params: Any
    inputs: tuple[Any, ...]


def fill(shapes: Any, seed: int = 0) -> Any:
    """Parameters drawn with numpy, because every shape that jax.random draws must be compiled."""
    random = np.random.default_rng(seed)

    def draw(path: Any, leaf: Any) -> np.ndarray:
        entries = random.normal(size=leaf.shape) * 0.5
        return (np.abs(entries) + 0.5 if "var" in jax.tree_util.keystr(path) else entries).astype(
            np.float32
        )

    return jax.tree_util.tree_map_with_path(draw, shapes)


def images(channels: int = 3, size: int = 8) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, size, size, channels)).astype(np.float32)


def vectors(size: int = 4) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(5, size)).astype(np.float32)


def sequences() -> np.ndarray:
    return np.stack([vectors(), vectors() + 1])


def linen(model: nn.Module, x: np.ndarray) -> Case:
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    return Case(model.apply, fill(shapes), (x,))


def pure(apply: Callable[..., Any], shapes: Any, x: np.ndarray) -> Case:
    def is_shape(node: Any) -> bool:
        return isinstance(node, tuple) and all(isinstance(size, int) for size in node)

    abstract = jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, np.float32), shapes, is_leaf=is_shape
    )
    return Case(apply, fill(abstract), (x,))


class MLP(nn.Module):
    widths: tuple[int, ...] = (6, 7)
    activation: Callable[[Any], Any] = nn.relu
    normaliser: str = "none"
    train: bool = False

    @nn.compact
    def __call__(self, x):
        for width in self.widths:
            x = self.activation(normalise(self.normaliser, self.train)(nn.Dense(width)(x)))
        return nn.Dense(3)(x)


def normalise(name: str, train: bool = False) -> Callable[[Any], Any]:
    return {
        "none": lambda: lambda x: x,
        "layer": nn.LayerNorm,
        "batch": lambda: nn.BatchNorm(use_running_average=not train),
        "group": lambda: nn.GroupNorm(num_groups=2),
        "instance": nn.InstanceNorm,
    }[name]()


class CNN(nn.Module):
    normaliser: str = "none"
    pool: str = "max"
    head: str = "flatten"

    @nn.compact
    def __call__(self, x):
        pool = nn.max_pool if self.pool == "max" else nn.avg_pool
        for width in (4, 6):
            x = nn.relu(normalise(self.normaliser)(nn.Conv(width, (3, 3))(x)))
            x = pool(x, (2, 2), (2, 2))
        x = x.reshape(x.shape[0], -1) if self.head == "flatten" else x.mean((1, 2))
        x = nn.relu(nn.Dense(5)(x))
        return nn.Dense(3)(x)


class ResidualMLP(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6)(x)
        for _ in range(2):
            y = nn.relu(nn.Dense(7)(nn.LayerNorm()(x)))
            x = x + nn.Dense(6)(y)
        return nn.Dense(3)(x)


class ResNet(nn.Module):
    shortcut: str = "projection"

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.LayerNorm()(nn.Conv(4, (3, 3))(x)))
        for width, stride in ((4, 1), (8, 2)):
            y = nn.relu(nn.LayerNorm()(nn.Conv(width, (3, 3), stride)(x)))
            y = nn.LayerNorm()(nn.Conv(width, (3, 3))(y))
            if stride == 2 and self.shortcut == "projection":
                x = nn.LayerNorm()(nn.Conv(width, (1, 1), 2)(x))
            elif stride == 2:
                x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (2, 2)))
            x = nn.relu(x + y)
        return nn.Dense(3)(x.mean((1, 2)))


class DenseNet(nn.Module):
    head: str = "mean"

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3))(x)
        for _ in range(2):
            x = jnp.concatenate([x, nn.relu(nn.Conv(3, (3, 3))(nn.relu(x)))], -1)
        x = nn.avg_pool(x, (4, 4), (4, 4))
        x = x.mean((1, 2)) if self.head == "mean" else x.reshape(x.shape[0], -1)
        return nn.Dense(3)(x)


class Separable(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (1, 1))(x))
        x = nn.relu(nn.Conv(8, (3, 3), feature_group_count=4)(x))
        x = nn.relu(nn.Conv(6, (1, 1))(x))
        x = nn.relu(nn.Conv(6, (3, 3), feature_group_count=6)(x))
        return nn.Dense(3)(x.mean((1, 2)))


class RootMeanSquare(nn.Module):
    """A stream behind root-mean-square norms without scales: no unit of it is special."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6)(x)
        for _ in range(2):
            x = x + nn.Dense(6)(nn.gelu(nn.Dense(5)(nn.RMSNorm(use_scale=False)(x))))
        return nn.Dense(3)(nn.RMSNorm(use_scale=False)(x))


class Attention(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6)(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=8)(nn.LayerNorm()(x))
        return nn.Dense(3)(x.mean(1))


def tokens() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 11, size=(2, 6))


class Layer(NamedTuple):
    weight: Any
    bias: Any


def tuples(params: Any, x: Any) -> Any:
    first, (last,) = params
    return jnp.tanh(x @ first.weight + first.bias) @ last.weight + last.bias


def lists(params: Any, x: Any) -> Any:
    for weight, bias in params[:-1]:
        x = jax.nn.gelu(weight @ x.T + bias[:, None]).T
    return x @ params[-1][0].T + params[-1][1]


def tied_autoencoder(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["w"] + params["b"]) @ params["w"].T + params["c"]


def recurrent(params: Any, x: Any) -> Any:
    h = jnp.tanh(x @ params["in"])
    for _ in range(3):
        h = jnp.tanh(h @ params["again"] + params["b"])
    return h @ params["out"]


def low_rank(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ (params["a"] @ params["b"])) @ params["out"]


def gated(params: Any, x: Any) -> Any:
    up, gate = jnp.split(x @ params["in"], 2, axis=-1)
    return (up * jax.nn.silu(gate)) @ params["out"]


def summed_products(params: Any, x: Any) -> Any:
    """A contraction written as a product and a sum."""
    return ((x @ params["w"] + params["b"])[:, :, None] * params["out"]).sum(1)


def committee(params: Any, x: Any) -> Any:
    return jnp.tanh(x @ params["w"]).sum(-1)


def softmax_layer(params: Any, x: Any) -> Any:
    return jax.nn.softmax(x @ params["w"] + params["b"]) @ params["out"]


def sorted_units(params: Any, x: Any) -> Any:
    return jnp.sort(x @ params["w"] + params["b"], axis=-1) @ params["out"]


def branches(params: Any, x: Any) -> Any:
    h = x @ params["w"]
    h = jax.lax.cond(x[0, 0] > 0, jnp.tanh, lambda h: jax.nn.relu(h) + params["b"], h)
    return h @ params["out"]


def loops(params: Any, x: Any) -> Any:
    h = x @ params["w"]
    h = jax.lax.fori_loop(0, 3, lambda _, h: jnp.tanh(h @ params["again"]), h)
    return h @ params["out"]


def scanned_time(params: Any, x: Any) -> Any:
    def step(h: Any, token: Any) -> tuple[Any, Any]:
        h = jnp.tanh(token @ params["in"] + h @ params["again"])
        return h, h

    _, hidden = jax.lax.scan(step, jnp.zeros((5, 6)), jnp.stack([x, x + 1, x * 2]))
    return hidden @ params["out"]


def attend(params: Any, x: Any) -> Any:
    q, k, v = (jnp.einsum("btd,dhe->bthe", x, params[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthe,bshe->bhts", q, k + params["b"]))
    return jnp.einsum("bhts,bshe,hed->btd", weights, v, params["out"])


def stacked(step: Callable[..., Any]) -> Case:
    """Three layers under a scan, each ``step(h, layer, params)``."""

    def apply(params: Any, x: Any) -> Any:
        h, _ = jax.lax.scan(
            lambda h, layer: (step(h, layer, params), None), x @ params["in"], params["layers"]
        )
        return h @ params["out"]

    layers = {"up": (3, 6, 5), "down": (3, 5, 6)}
    return pure(apply, {"in": (4, 6), "out": (6, 3), "bias": (5,), "layers": layers}, vectors())


def grouped(params: Any, x: Any) -> Any:
    """Two groups of three units, each normalised by itself."""
    h = (x @ params["w"]).reshape(-1, 2, 3)
    h = h - h.mean(-1, keepdims=True)
    h = (h * jax.lax.rsqrt((h * h).mean(-1, keepdims=True) + 1e-5)).reshape(-1, 6)
    return jax.nn.relu(h * params["b"]) @ params["out"]


@jax.custom_vjp
def doubled(x: Any) -> Any:
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


def wrapped(params: Any, x: Any) -> Any:
    h = jax.checkpoint(lambda h: jnp.sin(doubled(h)))(jax.jit(jnp.dot)(x, params["w"]))
    return jax.vmap(lambda row: row @ params["out"])(h)


def train_mode(model: nn.Module) -> Callable[..., Any]:
    return lambda variables, x: model.apply(variables, x, mutable=["batch_stats"])[0]


def batch_norm_in_training() -> Case:
    model = MLP(normaliser="batch", train=True)
    case = linen(model, vectors())
    return Case(train_mode(model), case.params, case.inputs)


HEADS = {"q": (4, 2, 3), "k": (4, 2, 3), "b": (2, 3), "v": (4, 2, 3), "out": (2, 3, 4)}
UNITS = {"w": (4, 6), "b": (6,), "out": (6, 3)}
RECURRENT = {"in": (4, 6), "again": (6, 6), "b": (6,), "out": (6, 3)}

ZOO: dict[str, Callable[[], Case]] = {
    "mlp relu": lambda: linen(MLP(), vectors()),
    "mlp tanh": lambda: linen(MLP(activation=nn.tanh), vectors()),
    "mlp gelu": lambda: linen(MLP(activation=nn.gelu), vectors()),
    "mlp leaky relu": lambda: linen(MLP(activation=nn.leaky_relu), vectors()),
    "mlp silu": lambda: linen(MLP(activation=nn.silu), vectors()),
    "mlp identity": lambda: linen(MLP(activation=lambda x: x), vectors()),
    "mlp softplus": lambda: linen(MLP(activation=nn.softplus), vectors()),
    "mlp layer norm": lambda: linen(MLP(normaliser="layer"), vectors()),
    "mlp batch norm": lambda: linen(MLP(normaliser="batch"), vectors()),
    "mlp batch norm training": batch_norm_in_training,
    "cnn": lambda: linen(CNN(), images()),
    "cnn layer norm": lambda: linen(CNN("layer"), images()),
    "cnn batch norm": lambda: linen(CNN("batch", "average"), images()),
    "cnn instance norm": lambda: linen(CNN("instance", head="mean"), images()),
    "cnn average pool": lambda: linen(CNN(pool="average", head="mean"), images()),
    "cnn group norm": lambda: linen(CNN("group"), images()),
    "residual mlp": lambda: linen(ResidualMLP(), vectors()),
    "resnet projection": lambda: linen(ResNet(), images()),
    "resnet padding": lambda: linen(ResNet("padding"), images()),
    "densenet": lambda: linen(DenseNet(), images()),
    "densenet flatten": lambda: linen(DenseNet("flatten"), images()),
    "separable convolutions": lambda: linen(Separable(), images()),
    "squeeze and excitation": lambda: linen(SqueezeExcite(), images()),
    "root mean square norm": lambda: linen(RootMeanSquare(), vectors()),
    "attention": lambda: linen(Attention(), sequences()),
    "lstm": lambda: linen(Recurrent(nn.OptimizedLSTMCell), sequences()),
    "gru": lambda: linen(Recurrent(nn.GRUCell), sequences()),
    "vision transformer": lambda: linen(VisionTransformer(), images(size=4)),
    "half precision": lambda: linen(
        MLP(activation=lambda x: nn.tanh(x.astype(jnp.bfloat16))), vectors()
    ),
    "scanned layers": lambda: linen(Scanned(), vectors()),
    "named tuples": lambda: pure(tuples, (Layer((4, 6), (6,)), (Layer((6, 3), (3,)),)), vectors()),
    "lists": lambda: pure(lists, [[(6, 4), (6,)], [(7, 6), (7,)], [(3, 7), (3,)]], vectors()),
    "tied autoencoder": lambda: pure(
        tied_autoencoder, {"w": (4, 6), "b": (6,), "c": (4,)}, vectors()
    ),
    "recurrent": lambda: pure(recurrent, RECURRENT, vectors()),
    "low rank": lambda: pure(low_rank, {"a": (4, 2), "b": (2, 6), "out": (6, 3)}, vectors()),
    "gated": lambda: pure(gated, {"in": (4, 12), "out": (6, 3)}, vectors()),
    "summed products": lambda: pure(summed_products, UNITS, vectors()),
    "committee": lambda: pure(committee, {"w": (4, 6)}, vectors()),
    "softmax": lambda: pure(softmax_layer, UNITS, vectors()),
    "sort": lambda: pure(sorted_units, UNITS, vectors()),
    "cond": lambda: pure(branches, UNITS, vectors()),
    "loop": lambda: pure(loops, RECURRENT | {"w": (4, 6)}, vectors()),
    "scan over time": lambda: pure(scanned_time, RECURRENT, vectors()),
    "wrapped": lambda: pure(wrapped, UNITS, vectors()),
    "groups": lambda: pure(grouped, UNITS, vectors()),
    "vgg16": lambda: linen(VGG16(2), images(size=16)),
    "resnet-20": lambda: linen(resnet20(2), images()),
    "deep resnet padding": lambda: linen(
        DeepResNet((1, 1, 1), 2, "basic", shortcut="padding"), images()
    ),
    "deep resnet bottleneck": lambda: linen(
        DeepResNet((2, 2), 2, "bottleneck", large_images=True), images(size=16)
    ),
    "u-net": lambda: linen(UNet(), images()),
    "mlp-mixer": lambda: linen(Mixer(), images(size=4)),
    "mixture of experts": lambda: linen(Experts(), vectors()),
    "gpt-2": lambda: linen(GPT2(depth=2, width=8, heads=2, vocabulary=11, context=9), tokens()),
    "llama": lambda: linen(
        Llama(depth=2, width=24, heads=6, key_heads=2, hidden=10, vocabulary=11), tokens()
    ),
}


IN_FAMILIES = {
    "squeeze and excitation",
    "lstm",
    "gru",
    "vision transformer",
    "scanned layers",
    "u-net",
    "mlp-mixer",
    "mixture of experts",
}
"""The networks whose modules are those of `small_families`, where every generator is tried."""


def discovered(case: Case) -> Group:
    """The group of a network."""
    return symmetry.discover(case.apply, case.params, *case.inputs)


@cache
def network(name: str) -> tuple[Case, Group]:
    """A network of the zoo and its group, which all tests of a session share."""
    case = ZOO[name]()
    return case, discovered(case)


def moved_on_host(group: Group, element: Element, params: Any) -> Any:
    """The parameters after one generator after the other has moved them, in NumPy."""
    leaves = named_leaves(params)
    for generator in in_order(group):
        for site in generator.sites:
            part = np.asarray(element[generator.name])
            leaves[site.leaf] = move_leaf(generator, site, part, leaves[site.leaf])
    return jax.tree.unflatten(jax.tree.structure(params), leaves.values())
