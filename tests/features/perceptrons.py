"""The zoo's perceptron in double precision, its features in NumPy, and its permutations."""

import jax
import numpy as np

from mconn import features
from tests import zoo

apply = zoo.mlp
COUNT = 60


def double(params):
    return jax.tree.map(np.float64, params)


def network(seed, apply=zoo.mlp):
    """Parameters with biases that keep most units alive on some inputs only."""
    return double(zoo.draw(apply, seed))


def inputs(seed=9):
    return np.random.default_rng(seed).normal(size=(COUNT, zoo.INPUTS))


def group():
    """The permutations of the hidden units."""
    return zoo.permutations(apply)


def units(moment="after"):
    return features.Units(group(), apply, moment)


def dense(params, number, x):
    layer = params["params"][f"Dense_{number}"]
    return x @ layer["kernel"] + layer["bias"]


def before(params, x):
    """The pre-activations of both hidden layers, by the name of the layer."""
    first = dense(params, 0, x)
    return {"Dense_0": first, "Dense_1": dense(params, 1, first.clip(0))}


def after(params, x):
    """The features of both hidden layers."""
    return {name: value.clip(0) for name, value in before(params, x).items()}


def mixed(t, a, b):
    return jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b)


def square(array):
    return float((np.asarray(array) ** 2).sum())
