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

from mconn.curvature.operators import length
from mconn.curvature.ritz import (
    Estimate,
    Plan,
    chance,
    count_places,
    decomposed,
    estimate,
    log_distances,
)
from mconn.types import Key

Multiply = Callable[[Array], Array]

ROWS = 4
"""Directions that are orthogonalised against at a time."""

COLUMNS = 2**16
"""Entries of every direction that are combined at a time."""

EXPLORED = 10
"""Products with fresh random directions before a space that is invariant is believed."""


class _State(NamedTuple):
    """A factorisation A V = V T + residual.

    Attributes:
        vectors: the directions V, then the next one, then rows of zeros.
        matrix: T, of which the first ``size`` rows and columns are filled.
        coupling: what the next direction has to do with each of the earlier ones.
        size: the number of directions that are multiplied.
        beta: the norm of the residual.
        products: spent so far.
        hidden: logarithms of the largest parts of the start that eigenvectors can have and be
            missed, but for the distances of these from the Ritz values that are not dropped.
        earliest: the number of products before which the search must not end.
        done: whether all wanted errors are within the tolerance, or the space is exhausted.
    """

    vectors: Float[Array, "rows dimension"]
    matrix: Float[Array, "basis basis"]
    coupling: Float[Array, " basis"]
    size: Int[Array, ""]
    beta: Float[Array, ""]
    products: Int[Array, ""]
    hidden: Float[Array, " places"]
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
        missed: a bound of the chance that the start hides an eigenvalue that is wanted.
        products: with the operator.
    """

    values: Float[Array, " wanted"]
    vectors: Float[Array, "wanted dimension"]
    residuals: Float[Array, " wanted"]
    errors: Float[Array, " wanted"]
    norm: Float[Array, ""]
    missed: Float[Array, ""]
    products: Int[Array, ""]


class Start(NamedTuple):
    """The first direction.

    Attributes:
        vector: not zero.
        random: the length of its random part, relative to it.
        allowed: the largest chance of an eigenvalue that is missed with which the search may end.
    """

    vector: Float[Array, " dimension"]
    random: Any
    allowed: float


def search(
    multiply: Multiply, start: Start, key: Key, plan: Plan, tolerance: Any, products: Any
) -> Found:
    """Search the extreme eigenvalues; to be traced."""

    def unfinished(state: _State) -> Array:
        # A product that is not finite ends the search; NaN is not below infinity.
        return ~state.done & (state.products < products) & (state.beta < jnp.inf)

    def cycle(state: _State) -> _State:
        # Loops of one turn at most, as a conditional would copy all directions.
        state = jax.lax.while_loop(
            lambda state: state.size == plan.basis,
            lambda state: _restarted(state, plan, tolerance),
            state,
        )
        return jax.lax.while_loop(
            lambda state: unfinished(state) & (state.size < plan.basis),
            lambda state: _judged(_expanded(multiply, state, key), start, plan, tolerance),
            state,
        )

    state = jax.lax.while_loop(unfinished, cycle, _first(start.vector, plan))
    found, missed = _seen(state, start, plan, tolerance)
    # Zeros for the rows behind, as cutting these off would copy all others.
    combinations = jnp.pad(found.combinations, ((0, 0), (0, len(state.vectors) - plan.basis)))
    vectors = _product(combinations, state.vectors)
    return Found(
        values=found.values,
        vectors=vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True),
        residuals=found.residuals,
        errors=found.errors,
        norm=found.norm,
        missed=missed,
        products=state.products,
    )


def _first(start: Float[Array, " dimension"], plan: Plan) -> _State:
    kind = start.dtype
    rows = ROWS * -(-(plan.basis + 1) // ROWS)
    vectors = jnp.zeros((rows, len(start)), kind).at[0].set(start / jnp.linalg.norm(start))
    count = jnp.zeros((), jnp.int32)
    return _State(
        vectors=vectors,
        matrix=jnp.zeros((plan.basis, plan.basis), kind),
        coupling=jnp.zeros(plan.basis, kind),
        size=count,
        beta=jnp.zeros((), kind),
        products=count,
        hidden=jnp.zeros(count_places(plan), kind),
        earliest=count,
        done=jnp.zeros((), bool),
    )


def _expanded(multiply: Multiply, state: _State, key: Key) -> _State:
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
    rest, removed = _orthogonalised(rest, vectors, last + 1)
    beta = length(rest)

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
        lambda: _another(vectors, size, jax.random.fold_in(key, state.products)),
        lambda: rest / jnp.where(beta > 0, beta, 1),
    )
    # An eigenvalue of several vectors shows itself only from another start.
    earliest = jnp.where(fresh & (state.earliest == 0), products + EXPLORED, state.earliest)
    return _State(
        vectors=vectors.at[size].set(direction),
        matrix=matrix,
        coupling=jnp.zeros_like(state.coupling).at[last].set(beta),
        size=size,
        beta=beta,
        products=products,
        hidden=state.hidden + jnp.log(beta),
        earliest=earliest,
        done=exhausted,
    )


def _judged(state: _State, start: Start, plan: Plan, tolerance: Any) -> _State:
    found, missed = _seen(state, start, plan, tolerance)
    precise = (found.errors <= tolerance * found.norm).all() & (missed <= start.allowed)
    enough = (state.size >= plan.top + plan.bottom) & (state.products >= state.earliest)
    return state._replace(done=state.done | (precise & enough))


def _seen(state: _State, start: Start, plan: Plan, tolerance: Any) -> tuple[Estimate, Array]:
    found = estimate(state.matrix, state.size, state.beta, plan)
    filled = jnp.arange(plan.basis) < state.size
    parts = state.hidden - log_distances(found, plan, tolerance, filled)
    return found, chance(parts, state.vectors.shape[1], start.random)


def _orthogonalised(
    rest: Float[Array, " dimension"], vectors: Float[Array, "rows dimension"], count: Any
) -> tuple[Array, Array]:
    def against(block: Any, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, removed = carry
        rows = jax.lax.dynamic_slice_in_dim(vectors, ROWS * block, ROWS)
        shares = jnp.where(ROWS * block + jnp.arange(ROWS) < count, _product(rows, rest), 0)
        removed = jax.lax.dynamic_update_slice_in_dim(removed, shares, ROWS * block, 0)
        return rest - _product(shares, rows), removed

    removed = jnp.zeros(len(vectors), rest.dtype)
    return jax.lax.fori_loop(0, -(-count // ROWS), against, (rest, removed))


def _another(vectors: Float[Array, "rows dimension"], count: Any, key: Key) -> Array:
    direction = jax.random.normal(key, vectors.shape[1:], vectors.dtype)
    for _ in range(2):
        direction, _ = _orthogonalised(direction / jnp.linalg.norm(direction), vectors, count)
    return direction / jnp.linalg.norm(direction)


def _restarted(state: _State, plan: Plan, tolerance: Any) -> _State:
    found = estimate(state.matrix, state.size, state.beta, plan)
    values, combinations = decomposed(state.matrix, state.size)
    bottom, top = plan.kept
    kept = (*range(bottom), *range(plan.basis - top, plan.basis))
    chosen, count = jnp.array(kept), len(kept)
    dropped = jnp.array([place not in kept for place in range(plan.basis)])
    # The next direction follows those that are kept; zeros follow it.
    turn = jnp.zeros((len(state.vectors),) * 2, values.dtype)
    turn = turn.at[:count, : plan.basis].set(combinations[:, chosen].T)
    diagonal = jnp.zeros(plan.basis, values.dtype).at[:count].set(values[chosen])
    couplings = state.beta * combinations[-1, chosen]
    return state._replace(
        vectors=_combined(turn.at[count, plan.basis].set(1), state.vectors),
        matrix=jnp.diag(diagonal),
        coupling=jnp.zeros_like(state.coupling).at[:count].set(couplings),
        size=jnp.full_like(state.size, count),
        hidden=state.hidden - log_distances(found, plan, tolerance, dropped),
    )


def _combined(
    turn: Float[Array, "rows rows"], vectors: Float[Array, "rows dimension"]
) -> Float[Array, "rows dimension"]:
    def block(vectors: Array, start: Any, width: int) -> Array:
        part = jax.lax.dynamic_slice_in_dim(vectors, start, width, axis=1)
        return jax.lax.dynamic_update_slice_in_dim(vectors, _product(turn, part), start, axis=1)

    width = min(COLUMNS, vectors.shape[1])
    blocks, rest = divmod(vectors.shape[1], width)
    vectors = jax.lax.fori_loop(
        0, blocks, lambda i, vectors: block(vectors, width * i, width), vectors
    )
    return block(vectors, width * blocks, rest) if rest else vectors


def _product(left: Array, right: Array) -> Array:
    """A matrix product in full precision on every device."""
    return jnp.matmul(left, right, precision="highest")
