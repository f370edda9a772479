"""Elements near a matrix of latent numbers, and how their gradients pass to it.

A gradient method needs a space without constraints: of each permutation or rotation it moves a
square matrix of latents, and an element is read off that matrix. All functions take a stack of
matrices, one per generator and copy.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.align import solvers

_Matrices = Float[Array, "... n n"]
Potentials = tuple[Float[Array, "stack n"], Float[Array, "stack n"]]
"""The dual variables of Sinkhorn's iteration for the rows and the columns, one pair per matrix."""


def nearest_permutation(latents: _Matrices) -> Int[Array, "... n"]:
    """The permutation p with the largest sum_i latents[i, p[i]]; exact, and works under ``jit``.

    Latents that are not finite are taken as finite ones. On a CPU the host solves the assignments
    by SciPy, which is about four times faster than optax's on the device; elsewhere nothing leaves
    the device.
    """
    if jax.default_backend() != "cpu":
        return assign_on_device(latents)
    result = jax.ShapeDtypeStruct(latents.shape[:-1], jnp.int32)
    return jax.pure_callback(_assign_on_host, result, latents, vmap_method="expand_dims")


def _assign_on_host(latents: Any) -> Int[np.ndarray, "... n"]:
    return solvers.assign(np.nan_to_num(np.asarray(latents))).astype(np.int32)


def assign_on_device(latents: _Matrices) -> Int[Array, "... n"]:
    """The assignments of a stack of matrices, by optax."""
    stack = jnp.nan_to_num(latents).reshape(-1, *latents.shape[-2:])
    return jax.vmap(solvers.assign_on_device)(stack).reshape(latents.shape[:-1])


@jax.custom_vjp
def straight_through(latents: _Matrices) -> _Matrices:
    """The matrix of the nearest permutation; its gradient passes to the latents as it is.

    Bengio et al. 2013, arXiv:1308.3432; Ainsworth et al. 2023, section 3.3.
    """
    return jnp.eye(latents.shape[-1], dtype=latents.dtype)[nearest_permutation(latents)]


straight_through.defvjp(
    lambda latents: (straight_through(latents), None), lambda _, cotangent: (cotangent,)
)


@jax.custom_vjp
def polar(latents: _Matrices) -> _Matrices:
    """The nearest orthogonal matrix U V^T, for latents U S V^T."""
    left, _, right = jnp.linalg.svd(latents)
    return jnp.matmul(left, right, precision="highest")


def _polar_forward(latents: _Matrices) -> tuple[_Matrices, Any]:
    left, values, right = jnp.linalg.svd(latents)
    return jnp.matmul(left, right, precision="highest"), (left, values, right)


def _polar_backward(kept: Any, cotangent: _Matrices) -> tuple[_Matrices]:
    """The gradient of U V^T.

    A change dZ of the latents turns the factor by U W V^T, with the antisymmetric matrix
    W_ij = (M - M^T)_ij / (s_i + s_j) for M = U^T dZ V. The derivative of U and V each would divide
    by s_i - s_j, which is 0 at an orthogonal matrix.
    """
    left, values, right = kept
    # Two singular values of 0 leave the factor undetermined; then there is no gradient.
    sums = values[..., :, None] + values[..., None, :]
    inner = _product(left.swapaxes(-1, -2), cotangent, right.swapaxes(-1, -2))
    turned = (inner - inner.swapaxes(-1, -2)) / jnp.where(sums > 0, sums, jnp.inf)
    return (_product(left, turned, right),)


polar.defvjp(_polar_forward, _polar_backward)


def _product(*factors: Array) -> Array:
    first, *others = factors
    for other in others:
        first = jnp.matmul(first, other, precision="highest")
    return first


def sinkhorn(
    logits: Float[Array, "stack n n"],
    start: Potentials,
    threshold: float = 1e-3,
    iterations: int = 200,
) -> tuple[Float[Array, "stack n n"], Potentials]:
    """The doubly stochastic matrix P = exp(L + f + g), which maximises <P, L> + entropy of P.

    Cuturi 2013, arXiv:1306.0895; as a relaxed permutation, Pena et al. 2023, arXiv:2212.12042. OTT
    finds the potentials f and g, from ``start``; the gradient is that of the fixed point. The
    iteration ends where the sums of rows and columns are off by ``threshold`` times n, summed.
    """
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    solver = Sinkhorn(threshold=threshold, max_iterations=iterations, implicit_diff=None)

    def solve(logits: Array, start: Any) -> Any:
        found = solver(LinearProblem(Geometry(cost_matrix=-logits, epsilon=1.0)), init=start)
        return found.matrix * len(logits), (found.potentials[0], found.potentials[1])

    def forward(logits: Array, start: Any) -> Any:
        result = solve(logits, start)
        return result, (result[0], start)

    def backward(kept: Any, cotangents: Any) -> Any:
        matrix, start = kept
        return _sinkhorn_gradient(matrix, cotangents[0]), jax.tree.map(jnp.zeros_like, start)

    # The implicit gradient of OTT 0.6 fails on matrices close to a permutation: its linear system
    # becomes singular, and the solver of it cannot be changed.
    differentiable = jax.custom_vjp(solve)
    differentiable.defvjp(forward, backward)
    return jax.vmap(differentiable)(logits, start)


def _sinkhorn_gradient(matrix: Float[Array, "n n"], cotangent: Array) -> Float[Array, "n n"]:
    """The gradient in L of P = exp(L + f + g), of which all rows and columns sum to 1.

    It is P * (G - x - y) for the cotangent G, where the x of the rows and the y of the columns make
    all its sums 0: x + P y = r and P^T x + y = c with the sums r and c of P * G.
    """
    weighted = matrix * cotangent
    rows, columns = weighted.sum(axis=1), weighted.sum(axis=0)

    def without_columns(x: Array) -> Array:
        # A constant may go from x to y; the mean settles that, and the last term rounding errors.
        return x - matrix @ (x @ matrix) + x.mean() + 1e-6 * x

    x, _ = jax.scipy.sparse.linalg.cg(
        without_columns, rows - matrix @ columns, tol=1e-5, maxiter=30
    )
    y = columns - x @ matrix
    return matrix * (cotangent - x[:, None] - y)
