"""The compiled program of a kernel: blocks of pairs of examples, written into one array."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from mconn import trees
from mconn.tangent.budget import Blocks
from mconn.tangent.contraction import contract
from mconn.tangent.factors import Factors, factorise
from mconn.types import ApplyFn, Params


class Request(NamedTuple):
    """What is computed; static.

    Attributes:
        apply: (params, inputs) -> outputs, shape (examples, classes).
        outputs: the contraction over outputs.
    """

    apply: ApplyFn
    outputs: str


def gram(request: Request, params: Params, rows: Blocks, columns: Blocks | None) -> Array:
    """The kernel of all examples, zero where one only fills up.

    The factors of one block of rows and one of columns are held at a time. The kernel of examples
    with themselves is computed on and above the diagonal, and mirrored. Can be traced, and has
    derivatives in forward mode.

    Args:
        request: what is computed.
        params: the network.
        rows: the first examples.
        columns: the second; None for the first again.
    """
    others = rows if columns is None else columns
    (many, height), (more, width) = rows.real.shape, others.real.shape

    def block(here: Factors, there: Factors, i: Any, j: Any) -> Array:
        entries = contract(here, there, request.outputs)
        real = jnp.asarray(rows.real)[i][:, None] & jnp.asarray(others.real)[j]
        return jnp.where(real.reshape(*real.shape, *[1] * (entries.ndim - 2)), entries, 0)

    first = factors_of(request.apply, params, rows, 0)
    if many == more == 1:  # the factors of an only block are needed once
        second = first if columns is None else factors_of(request.apply, params, columns, 0)
        return block(first, second, 0, 0)

    def write(kernel: Array, entries: Array, row: Any, column: Any) -> Array:
        start = (row, column, *[0] * (kernel.ndim - 2))
        return jax.lax.dynamic_update_slice(kernel, entries, start)

    def write_row(i: Any, kernel: Array) -> Array:
        here = factors_of(request.apply, params, rows, i)

        def write_block(j: Any, kernel: Array) -> Array:
            entries = block(here, factors_of(request.apply, params, others, j), i, j)
            kernel = write(kernel, entries, i * height, j * width)
            if columns is not None:
                return kernel
            mirrored = entries.T if entries.ndim == 2 else entries.transpose(1, 0, 3, 2)
            return write(kernel, mirrored, j * width, i * height)

        return jax.lax.fori_loop(i if columns is None else 0, more, write_block, kernel)

    kind = jax.eval_shape(lambda: contract(first, first, request.outputs))
    empty = jnp.zeros((many * height, more * width, *kind.shape[2:]), kind.dtype)
    return jax.lax.fori_loop(0, many, write_row, empty)


def factors_of(apply: ApplyFn, params: Params, blocks: Blocks, number: Any) -> Factors:
    """The factors of one block, a piece after the other."""
    pieces = trees.index(jax.tree.map(jnp.asarray, blocks.inputs), number)
    if len(jax.tree.leaves(pieces)[0]) == 1:
        return factorise(apply, params, trees.index(pieces, 0))
    factors = jax.lax.map(lambda piece: factorise(apply, params, piece), pieces)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), factors)


@partial(jax.jit, static_argnums=0)
def compiled_gram(request: Request, params: Params, rows: Blocks, columns: Blocks | None) -> Array:
    """`gram`, compiled."""
    return gram(request, params, rows, columns)
