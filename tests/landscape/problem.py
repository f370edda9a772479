"""A small classifier, its data, and paths between its networks."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from mconn import landscape


class Examples(NamedTuple):
    inputs: np.ndarray
    labels: np.ndarray


def apply(params, inputs):
    return jnp.tanh(inputs @ params["in"]) @ params["out"] + params["bias"]


def network(seed, dtype=np.float32):
    generator = np.random.default_rng(seed)
    return {
        "in": generator.normal(size=(5, 7)).astype(dtype),
        "out": generator.normal(size=(7, 3)).astype(dtype),
        "bias": generator.normal(size=3).astype(dtype),
    }


def examples(count, seed=9, dtype=np.float32):
    generator = np.random.default_rng(seed)
    return Examples(
        generator.normal(size=(count, 5)).astype(dtype),
        generator.integers(0, 3, count).astype(np.int32),
    )


CLASSIFY = landscape.Classification(apply)
