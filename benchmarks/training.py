"""Seeds trained together against the same seeds trained one after another.

``python -m benchmarks.training`` prints a table. Both sides run the program of ``mconn.training``
in one process, in turns; a ratio is the median over the turns. The goals are those of two cores;
on an accelerator it is 0.5 for every network.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from mconn.data import DataConfig, Split, load
from mconn.models import CNN, MLP
from mconn.training import Optimiser, TrainConfig, build

TURNS = 7
DIGITS = DataConfig("digits")
FASHION = DataConfig("fashion_mnist", subset=10_000)


class Case(NamedTuple):
    """A network, its data, and how much of the one-by-one time is allowed."""

    name: str
    model: Any
    data: DataConfig
    batch_size: int
    seeds: int
    goal: str


CASES = (
    Case("64-256-256-256-10, digits", MLP(256), DIGITS, 100, 4, "0.70"),
    Case("the same", MLP(256), DIGITS, 100, 3, ""),
    Case("CNN(8, depth 2), digits", CNN(8, 2), DIGITS, 100, 4, ""),
    Case("784-512-512-512-10, Fashion-MNIST", MLP(512), FASHION, 500, 4, "1.05"),
)


class Timing(NamedTuple):
    """Seconds of the clock, and of all cores."""

    wall: float
    cpu: float


def timed(function: Callable[[], object]) -> Timing:
    """How long a call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def compiled_epoch(config: TrainConfig, train: Split) -> tuple[Callable[[], object], float]:
    """An epoch of all seeds of ``config``, and the seconds that its compilation took."""
    program = build(config, len(train), train.inputs.shape[1:])
    seeds = jax.device_put(np.array(config.seeds, np.int32), program.split_over_seeds)
    state = jax.device_put(program.initialise(seeds), program.split_over_seeds)
    arguments = (state, seeds, 0, jax.device_put(train, program.on_every_device), None)
    began = time.perf_counter()
    epoch = program.epoch.lower(*arguments).compile()
    seconds = time.perf_counter() - began
    return lambda: jax.block_until_ready(epoch(*arguments)), seconds


def row(case: Case) -> list[str]:
    """One line of the table."""
    train = load(case.data).train
    together = TrainConfig(
        case.model, case.data, Optimiser(), tuple(range(case.seeds)), 1, case.batch_size
    )
    epoch_together, compilation = compiled_epoch(together, train)
    # Each of them compiles to the same program; only the seed's number differs.
    epochs_alone = [
        compiled_epoch(replace(together, seeds=(seed,)), train)[0] for seed in together.seeds
    ]

    def one_by_one() -> None:
        for epoch in epochs_alone:
            epoch()

    one_by_one()
    epoch_together()
    turns = [(timed(one_by_one), timed(epoch_together)) for _ in range(TURNS)]
    alone, beside = zip(*turns, strict=True)
    return [
        case.name,
        str(case.batch_size),
        str(case.seeds),
        *(f"{1000 * statistics.median(t.wall for t in side):.0f}" for side in (alone, beside)),
        f"{statistics.median(b.wall / a.wall for a, b in turns):.2f}",
        case.goal,
        *(f"{statistics.median(t.cpu / t.wall for t in side):.2f}" for side in (alone, beside)),
        f"{compilation:.1f}",
    ]


def main() -> None:
    """Print the table."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    devices = jax.devices()
    table = Table(title=f"One epoch of all seeds, on {len(devices)} x {devices[0].device_kind}")
    table.add_column("network")
    for heading in (
        "batch",
        "seeds",
        "one by one\nms",
        "together\nms",
        "ratio",
        "goal",
        "one by one\nCPU s / s",
        "together\nCPU s / s",
        "compile\ns",
    ):
        table.add_column(heading, justify="right")
    for case in CASES:
        table.add_row(*row(case))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
