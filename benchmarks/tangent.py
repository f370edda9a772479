"""The tangent kernel against ways to compute it from written-out derivatives.

The MLP 784-512-512-512-10 (0.93 M parameters), kernels contracted over outputs. All sides run in
one process on one core, and are timed in CPU seconds; compile time is the first call less a later
one. A process of its own measures the peak of memory of 10 000 x 10 000 examples::

    taskset -c 0 python -m benchmarks.tangent [--examples 1000] [--compared 100]

The other sides take minutes for 1000 examples: they are timed on fewer, with this library beside,
and their cost grows as the square.
"""

import multiprocessing
import time
from collections.abc import Callable
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks import memory
from benchmarks.evaluation import network
from mconn import tangent
from mconn.models import MLP

BLOCK = 20
"""Examples whose derivatives are written out at a time: 0.7 GB."""

MIB = 2**20


@jax.jit
def jacobian_contraction(params, inputs, others):
    """Whole Jacobians of two blocks, multiplied leaf by leaf."""

    def jacobian(inputs):
        return jax.jacrev(lambda params: MLP().apply(params, inputs))(params)

    pairs = zip(*(jax.tree.leaves(jacobian(each)) for each in (inputs, others)), strict=True)
    return sum(
        jnp.einsum("icp,jcp->ij", *(leaf.reshape(*leaf.shape[:2], -1) for leaf in pair))
        for pair in pairs
    )


@jax.jit
def vector_products(params, inputs, others):
    """The kernel times unit vectors: for every one a vjp on one block and a jvp on the other."""

    def outputs(inputs: jax.Array, params: dict) -> jax.Array:
        return cast(jax.Array, MLP().apply(params, inputs))

    outputs_here, back = jax.vjp(partial(outputs, inputs), params)
    classes = outputs_here.shape[1]

    def column(place):
        example, output = place // classes, place % classes
        unit = jnp.zeros_like(outputs_here).at[example, output].set(1)
        (direction,) = back(unit)
        return jax.jvp(partial(outputs, others), (params,), (direction,))[1][:, output]

    columns = jax.lax.map(column, jnp.arange(outputs_here.size), batch_size=classes)
    return columns.reshape(len(inputs), classes, -1).sum(axis=1)


def in_blocks(block_of: Callable, params: dict, inputs: np.ndarray) -> np.ndarray:
    """The symmetric kernel from blocks on and above the diagonal."""
    count = len(inputs) // BLOCK
    kernel = np.zeros((len(inputs), len(inputs)), np.float32)
    for i in range(count):
        for j in range(i, count):
            rows, columns = (slice(k * BLOCK, (k + 1) * BLOCK) for k in (i, j))
            block = np.asarray(block_of(params, inputs[rows], inputs[columns]))
            kernel[rows, columns], kernel[columns, rows] = block, block.T
    return kernel


def ours(params: dict, inputs: np.ndarray) -> np.ndarray:
    """This library's kernel."""
    return tangent.kernel(MLP().apply, params, inputs, outputs="sum")


def drawn(examples: int) -> tuple[dict, np.ndarray]:
    """A network and inputs."""
    generator = np.random.default_rng(0)
    return network(generator), generator.normal(size=(examples, 784)).astype(np.float32)


def timed(side: Callable, repeats: int) -> tuple[float, float, np.ndarray]:
    """CPU seconds of a later call, what the first one took more, and the result."""
    times, results = [], []
    for _ in range(repeats + 1):
        begin = time.process_time()
        results = [side()]
        times.append(time.process_time() - begin)
    best = min(times[1:])
    return best, times[0] - best, results[0]


def peak(examples: int, results: multiprocessing.SimpleQueue) -> None:
    """In a process of its own: seconds, and the peak of memory before and after."""
    params, inputs = drawn(examples)
    jax.block_until_ready(jnp.zeros(3) + 1)
    before, begin = memory.peak(), time.process_time()
    kernel = ours(params, inputs)
    seconds = time.process_time() - begin
    results.put((seconds, before, memory.peak(), kernel.nbytes / MIB))


def main(examples: int = 1000, compared: int = 100, large: int = 10_000, repeats: int = 2) -> None:
    """Print the tables.

    Args:
        examples: of this library's kernel.
        compared: of the kernels from written-out derivatives; a multiple of 20.
        large: examples of the measurement of memory; 0 leaves it out.
        repeats: timed calls of each side.
    """
    params, inputs = drawn(max(examples, compared))
    few = inputs[:compared]
    sides = {
        f"mconn, {compared}": lambda: ours(params, few),
        f"vector products, {compared}": lambda: in_blocks(vector_products, params, few),
        f"written-out Jacobians, {compared}": lambda: in_blocks(jacobian_contraction, params, few),
        f"mconn, {examples}": lambda: ours(params, inputs[:examples]),
    }
    table = Table(title="tangent kernel of the MLP 784-512-512-512-10, one core")
    for column in ("side, examples", "CPU s", "compile s", "/ mconn", "largest difference"):
        table.add_column(column, justify="left" if column == "side, examples" else "right")
    first = expected = None
    for name, side in sides.items():
        seconds, compiling, kernel = timed(side, repeats)
        if first is None or expected is None:
            first, expected = seconds, kernel
        same = kernel.shape == expected.shape
        difference = abs(kernel - expected).max() / abs(expected).max() if same else None
        table.add_row(
            name,
            f"{seconds:.3f}",
            f"{compiling:.2f}",
            f"{seconds / first:.1f}" if same else "",
            "" if difference is None else f"{difference:.1e}",
        )
    Console().print(table)
    if large:
        context = multiprocessing.get_context("spawn")
        results = context.SimpleQueue()
        process = context.Process(target=peak, args=(large, results))
        process.start()
        process.join()
        seconds, before, after, size = results.get()
        Console().print(
            f"{large} x {large} examples: {seconds:.0f} CPU s; peak of memory "
            f"{after - before:.0f} MiB above the {before:.0f} MiB before it, "
            f"{after - before - size:.0f} MiB beside the result of {size:.0f} MiB "
            "(goal: below 2048)"
        )


if __name__ == "__main__":
    tyro.cli(main)
