"""Small networks with their dense matrices of curvature, in double precision."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from mconn.landscape import Classification
from mconn.models import MLP

MODEL = MLP(width=4, depth=2, classes=3, activation="tanh")
RECTIFIED = MLP(width=4, depth=2, classes=3)
NORMALISED = MLP(width=4, depth=1, classes=3, activation="tanh", normaliser="batch")
APPLY = MODEL.apply
LOSS = Classification(APPLY)
ROWS = 59
"""The number of parameters of MODEL."""


class Examples(NamedTuple):
    inputs: np.ndarray
    labels: np.ndarray


def network(seed=0, model=MODEL, dtype=np.float64):
    generator = np.random.default_rng(seed)
    kinds = jax.eval_shape(lambda key: model.init(key, jnp.zeros((1, 5))), jax.random.key(0))

    def draw(path, kind):
        values = 0.8 * generator.normal(size=kind.shape)
        return (abs(values) + 0.3 if "var" in jax.tree_util.keystr(path) else values).astype(dtype)

    return jax.tree_util.tree_map_with_path(draw, kinds)


def turned(params):
    """The same function with the hidden units in the opposite order."""
    first, second, last = params["params"].values()
    return {
        "params": {
            "Dense_0": {"bias": first["bias"][::-1], "kernel": first["kernel"][:, ::-1]},
            "Dense_1": {"bias": second["bias"][::-1], "kernel": second["kernel"][::-1, ::-1]},
            "Dense_2": {"bias": last["bias"], "kernel": last["kernel"][::-1]},
        }
    }


def examples(count=7, seed=9, dtype=np.float64):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(count, 5)).astype(dtype)
    return Examples(inputs, generator.integers(0, 3, count).astype(np.int32))


def dense(params, data, loss=LOSS):
    """The Hessian of the mean loss, rows in the order of the flattened leaves."""
    return np.asarray(dense_hessian(loss, params, data))


@partial(jax.jit, static_argnums=0)
def dense_hessian(loss, params, data):
    flat, unravel = ravel_pytree(params)
    return jax.hessian(lambda flat: loss(unravel(flat), data)["loss"].mean())(flat)


@jax.jit
def score_jacobian(params, data):
    """The gradient of log p(y) for every example and label, and p."""
    flat, unravel = ravel_pytree(params)

    def log_probabilities(flat):
        return jax.nn.log_softmax(APPLY(unravel(flat), data.inputs))

    return jax.jacobian(log_probabilities)(flat), jnp.exp(log_probabilities(flat))


def flat(tree):
    """All entries of a tree or a vector, on the host."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def vector(flat, template):
    """The tree with these entries."""
    leaves, structure = jax.tree.flatten(template)
    parts = np.split(flat, np.cumsum([leaf.size for leaf in leaves])[:-1])
    return jax.tree.unflatten(
        structure,
        [np.reshape(part, leaf.shape) for part, leaf in zip(parts, leaves, strict=True)],
    )


def columns(operator):
    """The operator's matrix, column by column."""
    unit = np.eye(operator.dimension)
    return np.stack([flat(operator(vector(row, operator.template))) for row in unit], axis=1)


class Counting:
    """A function that counts how often it is traced."""

    def __init__(self, function):
        self.function, self.traces = function, 0

    def __call__(self, *arguments):
        self.traces += 1
        return self.function(*arguments)
