"""Evaluating a path against the bare matrix products that it needs.

61 points x 10 000 examples of the MLP 784-512-512-512-10, with loss and error of every example.
The bare loops multiply the same matrices for every point and do nothing else: no activation, no
loss, no interpolation. All sides run in one process, interleaved, on the same cores::

    python -m benchmarks.evaluation [--points 61] [--examples 10000] [--repeats 5]

Further tables: what slopes and gradients add, how the cost grows with points and data, and the
peak of memory of a plane of 51 x 51 points.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks import memory
from mconn import landscape, paths
from mconn.data import Split
from mconn.measure import Execution
from mconn.models import MLP

Part = Literal["products", "derivatives", "scaling", "plane"]

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
    points: int = 61,
    examples: int = 10_000,
    repeats: int = 5,
    batch_size: int = 1000,
    parts: tuple[Part, ...] = ("products", "derivatives", "scaling", "plane"),
) -> None:
    """Print the tables.

    Args:
        points: points of the path.
        examples: examples evaluated at each; a multiple of the batch size.
        repeats: timed repeats of each side, after one that compiles.
        batch_size: examples in one batch, for every side.
        parts: which tables.
    """
    generator = np.random.default_rng(0)
    networks = [network(generator) for _ in range(3)]
    inputs = generator.normal(size=(examples, 784)).astype(np.float32)
    data = Split(inputs, generator.integers(0, 10, examples).astype(np.int32))
    kernels = [networks[0]["params"][f"Dense_{i}"]["kernel"] for i in range(len(SIZES))]
    eval_fn, line = landscape.Classification(MLP().apply), paths.line(*networks[:2])

    execution = Execution(batch_size)

    def evaluate(points: int = points, data: Split = data, **options) -> Callable:
        ts = np.linspace(0, 1, points)
        return lambda: barrier_of(
            landscape.evaluate(eval_fn, line, ts, data, execution=execution, **options)
        )

    title = f"{points} points x {examples} examples, medians of {repeats}"
    if "products" in parts:
        sides = {
            "bare products, NumPy": multiply_in_numpy(points, batch_size, inputs, kernels),
            "bare products, JAX": multiply_in_jax(points, batch_size, inputs, kernels),
            "evaluate, with its errors": evaluate(),
        }
        compare(title, sides, repeats)
    if "derivatives" in parts:
        sides = {
            "evaluate": evaluate(),
            "with slopes": evaluate(slopes=True),
            "with slopes and gradient": evaluate(gradients=True),
        }
        compare(title, sides, repeats)
    if "scaling" in parts:
        few, half = max(2, points // 4), max(batch_size, examples // 4)
        sides = {
            f"{points} points, {examples} examples": evaluate(),
            f"{few} points, {examples} examples": evaluate(few),
            f"{points} points, {half} examples": evaluate(data=data.head(half)),
        }
        compare("cost against points and data", sides, repeats)
    if "plane" in parts:
        growth(eval_fn, paths.plane(*networks), data, batch_size)


def barrier_of(profile: landscape.Profile) -> tuple:
    """What is read off a profile: means, standard errors at every point, and paired at the top."""
    means, errors = profile.mean("loss"), profile.standard_error("loss")
    return means, errors, landscape.barrier(profile, resamples=1).standard_error


def compare(title: str, sides: dict[str, Callable], repeats: int) -> None:
    """Time all sides, interleaved, and print them with ratios of CPU seconds."""
    first = {name: measure(side)[0] for name, side in sides.items()}
    runs = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            runs[name].append(measure(side))
    table = Table(title=title, caption="/ 1st, / 2nd: CPU s, against the first and second side")
    others = list(sides)[:2]
    columns = ("side", "wall s", "CPU s", "CPU/wall", "/ 1st", "/ 2nd", "first s")
    for column in columns:
        table.add_column(column, justify="left" if column == "side" else "right")
    for name in sides:
        wall, cpu = (statistics.median(run[i] for run in runs[name]) for i in range(2))
        ratios = [
            statistics.median(c / r for (_, c), (_, r) in zip(runs[name], runs[other], strict=True))
            for other in others
        ]
        numbers = (wall, cpu, cpu / wall, *ratios, first[name])
        table.add_row(name, *(f"{number:.2f}" for number in numbers))
    Console().print(table)


def growth(eval_fn, plane, data: Split, batch_size: int) -> None:
    """Print by how much the peak of the process's memory rises from a small plane to a large."""
    table = Table(title=f"planes on {len(data.labels)} examples")
    for column in ("plane", "wall s", "CPU s", "peak of the process MiB"):
        table.add_column(column, justify="left" if column == "plane" else "right")
    where = landscape.coordinates(plane)
    for points in (11, 11, 51):
        x, y = landscape.box(where, points)
        wall, cpu = measure(
            lambda x=x, y=y: landscape.evaluate_plane(
                eval_fn, plane, x, y, data, execution=Execution(batch_size)
            )
        )
        peak = memory.peak()
        table.add_row(f"{points} x {points}", f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.1f}")
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
