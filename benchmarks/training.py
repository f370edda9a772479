"""Seeds trained together against the same seeds trained one after another.

``python -m benchmarks.training`` prints a table; both sides run the program of ``mconn.training``
in one process, in turns. The goals are for two cores, and 0.5 for an accelerator.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from mconn.data import DataConfig, Split, load
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig
from mconn.training.program import build

CASES = (
    ("64-256-256-256-10, batch 100, digits", MLP(256), DataConfig("digits"), 100, 4, 5, 0.7),
    ("the same, 3 seeds", MLP(256), DataConfig("digits"), 100, 3, 5, None),
    (
        "784-512-512-512-10, batch 500, 10 000 of Fashion-MNIST",
        MLP(512),
        DataConfig("fashion_mnist", subset=10_000),
        500,
        4,
        1,
        1.05,
    ),
)
REPEATS = 7


class Timing(NamedTuple):
    """Seconds of the clock, and of all cores."""

    wall: float
    cpu: float


def compiled(config: TrainConfig, train: Split, epochs: int) -> tuple[Callable[[int], None], float]:
    """A function that trains on for ``epochs`` epochs from seed ``first``; seconds to compile."""
    program = build(config, len(train), train.inputs.shape[1:])
    data = jax.device_put(train, program.on_every_device)

    def begin(first: int) -> tuple:
        seeds = np.arange(first, first + len(config.seeds), dtype=np.int32)
        return jax.device_put((program.initialise(seeds), seeds), program.split_over_seeds)

    states = {first: begin(first) for first in range(4)}
    began = time.perf_counter()
    epoch = program.epoch.lower(*states[0], 0, data, None).compile()
    seconds = time.perf_counter() - began

    def run(first: int) -> None:
        state, seeds = states[first]
        for number in range(epochs):
            state, *_ = epoch(state, seeds, number, data, None)
        jax.block_until_ready(state)

    return run, seconds


def timed(function: Callable[[], object]) -> Timing:
    """How long a call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def main() -> None:
    """Print the table."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    devices = jax.devices()
    table = Table(title=f"Training seeds together, on {len(devices)} x {devices[0].device_kind}")
    for heading in (
        "network",
        "seeds",
        "one by one\nms/epoch",
        "together\nms/epoch",
        "ratio",
        "goal",
        "CPU s / s\none by one",
        "CPU s / s\ntogether",
        "compile s\none by one",
        "compile s\ntogether",
    ):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    for name, model, data, batch, seeds, epochs, goal in CASES:
        train = load(data).train
        config = TrainConfig(model, data, Optimiser(), tuple(range(seeds)), epochs, batch)
        together, compile_together = compiled(config, train, epochs)
        alone, compile_alone = compiled(
            TrainConfig(model, data, Optimiser(), (0,), epochs, batch), train, epochs
        )

        def one_by_one(alone: Callable = alone, seeds: int = seeds) -> None:
            for seed in range(seeds):
                alone(seed)

        one_by_one()
        together(0)
        pairs = [(timed(one_by_one), timed(lambda: together(0))) for _ in range(REPEATS)]  # noqa: B023
        table.add_row(
            name,
            str(seeds),
            *(f"{1000 * statistics.median(p[i].wall for p in pairs) / epochs:.0f}" for i in (0, 1)),
            f"{statistics.median(both.wall / each.wall for each, both in pairs):.2f}",
            "" if goal is None else f"{goal:.2f}",
            *(f"{statistics.median(p[i].cpu / p[i].wall for p in pairs):.2f}" for i in (0, 1)),
            f"{compile_alone:.1f}",
            f"{compile_together:.1f}",
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
