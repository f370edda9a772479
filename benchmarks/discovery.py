"""How long the discovery of a symmetry takes, from the shapes of well-known networks alone.

``python -m benchmarks.discovery`` prints a table. Parameters are `jax.ShapeDtypeStruct`: no array
is made, however large the network. Every network has a process of its own, so that the peak of the
memory is its own too; most of it is JAX itself, as the first line shows. Tracing is timed once, the
first time; the discovery after it is the median over some turns.
"""

import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from benchmarks import memory
from mconn.jaxprs import Program, trace
from mconn.models import GPT2, VGG16, Llama, resnet50, resnet152
from mconn.symmetry import label, leaf_shapes, read_group

TURNS = 5
SMALL_IMAGES = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
LARGE_IMAGES = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
TOKENS = jax.ShapeDtypeStruct((2, 128), jnp.int32)


class Case(NamedTuple):
    """A network, its inputs, its layers or blocks, and how many seconds the discovery may take."""

    name: str
    model: Callable[[], nn.Module]
    inputs: jax.ShapeDtypeStruct
    layers: int
    goal: str = ""


class Tiny(nn.Module):
    """Next to nothing: what importing and tracing anything costs."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Two dense layers."""
        return nn.Dense(2)(nn.Dense(3)(x))


CASES = {
    case.name: case
    for case in (
        Case("two dense layers", Tiny, SMALL_IMAGES, 2),
        Case("VGG16", VGG16, SMALL_IMAGES, 16),
        Case("ResNet-50", resnet50, LARGE_IMAGES, 50),
        Case("ResNet-152", resnet152, LARGE_IMAGES, 152, "4"),
        Case("GPT-2 small", GPT2, TOKENS, 12, "1.5"),
        Case("the same, 6 layers", lambda: GPT2(depth=6), TOKENS, 6),
        Case("the same, 24 layers", lambda: GPT2(depth=24), TOKENS, 24),
        Case("the same, 48 layers", lambda: GPT2(depth=48), TOKENS, 48, "6"),
        Case("the same, 96 layers", lambda: GPT2(depth=96), TOKENS, 96),
        Case("Llama, 7 billion", Llama, TOKENS, 32),
    )
}


def row(name: str) -> list[str]:
    """One line of the table."""
    case = CASES[name]
    model = case.model()
    params = jax.eval_shape(model.init, jax.random.key(0), case.inputs)
    leaves = leaf_shapes(params)
    began = time.perf_counter()
    program = trace(model.apply, params, case.inputs)
    tracing = time.perf_counter() - began
    seconds = statistics.median(timed(program, leaves) for _ in range(TURNS))
    group = read_group(label(program, leaves)[0])
    parameters = sum(math.prod(shape) for shape in leaves.values())
    peak = memory.peak()
    return [
        name,
        f"{parameters / 1e6:.1f}",
        str(len(program.equations)),
        str(len(group.generators)),
        f"{group.log_order / math.log(10):.0f}",
        f"{group.dimension}",
        f"{tracing:.2f}",
        f"{seconds:.3f}",
        case.goal,
        f"{1000 * seconds / case.layers:.1f}",
        f"{peak:.0f}",
    ]


def timed(program: Program, leaves: dict[str, tuple[int, ...]]) -> float:
    """How many seconds the discovery takes, after tracing."""
    began = time.perf_counter()
    read_group(label(program, leaves)[0])
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    table = Table(title=f"Discovery from shapes, JAX {jax.__version__}")
    table.add_column("network")
    for heading in (
        "parameters\nmillions",
        "equations",
        "generators",
        "order\nlog10",
        "dimension",
        "tracing\ns",
        "discovery\ns",
        "goal\ns",
        "per layer\nms",
        "peak memory\nMiB",
    ):
        table.add_column(heading, justify="right")
    fresh = multiprocessing.get_context("spawn")
    for name in CASES:
        with fresh.Pool(1) as pool:
            table.add_row(*pool.apply(row, [name]))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
