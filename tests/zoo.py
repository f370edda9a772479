"""The tiny networks that all tests share: 5 inputs, widths 6 and 4, 3 classes, 12 examples.

One shape, so that one compiled program serves many tests: a test varies the values, by the seed,
and not the sizes. Everything here is a plain function, hashable, with its parameters as argument.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mconn import symmetry
from mconn.data import Split
from mconn.symmetry import Group

INPUTS, WIDTHS, CLASSES, EXAMPLES = 5, (6, 4), 3, 12


def mlp(params: Any, inputs: Any) -> Any:
    """ReLU."""
    return _perceptron(params, inputs, jax.nn.relu)


def tanh_mlp(params: Any, inputs: Any) -> Any:
    """Tanh, which has signs where ReLU has scales."""
    return _perceptron(params, inputs, jnp.tanh)


def normalised(params: Any, inputs: Any) -> Any:
    """BatchNorm with stored statistics before each ReLU."""
    x = inputs
    for number in range(len(WIDTHS)):
        x, name = _dense(params, f"Dense_{number}", x), f"BatchNorm_{number}"
        stored, here = params["batch_stats"][name], params["params"][name]
        x = (x - stored["mean"]) * jax.lax.rsqrt(stored["var"] + 1e-5)
        x = jax.nn.relu(x * here["scale"] + here["bias"])
    return _dense(params, "Dense_2", x)


def residual(params: Any, inputs: Any) -> Any:
    """A stream of 6 units to which a block of 4 adds."""
    x = jax.nn.relu(_dense(params, "Dense_0", inputs))
    inner = jax.nn.relu(_dense(params, "Dense_1", x))
    return _dense(params, "Dense_3", x + _dense(params, "Dense_2", inner))


def convolution(params: Any, inputs: Any) -> Any:
    """Convolutions over the 5 inputs as positions of one channel, and a mean over them."""
    x = inputs[:, :, None]
    for number in range(len(WIDTHS)):
        here = params["params"][f"Conv_{number}"]
        x = jax.lax.conv_general_dilated(
            x, here["kernel"], (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC")
        )
        x = jax.nn.relu(x + here["bias"])
    return _dense(params, "Dense_0", x.mean(axis=1))


def attention(params: Any, inputs: Any) -> Any:
    """Two heads of 2 over the 5 inputs as tokens of a stream of 6, and a mean over them."""
    x = inputs[:, :, None] * params["params"]["embedding"] + params["params"]["positions"]
    heads = params["params"]["heads"]
    query, key, value = (jnp.einsum("nti,ihd->nthd", x, heads[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("nthd,nshd->nhts", query, key))
    x = x + jnp.einsum("nhts,nshd,hdo->nto", weights, value, heads["o"])
    return _dense(params, "Dense_0", x.mean(axis=1))


_DENSE = {"Dense_0": (INPUTS, 6), "Dense_1": (6, 4), "Dense_2": (4, CLASSES)}
_SHAPES: dict[Callable, dict[str, Any]] = {
    mlp: _DENSE,
    tanh_mlp: _DENSE,
    normalised: _DENSE,
    residual: {
        "Dense_0": (INPUTS, 6),
        "Dense_1": (6, 4),
        "Dense_2": (4, 6),
        "Dense_3": (6, CLASSES),
    },
    convolution: {"Conv_0": (3, 1, 6), "Conv_1": (3, 6, 4), "Dense_0": (4, CLASSES)},
    attention: {"Dense_0": (6, CLASSES)},
}

NETWORKS = tuple(_SHAPES)
"""All of them."""


def draw(apply: Callable, seed: int = 0) -> Any:
    """Parameters of a network, in single precision; another seed, another network."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    def layer(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        return {"kernel": normal(*shape, scale=scale), "bias": normal(shape[-1], scale=0.1)}

    params: dict[str, Any] = {name: layer(shape) for name, shape in _SHAPES[apply].items()}
    if apply is attention:
        params |= {
            "embedding": normal(6),
            "positions": normal(5, 6),
            "heads": {name: normal(6, 2, 2, scale=0.6) for name in "qkv"}
            | {"o": normal(2, 2, 6, scale=0.6)},
        }
    if apply is not normalised:
        return {"params": params}
    stored = {}
    for number, width in enumerate(WIDTHS):
        params[f"BatchNorm_{number}"] = {
            "scale": 1 + normal(width, scale=0.2),
            "bias": normal(width),
        }
        stored[f"BatchNorm_{number}"] = {"mean": normal(width), "var": 1 + normal(width) ** 2}
    return {"params": params, "batch_stats": stored}


@functools.cache
def examples(count: int = EXAMPLES, seed: int = 0) -> Split:
    """Examples that no test changes; use another seed rather than another count."""
    rng = np.random.default_rng([seed, 1])
    inputs = rng.standard_normal((count, INPUTS)).astype(np.float32)
    inputs.setflags(write=False)
    return Split(inputs, rng.integers(CLASSES, size=count).astype(np.int32))


@functools.cache
def group(apply: Callable) -> Group:
    """The network's group; discovered once in a session."""
    return symmetry.discover(apply, draw(apply), examples().inputs[:2])


@functools.cache
def permutations(apply: Callable) -> Group:
    """The permutations of the network's group."""
    return symmetry.permutations(group(apply))


def _perceptron(params: Any, inputs: Any, activation: Callable) -> Any:
    x = inputs
    for number in range(len(WIDTHS)):
        x = activation(_dense(params, f"Dense_{number}", x))
    return _dense(params, "Dense_2", x)


def _dense(params: Any, name: str, inputs: Any) -> Any:
    here = params["params"][name]
    return inputs @ here["kernel"] + here["bias"]
