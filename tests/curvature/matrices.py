"""Operators of known matrices."""

import jax
import jax.numpy as jnp
import numpy as np

from mconn import curvature

KEY = jax.random.key(0)
PAIRS = {"top": 3, "bottom": 2}
PROBES = {"probes": 30}
QUADRATURE = {"steps": 5, "probes": 4}
"""Sizes that tests share, as every other one is compiled anew."""


def multiply(matrix, vector):
    """The product with a vector of two leaves."""
    product = matrix @ jnp.concatenate([vector["first"], vector["rest"]])
    return {"first": product[:1], "rest": product[1:]}


def operator(matrix, function=multiply):
    matrix = np.asarray(matrix)
    zeros = np.zeros(len(matrix), matrix.dtype)
    return curvature.Custom(function, matrix, {"first": zeros[:1], "rest": zeros[1:]})


def stacked(vectors):
    """The vectors of eigenpairs as rows."""
    return np.concatenate([vectors["first"], vectors["rest"]], axis=1)


def rotated(eigenvalues, seed=0, dtype=np.float64):
    """A dense symmetric matrix with these eigenvalues."""
    size = len(eigenvalues)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    matrix = (turn * np.asarray(eigenvalues, np.float64)) @ turn.T
    return ((matrix + matrix.T) / 2).astype(dtype)
