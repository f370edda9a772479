"""Two hidden layers of rectifiers, their features in NumPy, and their symmetry."""

import functools

import jax.numpy as jnp
import numpy as np

from mconn import symmetry

INPUTS, FIRST, SECOND, OUTPUTS = 5, 6, 4, 3


def apply(params, x):
    for name in ("first", "second"):
        x = jnp.maximum(x @ params[name]["kernel"] + params[name]["bias"], 0)
    return x @ params["last"]["kernel"] + params["last"]["bias"]


def network(seed, dtype: type = np.float64):
    random = np.random.default_rng(seed)
    shapes = {"first": (INPUTS, FIRST), "second": (FIRST, SECOND), "last": (SECOND, OUTPUTS)}
    return {
        name: {
            "kernel": random.normal(size=shape).astype(dtype),
            "bias": random.normal(size=shape[1]).astype(dtype),
        }
        for name, shape in shapes.items()
    }


def inputs(count, seed=9, dtype: type = np.float64):
    return np.random.default_rng(seed).normal(size=(count, INPUTS)).astype(dtype)


@functools.cache
def group():
    """The permutations of the hidden units."""
    found = symmetry.discover(apply, network(0, np.float32), inputs(2, dtype=np.float32))
    return symmetry.permutations(found)


def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"]


def before(params, x):
    """The pre-activations of both hidden layers, by the name of the layer."""
    first = dense(params["first"], x)
    return {"first": first, "second": dense(params["second"], first.clip(0))}


def after(params, x):
    """The features of both hidden layers."""
    return {name: value.clip(0) for name, value in before(params, x).items()}


def mixed(t, a, b):
    return {
        name: {part: (1 - t) * a[name][part] + t * b[name][part] for part in a[name]} for name in a
    }


def square(array):
    return float((array**2).sum())
