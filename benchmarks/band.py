"""Steps of an elastic band: all pivots together against pivot by pivot, as published.

The published way (AutoNEB) draws a batch for every pivot, takes its gradient in a call of its own,
and has the band as rows of flat numbers on the host, where tangents, forces, momentum and
redistribution are computed. Here it is one compiled gradient and NumPy. Both sides have the same
network, 784-512-512-512-10, run with one thread in one process, and take turns; the bare gradients
are the part of the work that nobody can do without::

    python -m benchmarks.band [--pivots 9 17 33] [--batches 128 512] [--steps 20] [--repeats 5]
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import tyro
from jax.flatten_util import ravel_pytree
from rich.console import Console
from rich.table import Table

from benchmarks.alignment.one_thread import alone
from benchmarks.evaluation import network
from mconn import landscape, paths
from mconn.data import Split
from mconn.models import MLP

EXAMPLES = 10_000
RATE, MOMENTUM = 0.01, 0.9


def together(loss: Any, networks: list, data: Split, batch: int, steps: int) -> Callable:
    """Steps of a band in this package, on few examples: it looks at all of them at its ends."""
    chain, data = paths.through(networks), data.head(4 * batch)
    cycles = (paths.Cycle(steps, RATE),)
    config = paths.BandConfig(cycles, batch_size=batch, sub_points=1)
    return lambda: paths.elastic_band(loss, chain, data, config, dense_data=data.head(1))


def bare_gradients(loss: Any, networks: list, data: Split, batch: int, steps: int) -> Callable:
    """The gradients of all pivots but the ends, and nothing else."""
    gradient = jax.jit(jax.grad(lambda params, batch: loss(params, batch)["loss"].mean()))
    first = jax.device_put(data.head(batch))
    free = jax.device_put(networks[1:-1])

    def run() -> None:
        for _ in range(steps):
            jax.block_until_ready([gradient(params, first) for params in free])

    return run


def by_pivot(loss: Any, networks: list, data: Split, batch: int, steps: int) -> Callable:
    """Steps of a band as AutoNEB takes them, pivot by pivot."""
    generator = np.random.default_rng(0)
    flat = np.stack([np.asarray(ravel_pytree(params)[0]) for params in networks])
    restore = ravel_pytree(networks[0])[1]
    shares = np.full(len(flat) - 1, 1 / (len(flat) - 1), np.float32)

    @jax.jit
    def gradient(row: jax.Array, batch: Split) -> tuple[jax.Array, jax.Array]:
        return jax.value_and_grad(lambda row: loss(restore(row), batch)["loss"].mean())(row)

    def run() -> None:
        band, velocity = flat.copy(), np.zeros_like(flat[1:-1])
        losses = np.ones(len(band))
        for _ in range(steps):
            gradients = np.empty_like(velocity)
            for i in range(1, len(band) - 1):
                rows = generator.integers(0, EXAMPLES, batch)
                value, found = gradient(band[i], Split(data.inputs[rows], data.labels[rows]))
                losses[i], gradients[i - 1] = value, found
            for i in range(1, len(band) - 1):
                tangent = unit_tangent(band, losses, i)
                gradients[i - 1] -= (gradients[i - 1] @ tangent) * tangent
            velocity *= MOMENTUM
            velocity += gradients
            band[1:-1] -= RATE * velocity
            band = put_back(band, shares)

    return run


def unit_tangent(band: np.ndarray, losses: np.ndarray, i: int) -> np.ndarray:
    """The tangent at a pivot (Henkelman and Jonsson 2000)."""
    ahead, behind = band[i + 1] - band[i], band[i] - band[i - 1]
    if losses[i + 1] > losses[i] > losses[i - 1]:
        tangent = ahead
    elif losses[i + 1] < losses[i] < losses[i - 1]:
        tangent = behind
    else:
        changes = abs(losses[i + 1] - losses[i]), abs(losses[i - 1] - losses[i])
        larger, smaller = max(changes), min(changes)
        if losses[i + 1] > losses[i - 1]:
            tangent = larger * ahead + smaller * behind
        else:
            tangent = smaller * ahead + larger * behind
    return tangent / np.linalg.norm(tangent)


def put_back(band: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The pivots at their shares of the length."""
    lengths = np.linalg.norm(np.diff(band, axis=0), axis=1)
    reached = np.concatenate([[0], np.cumsum(lengths)])
    wanted = np.cumsum(shares)[:-1] * reached[-1]
    segment = np.clip(np.searchsorted(reached, wanted, side="right") - 1, 0, len(lengths) - 1)
    places = ((wanted - reached[segment]) / lengths[segment]).astype(band.dtype)[:, None]
    moved = band[segment] + places * (band[segment + 1] - band[segment])
    return np.concatenate([band[:1], moved, band[-1:]])


def measure(pivots: int, batch: int, steps: int, repeats: int) -> dict[str, list[float]]:
    """Samples per CPU second of the three sides, in every repeat."""
    generator = np.random.default_rng(0)
    networks = [network(generator) for _ in range(pivots)]
    data = Split(
        generator.normal(size=(EXAMPLES, 784)).astype(np.float32),
        generator.integers(0, 10, EXAMPLES).astype(np.int32),
    )
    loss = landscape.Classification(MLP(width=512, depth=3).apply)
    sides = {"together": together, "by pivot": by_pivot, "gradients": bare_gradients}
    runs = {name: side(loss, networks, data, batch, steps) for name, side in sides.items()}
    samples = (pivots - 2) * batch * steps
    found: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            began = time.process_time()
            run()
            found[name].append(samples / (time.process_time() - began))
    return found


def main(
    pivots: tuple[int, ...] = (9, 17, 33),
    batches: tuple[int, ...] = (128, 512),
    steps: int = 20,
    repeats: int = 5,
) -> None:
    """Print the table.

    Args:
        pivots: of the band, ends included.
        batches: examples of one step and pivot.
        steps: in one measurement.
        repeats: measurements; medians are shown.
    """
    table = Table(title="Steps of an elastic band, 784-512-512-512-10, one thread")
    for heading in (
        "pivots",
        "batch",
        "together\nsamples/s",
        "by pivot\nsamples/s",
        "gradients only\nsamples/s",
        "together /\nby pivot",
        "together /\ngradients",
        "together\nCPU ms a pivot",
    ):
        table.add_column(heading, justify="right")
    for batch in batches:
        for count in pivots:
            found = alone(measure, count, batch, steps, repeats)
            speed = {name: statistics.median(values) for name, values in found.items()}
            ratio = {
                name: statistics.median(
                    a / b for a, b in zip(found["together"], found[name], strict=True)
                )
                for name in ("by pivot", "gradients")
            }
            table.add_row(
                str(count),
                str(batch),
                *(f"{speed[name]:,.0f}" for name in ("together", "by pivot", "gradients")),
                *(f"{value:.2f}" for value in ratio.values()),
                f"{1000 * batch / speed['together']:.1f}",
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    tyro.cli(main)
