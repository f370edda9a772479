"""The program of a kernel: blocks of pairs of examples that fit a budget of memory."""

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mconn import jaxprs, trees
from mconn.errors import ConfigError
from mconn.measure import fold
from mconn.tangent.factors import Factors, classes_of, contract, factorise
from mconn.types import ApplyFn, Params

MEMORY = 2**30
"""Bytes that the temporaries of a kernel may take."""

TRACED = 64
"""Examples for which memory is estimated, so many that weights do not count."""

SLACK = 3
"""By how much a compiled program needs more than its values that live at the same time; measured
1.7 (ResNet-20) to 2.8 (CNN with three layers)."""

BLOCK_COPIES = 4
"""Blocks of a kernel that live at the same time while one is made."""


class Blocks(NamedTuple):
    """Examples in blocks of equal size.

    Attributes:
        inputs: their arrays, shape (blocks, pieces, piece, ...): a block's factors are held
            together, and a piece is differentiated at a time.
        real: False for those that only fill up the last block, shape (blocks, pieces * piece).
    """

    inputs: Any
    real: Any


class _Cost(NamedTuple):
    """What one example needs, in bytes.

    Attributes:
        differentiated: while its outputs are differentiated.
        held: for its factors.
        entry: for a kernel's entry of one pair of examples.
    """

    differentiated: int
    held: int
    entry: int


def into_blocks(
    apply: ApplyFn,
    params: Params,
    inputs: Any,
    outputs: str,
    memory: int,
    *,
    copies: int = 1,
) -> Blocks:
    """The examples in the largest blocks that fit.

    Half of the memory is for examples that are differentiated, half for the factors of two blocks
    and the block of the kernel.
    """
    count = trees.count_examples(inputs)
    cost = _cost_of(apply, params, inputs, outputs)
    half = memory // (2 * copies)
    piece = min(count, half // cost.differentiated)
    # The root of entry * size^2 + 2 * held * size = half.
    root = math.sqrt(cost.held**2 + cost.entry * half)
    size = min(count, int(half / (cost.held + root)))
    if piece < 1 or size < 1:
        needed = 2 * copies * max(cost.differentiated, 2 * cost.held + cost.entry)
        raise ConfigError(
            f"memory is {memory:,} bytes, and one example needs {needed:,}: raise memory to that"
        )
    blocks = math.ceil(count / size)
    size = math.ceil(count / blocks)
    pieces = math.ceil(size / piece)
    piece = math.ceil(size / pieces)
    folded, real = fold(inputs, size, piece)
    inputs = jax.tree.map(lambda leaf: leaf.reshape(len(leaf), -1, piece, *leaf.shape[2:]), folded)
    return Blocks(inputs, real)


def _cost_of(apply: ApplyFn, params: Params, inputs: Any, outputs: str) -> _Cost:
    network, example = _kind(params), _kind(jax.tree.map(lambda leaf: leaf[0], inputs))
    return _estimate(apply, *network, *example, outputs)


Kind = tuple[tuple[int, ...], np.dtype]


def _kind(tree: Any) -> tuple[Any, tuple[Kind, ...]]:
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((np.shape(leaf), np.dtype(jnp.result_type(leaf))) for leaf in leaves)


@lru_cache(maxsize=256)
def _estimate(
    apply: ApplyFn,
    network: Any,
    parameters: tuple[Kind, ...],
    structure: Any,
    example: tuple[Kind, ...],
    outputs: str,
) -> _Cost:
    params = jax.tree.unflatten(network, [jax.ShapeDtypeStruct(*leaf) for leaf in parameters])
    inputs = jax.tree.unflatten(
        structure, [jax.ShapeDtypeStruct((TRACED, *shape), dtype) for shape, dtype in example]
    )

    def derivatives(params: Params, inputs: Any) -> Any:
        return factorise(apply, params, inputs)

    factors = jax.eval_shape(derivatives, params, inputs)
    leaves = jax.tree.leaves(factors)
    item = leaves[0].dtype.itemsize
    held = sum(leaf.size for leaf in leaves) * item // TRACED
    live = _peak(jaxprs.trace(derivatives, params, inputs)) * item // TRACED
    entries = classes_of(factors) ** 2 if outputs == "full" else 1
    return _Cost(SLACK * live, held, BLOCK_COPIES * entries * item)


def _peak(program: jaxprs.Program) -> int:
    last = {number: i for i, each in enumerate(program.equations) for number in each.inputs}
    last |= dict.fromkeys(program.outputs, len(program.equations))
    ending: dict[int, list[int]] = {}
    for number, place in last.items():
        ending.setdefault(place, []).append(number)
    made: set[int] = set()
    largest = live = 0

    def entries(numbers: Sequence[int]) -> int:
        return sum(math.prod(program.shapes[number]) for number in numbers)

    for place, equation in enumerate(program.equations):
        new = [number for number in equation.outputs if number in last]
        made.update(new)
        live += entries(new)
        largest = max(largest, live)
        live -= entries([number for number in ending.get(place, ()) if number in made])
    return largest


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
