"""Networks of the zoo with their dense matrices, and operators of matrices that are known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from mconn import curvature
from mconn.data import Split
from mconn.landscape import Classification
from tests import zoo

KEY = jax.random.key(3)
APPLY = zoo.tanh_mlp
LOSS, RECTIFIED, NORMALISED = map(Classification, (zoo.tanh_mlp, zoo.mlp, zoo.normalised))
COUNT, BATCH = 11, 4
"""Of three batches the last one is filled up."""
ROWS = 79
"""The number of parameters; the first 36 are those of the first layer, then come 28 and 15."""
PAIRS = {"top": 3, "bottom": 2}
PROBES = {"probes": 30}
QUADRATURE = {"steps": 5, "probes": 4}
"""Sizes that tests share, as every other one is compiled anew."""


def network(seed=0, apply=APPLY, dtype=np.float64):
    return jax.tree.map(lambda leaf: leaf.astype(dtype), zoo.draw(apply, seed))


def examples(seed=0, dtype=np.float64):
    drawn = zoo.examples(COUNT, seed)
    return Split(drawn.inputs.astype(dtype), drawn.labels)


at = jax.jit(lambda path, t: path(t))
"""The network at a point of a path, by one program."""


def hessian(seed=0, data=None, loss=LOSS):
    return curvature.hessian(loss, network(seed), data or examples(), batch_size=BATCH)


@partial(jax.jit, static_argnums=0)
def _dense(loss, params, data, weights):
    flat, unravel = ravel_pytree(params)
    return jax.hessian(lambda flat: weights @ loss(unravel(flat), data)["loss"])(flat)


def dense(params, data, loss=LOSS, weights=None):
    """The Hessian of the mean loss, or of a weighted sum; rows as in the flattened leaves."""
    weights = np.full(COUNT, 1 / COUNT) if weights is None else weights
    return np.asarray(_dense(loss, params, data, weights))


@jax.jit
def _outputs_and_jacobian(params, data):
    flat, unravel = ravel_pytree(params)

    def outputs(flat):
        return APPLY(unravel(flat), data.inputs)

    return outputs(flat), jax.jacobian(outputs)(flat)


def explicit(params, data):
    """The Jacobian of the logits, the probabilities, and the gradient of log p of each label."""
    outputs, jacobian = map(np.asarray, _outputs_and_jacobian(params, data))
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return jacobian, shares, jacobian - np.einsum("nc,ncp->np", shares, jacobian)[:, None]


def gradient(params, data):
    _, _, slopes = explicit(params, data)
    return -slopes[np.arange(COUNT), data.labels].mean(axis=0)


def flat(tree):
    """All entries of a tree or a vector, on the host."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def columns(operator):
    """The operator's matrix, column by column."""
    return np.stack([operator @ row for row in np.eye(operator.dimension)], axis=1)


def rows_of(vectors):
    """The vectors of eigenpairs, as rows."""
    leaves = jax.tree.leaves(vectors)
    return np.concatenate([np.reshape(leaf, (len(leaf), -1)) for leaf in leaves], axis=1)


def multiply(matrix, vector):
    """The product with a vector of two leaves."""
    product = matrix @ jnp.concatenate([vector["first"], vector["rest"]])
    return {"first": product[:1], "rest": product[1:]}


def of_matrix(matrix, function=multiply):
    matrix = np.asarray(matrix)
    zeros = np.zeros(len(matrix), matrix.dtype)
    return curvature.Custom(function, matrix, {"first": zeros[:1], "rest": zeros[1:]})


def rotated(eigenvalues, seed=0, dtype=np.float64):
    """A dense symmetric matrix with these eigenvalues."""
    size = len(eigenvalues)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    matrix = (turn * np.asarray(eigenvalues, np.float64)) @ turn.T
    return ((matrix + matrix.T) / 2).astype(dtype)


class Counting:
    """A function that counts how often it is traced."""

    def __init__(self, function):
        self.function, self.traces = function, 0

    def __call__(self, *arguments):
        self.traces += 1
        return self.function(*arguments)
