"""How examples are cut into blocks, so that a kernel's temporaries fit a budget of memory."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mconn import jaxprs, trees
from mconn.errors import ConfigError
from mconn.landscape.batches import fold
from mconn.tangent.contraction import classes_of
from mconn.tangent.factors import factorise
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


class Cost(NamedTuple):
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

    Args:
        apply: the network.
        params: its parameters.
        inputs: the examples.
        outputs: the contraction over outputs.
        memory: bytes of temporaries. Parameters, inputs and the kernel come on top.
        copies: by how much more everything takes: 2 where the kernel itself is differentiated.

    Raises:
        ConfigError: if the memory does not hold one example.
        StructureError: if the network does not return one row of outputs per example.
    """
    count = trees.count_examples(inputs)
    cost = cost_of(apply, params, inputs, outputs)
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


def cost_of(apply: ApplyFn, params: Params, inputs: Any, outputs: str) -> Cost:
    """What one example needs; computed once for networks of one kind."""
    network, example = kind(params), kind(jax.tree.map(lambda leaf: leaf[0], inputs))
    return estimate(apply, *network, *example, outputs)


Kind = tuple[tuple[int, ...], np.dtype]


def kind(tree: Any) -> tuple[Any, tuple[Kind, ...]]:
    """The structure, shapes and types of a tree."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((np.shape(leaf), np.dtype(jnp.result_type(leaf))) for leaf in leaves)


@lru_cache(maxsize=256)
def estimate(
    apply: ApplyFn,
    network: Any,
    parameters: tuple[Kind, ...],
    structure: Any,
    example: tuple[Kind, ...],
    outputs: str,
) -> Cost:
    """The cost of one example, from the equations of many."""
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
    live = peak(jaxprs.trace(derivatives, params, inputs)) * item // TRACED
    entries = classes_of(factors) ** 2 if outputs == "full" else 1
    return Cost(SLACK * live, held, BLOCK_COPIES * entries * item)


def peak(program: jaxprs.Program) -> int:
    """The largest number of entries that live at the same time, inputs and constants aside."""
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
