"""The networks whose weights are aligned, as pure functions of flat ``{"layer/kernel": array}``.

Only their structure matters here: from it the library discovers which axes are permuted together.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import Array

Params = Mapping[str, Array]

BLOCKS = [(stage, block) for stage in range(3) for block in range(3)]


def mlp(params: Params, x: Array) -> Array:
    """Dense layers with ReLU between them."""
    last = len(params) // 2 - 1
    for i in range(last):
        x = jax.nn.relu(dense(params, f"Dense_{i}", x))
    return dense(params, f"Dense_{last}", x)


def vgg16(params: Params, x: Array) -> Array:
    """Thirteen convolutions and three dense layers (Simonyan and Zisserman 2014, table 1, D).

    With LayerNorm, as Ainsworth et al. (2022) have it.
    """
    for i in range(13):
        x = convolution(params, f"Conv_{i}", x) + params[f"Conv_{i}/bias"]
        x = jax.nn.relu(layer_norm(params, f"LayerNorm_{i}", x))
        if i in (1, 3, 6, 9, 12):
            window = (1, 2, 2, 1)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
    x = x.mean((1, 2))
    for i in range(2):
        x = jax.nn.relu(dense(params, f"Dense_{i}", x))
    return dense(params, "Dense_2", x)


def resnet20(params: Params, x: Array) -> Array:
    """Nine residual blocks (He et al. 2015, section 4.2) with LayerNorm.

    The shortcuts that change the number of channels are convolutions of 3 x 3.
    """
    x = jax.nn.relu(layer_norm(params, "norm1", convolution(params, "conv1", x)))
    for stage, block in BLOCKS:
        name = f"blockgroups_{stage}/blocks_{block}"
        stride = 2 if stage > 0 and block == 0 else 1
        y = layer_norm(params, f"{name}/norm1", convolution(params, f"{name}/conv1", x, stride))
        y = convolution(params, f"{name}/conv2", jax.nn.relu(y))
        y = layer_norm(params, f"{name}/norm2", y)
        if stride > 1:
            x = convolution(params, f"{name}/shortcut/layers_0", x, stride)
            x = layer_norm(params, f"{name}/shortcut/layers_1", x)
        x = jax.nn.relu(x + y)
    return dense(params, "dense", x.mean((1, 2)))


def dense(params: Params, name: str, x: Array) -> Array:
    """A dense layer."""
    return x @ params[f"{name}/kernel"] + params[f"{name}/bias"]


def convolution(params: Params, name: str, x: Array, stride: int = 1) -> Array:
    """A convolution without bias that keeps the size of the image, but for the stride."""
    kernel = params[f"{name}/kernel"]
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=layout
    )


def layer_norm(params: Params, name: str, x: Array) -> Array:
    """Normalise the channels of every pixel."""
    centred = x - x.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return centred * scale * params[f"{name}/scale"] + params[f"{name}/bias"]


FAMILIES: dict[str, tuple[Callable[[Params, Array], Array], tuple[int, ...]]] = {
    "mlp": (mlp, (2, 784)),
    "vgg16": (vgg16, (2, 32, 32, 3)),
    "resnet20": (resnet20, (2, 32, 32, 3)),
}
"""For the beginning of a case's name: the network, and the shape of its inputs."""
