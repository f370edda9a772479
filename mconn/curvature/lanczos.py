"""Lanczos with thick restarts: the compiled search for extreme eigenvalues.

K. Wu and H. Simon, *Thick-restart Lanczos method for large symmetric eigenvalue problems* (SIAM J.
Matrix Anal. Appl. 2000). Every new direction is made orthogonal to all that are kept, so that no
eigenvalue is found twice because of rounding, in single precision as well.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from mconn.curvature.ritz import Search, decomposed, estimate
from mconn.types import Key

Multiply = Callable[[Array], Array]

ROWS = 4
"""Directions that are orthogonalised against at a time."""

EXPLORED = 10
"""Products with fresh random directions before a space that is invariant is believed."""


class State(NamedTuple):
    """A factorisation A V = V T + residual.

    Attributes:
        vectors: the directions V, then the next one, then rows of zeros.
        matrix: T, of which the first ``size`` rows and columns are filled.
        coupling: what the next direction has to do with each of the earlier ones.
        size: the number of directions that are multiplied.
        beta: the norm of the residual.
        products: spent so far.
        earliest: the number of products before which the search must not end.
        done: whether all wanted errors are within the tolerance, or the space is exhausted.
    """

    vectors: Float[Array, "rows dimension"]
    matrix: Float[Array, "basis basis"]
    coupling: Float[Array, " basis"]
    size: Int[Array, ""]
    beta: Float[Array, ""]
    products: Int[Array, ""]
    earliest: Int[Array, ""]
    done: Bool[Array, ""]


class Found(NamedTuple):
    """What a search found.

    Attributes:
        values: the largest from the highest down, then the smallest from the lowest up.
        vectors: their vectors, of length one.
        residuals: |A x - value x|.
        errors: of the values.
        norm: the largest absolute eigenvalue that was seen.
        products: with the operator.
    """

    values: Float[Array, " wanted"]
    vectors: Float[Array, "wanted dimension"]
    residuals: Float[Array, " wanted"]
    errors: Float[Array, " wanted"]
    norm: Float[Array, ""]
    products: Int[Array, ""]


def search(
    multiply: Multiply, start: Float[Array, " dimension"], key: Key, plan: Search, tolerance: Any
) -> Found:
    """Search the extreme eigenvalues; to be traced.

    Args:
        multiply: the operator.
        start: the first direction; not zero.
        key: for fresh directions where a space is exhausted.
        plan: what is searched for.
        tolerance: of the errors of the values, relative to the norm of the operator.
    """

    def unfinished(state: State) -> Array:
        # A product that is not finite ends the search; NaN is not below infinity.
        return ~state.done & (state.products < plan.products) & (state.beta < jnp.inf)

    def cycle(state: State) -> State:
        # Loops of one turn at most, as a conditional would copy all directions.
        state = jax.lax.while_loop(
            lambda state: state.size == plan.basis, lambda state: restarted(state, plan), state
        )
        return jax.lax.while_loop(
            lambda state: unfinished(state) & (state.size < plan.basis),
            lambda state: expanded(multiply, state, key, plan, tolerance),
            state,
        )

    state = jax.lax.while_loop(unfinished, cycle, first(start, plan))
    found = estimate(state.matrix, state.size, state.beta, plan)
    vectors = found.combinations @ state.vectors[: plan.basis]
    return Found(
        values=found.values,
        vectors=vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True),
        residuals=found.residuals,
        errors=found.errors,
        norm=found.norm,
        products=state.products,
    )


def first(start: Float[Array, " dimension"], plan: Search) -> State:
    """The state before any product."""
    kind = start.dtype
    rows = ROWS * -(-(plan.basis + 1) // ROWS)
    vectors = jnp.zeros((rows, len(start)), kind).at[0].set(start / jnp.linalg.norm(start))
    count = jnp.zeros((), jnp.int32)
    return State(
        vectors=vectors,
        matrix=jnp.zeros((plan.basis, plan.basis), kind),
        coupling=jnp.zeros(plan.basis, kind),
        size=count,
        beta=jnp.zeros((), kind),
        products=count,
        earliest=count,
        done=jnp.zeros((), bool),
    )


def expanded(multiply: Multiply, state: State, key: Key, plan: Search, tolerance: Any) -> State:
    """One product more."""
    vectors, last = state.vectors, state.size
    rest = multiply(vectors[last])
    alpha = vectors[last] @ rest
    rest = rest - alpha * vectors[last]
    # What is known of the product is taken off first: then one pass over all directions leaves
    # them orthogonal to rounding.
    several = jnp.count_nonzero(state.coupling) > 1
    rest = jax.lax.fori_loop(
        jnp.where(several, 0, jnp.maximum(last - 1, 0)),
        last,
        lambda i, rest: rest - state.coupling[i] * vectors[i],
        rest,
    )
    rest, removed = orthogonalised(rest, vectors, last + 1)
    beta = jnp.linalg.norm(rest)

    matrix = state.matrix.at[last].set(state.coupling).at[:, last].set(state.coupling)
    matrix = matrix.at[last, last].set(alpha + removed[last])
    norm = jnp.maximum(jnp.abs(matrix).max(), beta)
    size, products = last + 1, state.products + 1
    invariant = beta <= 10 * jnp.finfo(beta.dtype).eps * norm
    beta = jnp.where(invariant, 0, beta)
    exhausted = invariant & (size >= rest.size)
    fresh = invariant & ~exhausted
    direction = jax.lax.cond(
        fresh,
        lambda: another(vectors, size, jax.random.fold_in(key, state.products)),
        lambda: rest / jnp.where(beta > 0, beta, 1),
    )
    # An eigenvalue of several vectors shows itself only from another start.
    earliest = jnp.where(fresh & (state.earliest == 0), products + EXPLORED, state.earliest)
    found = estimate(matrix, size, beta, plan)
    settled = (found.errors <= tolerance * found.norm).all() & (size >= plan.top + plan.bottom)
    return State(
        vectors=vectors.at[size].set(direction),
        matrix=matrix,
        coupling=jnp.zeros_like(state.coupling).at[last].set(beta),
        size=size,
        beta=beta,
        products=products,
        earliest=earliest,
        done=exhausted | (settled & (products >= earliest)),
    )


def orthogonalised(
    rest: Float[Array, " dimension"], vectors: Float[Array, "rows dimension"], count: Any
) -> tuple[Array, Array]:
    """The part that is orthogonal to the first ``count`` directions, and what was removed."""

    def against(block: Any, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, removed = carry
        rows = jax.lax.dynamic_slice_in_dim(vectors, ROWS * block, ROWS)
        shares = jnp.where(ROWS * block + jnp.arange(ROWS) < count, rows @ rest, 0)
        removed = jax.lax.dynamic_update_slice_in_dim(removed, shares, ROWS * block, 0)
        return rest - shares @ rows, removed

    removed = jnp.zeros(len(vectors), rest.dtype)
    return jax.lax.fori_loop(0, -(-count // ROWS), against, (rest, removed))


def another(vectors: Float[Array, "rows dimension"], count: Any, key: Key) -> Array:
    """A random direction that is orthogonal to the first ones."""
    direction = jax.random.normal(key, vectors.shape[1:], vectors.dtype)
    for _ in range(2):
        direction, _ = orthogonalised(direction / jnp.linalg.norm(direction), vectors, count)
    return direction / jnp.linalg.norm(direction)


def restarted(state: State, plan: Search) -> State:
    """The state with the best Ritz vectors alone."""
    values, combinations = decomposed(state.matrix, state.size)
    bottom, top = plan.kept
    chosen = jnp.concatenate([jnp.arange(bottom), plan.basis - top + jnp.arange(top)])
    count = len(chosen)
    kept = combinations[:, chosen].T @ state.vectors[: plan.basis]
    vectors = state.vectors.at[:count].set(kept).at[count].set(state.vectors[plan.basis])
    diagonal = jnp.zeros(plan.basis, values.dtype).at[:count].set(values[chosen])
    couplings = state.beta * combinations[-1, chosen]
    return state._replace(
        vectors=vectors,
        matrix=jnp.diag(diagonal),
        coupling=jnp.zeros_like(state.coupling).at[:count].set(couplings),
        size=jnp.full_like(state.size, count),
    )
