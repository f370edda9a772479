"""Evaluating a path against the bare matrix products that it needs.

61 points x 10 000 examples of the MLP 784-512-512-512-10, with loss and error of every example.
The bare loops multiply the same matrices for every point and do nothing else: no activation, no
loss, no interpolation. All sides run in one process, interleaved, on the same cores::

    python -m benchmarks.evaluation [--points 61] [--examples 10000] [--repeats 5]
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from mconn import landscape, paths
from mconn.data import Split
from mconn.models import MLP

SIZES = [(784, 512), (512, 512), (512, 512), (512, 10)]


def network(generator: np.random.Generator) -> dict:
    """Random weights of the MLP in Flax's layout."""
    layers = {
        f"Dense_{i}": {
            "kernel": (generator.normal(size=size) / np.sqrt(size[0])).astype(np.float32),
            "bias": np.zeros(size[1], np.float32),
        }
        for i, size in enumerate(SIZES)
    }
    return {"params": layers}


def multiply_in_jax(points: int, batch: int, inputs: np.ndarray, kernels: list) -> Callable:
    """The products as one compiled loop over points and batches, points spread over devices."""
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()), ("point",))
    whole, by_point = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("point")
    folded = inputs.reshape(-1, batch, inputs.shape[1])
    padded = -(-points // mesh.size) * mesh.size

    def product(x, kernels):
        for kernel in kernels:
            x = x @ kernel
        return x

    def at_point(scale, folded, kernels):
        # The scale keeps the compiler from computing the products once for all points.
        kernels = [scale * kernel for kernel in kernels]
        return jax.lax.map(lambda x: product(x, kernels), folded)

    @jax.jit
    @partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(by_point, whole, whole),
        out_specs=by_point,
        check_vma=False,
    )
    def loop(scales, folded, kernels):
        return jax.lax.map(lambda scale: at_point(scale, folded, kernels), scales)

    scales = np.linspace(0.9, 1, padded, dtype=np.float32)
    return lambda: jax.block_until_ready(loop(scales, folded, kernels))


def multiply_in_numpy(points: int, batch: int, inputs: np.ndarray, kernels: list) -> Callable:
    """The products as a Python loop over NumPy's."""
    folded = inputs.reshape(-1, batch, inputs.shape[1])

    def loop() -> None:
        for _ in range(points):
            for x in folded:
                for kernel in kernels:
                    x = x @ kernel

    return loop


def main(
    points: int = 61, examples: int = 10_000, repeats: int = 5, batch_size: int = 1000
) -> None:
    """Print the table.

    Args:
        points: points of the path.
        examples: examples evaluated at each; a multiple of the batch size.
        repeats: timed repeats of each side, after one that compiles.
        batch_size: examples in one batch, for every side.
    """
    generator = np.random.default_rng(0)
    a, b = network(generator), network(generator)
    inputs = generator.normal(size=(examples, 784)).astype(np.float32)
    data = Split(inputs, generator.integers(0, 10, examples).astype(np.int32))
    kernels = [a["params"][f"Dense_{i}"]["kernel"] for i in range(len(SIZES))]
    eval_fn, line = landscape.Classification(MLP().apply), paths.line(a, b)
    ts = np.linspace(0, 1, points)
    sides = {
        "bare products, NumPy": multiply_in_numpy(points, batch_size, inputs, kernels),
        "bare products, JAX": multiply_in_jax(points, batch_size, inputs, kernels),
        "evaluate": lambda: landscape.evaluate(eval_fn, line, ts, data, batch_size=batch_size),
    }
    first = {name: measure(side)[0] for name, side in sides.items()}
    runs = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            runs[name].append(measure(side))
    table = Table(title=f"{points} points x {examples} examples, medians of {repeats}")
    for column in ("side", "wall s", "CPU s", "CPU/wall", "/ NumPy", "/ JAX", "first s"):
        table.add_column(column, justify="left" if column == "side" else "right")
    walls = {name: statistics.median(wall for wall, _ in runs[name]) for name in sides}
    for name in sides:
        cpu = statistics.median(cpu for _, cpu in runs[name])
        ratios = [
            statistics.median(w / r for (w, _), (r, _) in zip(runs[name], runs[other], strict=True))
            for other in ("bare products, NumPy", "bare products, JAX")
        ]
        numbers = (walls[name], cpu, cpu / walls[name], *ratios, first[name])
        table.add_row(name, *(f"{number:.2f}" for number in numbers))
    Console().print(table)


def measure(side: Callable) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    side()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    import os

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    tyro.cli(main)
