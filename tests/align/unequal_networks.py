"""Small networks of any width, as functions of their parameters, for the tests of soft maps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from mconn import symmetry


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def mlp(params, x):
    """Two hidden layers; the second is concatenated to an embedding of the inputs."""
    hidden = jax.nn.relu(x @ params["w0"] + params["b0"])
    hidden = jax.nn.gelu(hidden @ params["w1"] + params["b1"])
    joined = jnp.concatenate([x @ params["skip"], hidden], axis=1)
    return joined @ params["w2"] + params["b2"]


def cnn(params, x):
    """Two convolutions with BatchNorm, pooled and flattened for a dense layer."""
    images = x.reshape(-1, 4, 4, 1)
    hidden = convolve(images, params["k0"])
    scale = params["scale"] / jnp.sqrt(params["variance"] + 1e-5)
    hidden = jax.nn.relu((hidden - params["mean"]) * scale + params["shift"])
    hidden = jnp.tanh(convolve(hidden, params["k1"]) + params["b1"])
    pooled = hidden.reshape(-1, 2, 2, 2, 2, hidden.shape[-1]).max(axis=(2, 4))
    return pooled.reshape(len(x), -1) @ params["w"]


def residual(params, x):
    """A residual stream with one block and a linear map of the stream."""
    stream = x @ params["embed"]
    stream = stream + jnp.tanh(stream @ params["in"]) @ params["out"]
    return (stream @ params["mix"]) @ params["head"]


def layer_norm(params, x):
    """A hidden layer with LayerNorm."""
    hidden = x @ params["w0"]
    centred = hidden - hidden.mean(axis=-1, keepdims=True)
    hidden = centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return jax.nn.relu(hidden * params["scale"] + params["shift"]) @ params["w1"]


def mlp_shapes(first, second):
    return {
        "w0": (16, first),
        "b0": (first,),
        "w1": (first, second),
        "b1": (second,),
        "skip": (16, 3),
        "w2": (second + 3, 2),
        "b2": (2,),
    }


def cnn_shapes(first, second):
    channels = dict.fromkeys(("scale", "shift", "mean", "variance"), (first,))
    return {
        "k0": (3, 3, 1, first),
        **channels,
        "k1": (3, 3, first, second),
        "b1": (second,),
        "w": (4 * second, 2),
    }


def residual_shapes(stream, block):
    return {
        "embed": (16, stream),
        "in": (stream, block),
        "out": (block, stream),
        "mix": (stream, stream + 1),
        "head": (stream + 1, 2),
    }


def layer_norm_shapes(first, _):
    return {"w0": (16, first), "scale": (first,), "shift": (first,), "w1": (first, 2)}


NETWORKS = {
    "mlp": (mlp, mlp_shapes),
    "cnn": (cnn, cnn_shapes),
    "residual": (residual, residual_shapes),
    "layer norm": (layer_norm, layer_norm_shapes),
}

INPUTS = np.random.default_rng(7).normal(size=(40, 16))


def network(name, widths, seed=0):
    """The function, the group and the parameters, in double precision."""
    apply, shapes = NETWORKS[name]
    generator = np.random.default_rng(seed)
    params = {
        leaf: generator.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
        for leaf, shape in shapes(*widths).items()
    }
    if "variance" in params:
        params["variance"] = params["variance"] ** 2 + 0.1
    return apply, group_of(name, widths), params


@functools.cache
def group_of(name, widths):
    """The group of a network, which depends on its widths alone."""
    apply, shapes = NETWORKS[name]
    params = {leaf: np.ones(shape, np.float32) for leaf, shape in shapes(*widths).items()}
    return symmetry.discover(apply, params, INPUTS[:2].astype(np.float32))


def outputs(apply, params):
    """The outputs in double precision."""
    with jax.enable_x64(True):
        return np.asarray(compiled(apply)(params, INPUTS))


@functools.cache
def compiled(apply):
    """One program for each shape, where an eager call is many small ones."""
    return jax.jit(apply)
