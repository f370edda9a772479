"""Exponentials and real logarithms of stacks of matrices, on any device and under any transform."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

ROOTS = 6
"""Square roots that are taken before the logarithm's rational approximation is used."""

STEPS = 14
"""Newton steps for a square root: they converge quadratically."""

NODES = 8
"""Points of the quadrature of the logarithm near the identity."""


def matrix_exponential(matrices: Float[Array, "*stack n n"]) -> Float[Array, "*stack n n"]:
    """The exponential of every matrix."""
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    return jax.vmap(jax.scipy.linalg.expm)(flat).reshape(matrices.shape)


def matrix_logarithm(matrices: Float[Array, "*stack n n"]) -> Float[Array, "*stack n n"]:
    """The principal logarithm of every matrix; NaN where there is no real one.

    Inverse scaling and squaring (Higham 2008, *Functions of Matrices*, chapter 11): log A is
    2^k log of the 2^k-th root of A, near the identity an integral with a rational integrand. The
    result is kept if its exponential is the matrix again.
    """
    identity = jnp.broadcast_to(jnp.eye(matrices.shape[-1], dtype=matrices.dtype), matrices.shape)
    root = jax.lax.fori_loop(0, ROOTS, lambda _, matrix: square_root(matrix, identity), matrices)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    step = root - identity
    # log(1 + x) is the integral of x / (1 + s x) over s from 0 to 1.
    near = sum(
        0.5 * weight * jnp.linalg.solve(identity + 0.5 * (1 + node) * step, step)
        for node, weight in zip(nodes, weights, strict=True)
    )
    found = jnp.asarray(2**ROOTS * near)
    size = jnp.max(jnp.abs(matrices), axis=(-1, -2))
    error = jnp.max(jnp.abs(matrix_exponential(found) - matrices), axis=(-1, -2)) / size
    is_right = error < jnp.finfo(matrices.dtype).eps ** 0.5
    return jnp.where(is_right[..., None, None], found, jnp.nan)


def square_root(
    matrix: Float[Array, "*stack n n"], identity: Float[Array, "*stack n n"]
) -> Float[Array, "*stack n n"]:
    """The principal square root, by the iteration of Denman and Beavers (1976)."""

    def step(_: Any, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        root, inverse = pair
        return 0.5 * (root + jnp.linalg.inv(inverse)), 0.5 * (inverse + jnp.linalg.inv(root))

    return jax.lax.fori_loop(0, STEPS, step, (matrix, identity))[0]
