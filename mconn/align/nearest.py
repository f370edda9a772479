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

Matrices = Float[Array, "... n n"]
Potentials = tuple[Float[Array, "stack n"], Float[Array, "stack n"]]
"""The dual variables of Sinkhorn's iteration for the rows and the columns, one pair per matrix."""


def nearest_permutation(latents: Matrices) -> Int[Array, "... n"]:
    """The permutation p with the largest sum_i latents[i, p[i]]; exact, and works under ``jit``.

    Latents that are not finite count as 0. On a CPU the host solves the assignments by SciPy, which
    is about four times faster than optax's on the device; elsewhere nothing leaves the device.
    """
    shape, size = latents.shape[:-1], latents.shape[-1]
    if jax.default_backend() == "cpu":
        result = jax.ShapeDtypeStruct(shape, jnp.int32)
        return jax.pure_callback(assign_on_host, result, latents, vmap_method="expand_dims")
    from optax.assignment import hungarian_algorithm

    def assign(matrix: Array) -> Array:
        rows, columns = hungarian_algorithm(-matrix)
        return jnp.zeros(size, jnp.int32).at[rows].set(columns.astype(jnp.int32))

    stack = jnp.nan_to_num(latents).reshape(-1, size, size)
    return jax.vmap(assign)(stack).reshape(shape)


def assign_on_host(latents: Any) -> np.ndarray:
    """The assignments of a stack of matrices, by SciPy."""
    from scipy.optimize import linear_sum_assignment

    latents = np.nan_to_num(np.asarray(latents))
    stack = latents.reshape(-1, *latents.shape[-2:])
    columns = [linear_sum_assignment(matrix, maximize=True)[1] for matrix in stack]
    return np.asarray(columns, np.int32).reshape(latents.shape[:-1])


@jax.custom_vjp
def straight_through(latents: Matrices) -> Matrices:
    """The matrix of the nearest permutation; its gradient passes to the latents as it is.

    Bengio et al. 2013, arXiv:1308.3432; Ainsworth et al. 2023, section 3.3.
    """
    return jnp.eye(latents.shape[-1], dtype=latents.dtype)[nearest_permutation(latents)]


straight_through.defvjp(
    lambda latents: (straight_through(latents), None), lambda _, cotangent: (cotangent,)
)


@jax.custom_vjp
def polar(latents: Matrices) -> Matrices:
    """The nearest orthogonal matrix U V^T, for latents U S V^T."""
    left, _, right = jnp.linalg.svd(latents)
    return jnp.matmul(left, right, precision="highest")


def polar_forward(latents: Matrices) -> tuple[Matrices, Any]:
    """The factor, and what its gradient needs."""
    left, values, right = jnp.linalg.svd(latents)
    return jnp.matmul(left, right, precision="highest"), (left, values, right)


def polar_backward(kept: Any, cotangent: Matrices) -> tuple[Matrices]:
    """The gradient of U V^T.

    A change dZ of the latents turns the factor by U W V^T, with the antisymmetric matrix
    W_ij = (M - M^T)_ij / (s_i + s_j) for M = U^T dZ V. The derivative of U and V each would divide
    by s_i - s_j, which is 0 at an orthogonal matrix.
    """
    left, values, right = kept
    # Two singular values of 0 leave the factor undetermined; then there is no gradient.
    sums = values[..., :, None] + values[..., None, :]
    inner = product(left.swapaxes(-1, -2), cotangent, right.swapaxes(-1, -2))
    turned = (inner - inner.swapaxes(-1, -2)) / jnp.where(sums > 0, sums, jnp.inf)
    return (product(left, turned, right),)


polar.defvjp(polar_forward, polar_backward)


def product(*factors: Array) -> Array:
    """The product of matrices at full precision."""
    first, *others = factors
    for other in others:
        first = jnp.matmul(first, other, precision="highest")
    return first


def sinkhorn(
    latents: Float[Array, "stack n n"],
    epsilon: Float[Array, ""],
    start: Potentials,
    threshold: float = 1e-3,
    iterations: int = 200,
) -> tuple[Float[Array, "stack n n"], Potentials]:
    """The doubly stochastic matrix P that maximises <P, Z> + epsilon * entropy of P.

    Cuturi 2013; as a relaxed permutation, Pena et al. 2023, equation 5. OTT finds the fixed point;
    the gradient is that of the fixed point (Pena et al. 2023, section 3.2).

    Args:
        latents: Z.
        epsilon: the temperature; at 0 P is the nearest permutation.
        start: potentials to start from, such as those of latents nearby; zeros will do.
        threshold: how far the sums of a matrix's rows and columns may be off, summed, over n.
        iterations: the most iterations.

    Returns:
        P, and the potentials, which have no gradient.
    """
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    solver = Sinkhorn(threshold=threshold, max_iterations=iterations, implicit_diff=None)

    def solve(latents: Array, epsilon: Array, start: Any) -> Any:
        problem = LinearProblem(Geometry(cost_matrix=-latents, epsilon=epsilon))
        found = solver(problem, init=start)
        return found.matrix * len(latents), (found.potentials[0], found.potentials[1])

    # OTT 0.6's own implicit gradient stops on near-permutations, and takes no other solver.
    differentiable = jax.custom_vjp(solve)

    def forward(latents: Array, epsilon: Array, start: Any) -> Any:
        result = solve(latents, epsilon, start)
        return result, (result[0], epsilon, start)

    def backward(kept: Any, cotangents: Any) -> Any:
        matrix, epsilon, start = kept
        gradient = sinkhorn_gradient(matrix, cotangents[0]) / epsilon
        return gradient, jnp.zeros_like(epsilon), jax.tree.map(jnp.zeros_like, start)

    differentiable.defvjp(forward, backward)
    return jax.vmap(differentiable, in_axes=(0, None, 0))(latents, epsilon, start)


def sinkhorn_gradient(matrix: Float[Array, "n n"], cotangent: Array) -> Float[Array, "n n"]:
    """The gradient in Z / epsilon of P = exp((Z + f + g) / epsilon), of which all sums are 1.

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
