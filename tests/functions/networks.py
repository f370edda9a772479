"""A small classifier, its data, and its outputs in NumPy."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np


class Examples(NamedTuple):
    inputs: np.ndarray
    labels: np.ndarray


def apply(params, inputs):
    return jnp.tanh(inputs @ params["in"]) @ params["out"] + params["bias"]


def network(seed, dtype: type = np.float64):
    random = np.random.default_rng(seed)
    shapes = {"in": (5, 7), "out": (7, 3), "bias": (3,)}
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def examples(count, seed=9, dtype: type = np.float64):
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 5)).astype(dtype)
    return Examples(inputs, random.integers(0, 3, count).astype(np.int32))


def mixed(t, a, b):
    return {name: (1 - t) * a[name] + t * b[name] for name in a}


def probabilities(params, inputs):
    logits = np.tanh(inputs @ params["in"]) @ params["out"] + params["bias"]
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def divergence(p, q):
    """Jensen-Shannon, from its definition."""
    middle = (p + q) / 2
    return sum((each * np.log(each / middle)).sum(axis=-1) for each in (p, q)) / 2
