"""An epoch of fitting a curve against an epoch of training the network itself.

Both sides run the programs of mconn in one process, in turns, on one device; a ratio is the median
over the turns. A quadratic Bezier curve with one t per batch must cost at most 1.45 epochs of plain
training (Garipov et al. 2018 promise "less than 1.5"; measured for the published code: 1.43)::

    python -m benchmarks.fitting [--turns 5] [--examples 20000]
"""

import os
import statistics
from collections.abc import Callable

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.evaluation import measure
from mconn import landscape, paths, trees
from mconn.data import DataConfig, Split
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig, build

MODEL = MLP(512, 3)


def plain_epoch(data: Split, batch_size: int) -> Callable[[], object]:
    """An epoch of the network."""
    config = TrainConfig(
        MODEL,
        DataConfig("fashion_mnist"),
        Optimiser("sgd", 0.05, weight_decay=5e-4),
        (0,),
        1,
        batch_size,
    )
    program = build(config, len(data), data.inputs.shape[1:])
    seeds = jax.device_put(np.array(config.seeds, np.int32), program.split_over_seeds)
    state = jax.device_put(program.initialise(seeds), program.split_over_seeds)
    train = jax.device_put(data, program.on_every_device)
    return lambda: jax.block_until_ready(program.epoch(state, seeds, 0, train, None))


def curve_epoch(
    path: paths.ControlledPath, data: Split, batch_size: int, points: int
) -> Callable[[], object]:
    """An epoch of a curve."""
    config = paths.FitConfig(epochs=1, batch_size=batch_size, points=points, weight_decay=5e-4)
    eval_fn, data = landscape.Classification(MODEL.apply), jax.device_put(data)
    return lambda: paths.fit(eval_fn, path, data, config)


def main(turns: int = 5, examples: int = 20_000, batch_size: int = 128) -> None:
    """Print the table.

    Args:
        turns: timed epochs of each side, after one that compiles.
        examples: of an epoch.
        batch_size: of a step.
    """
    generator = np.random.default_rng(0)
    data = Split(
        generator.normal(size=(examples, 784)).astype(np.float32),
        generator.integers(0, 10, examples).astype(np.int32),
    )
    ends = [trees.to_numpy(MODEL.init(jax.random.key(i), data.inputs[:1])) for i in range(2)]
    sides = {
        "plain training": plain_epoch(data, batch_size),
        "Bezier, 1 bend, 1 t": curve_epoch(paths.bezier(*ends), data, batch_size, 1),
        "Bezier, 3 bends, 1 t": curve_epoch(paths.bezier(*ends, bends=3), data, batch_size, 1),
        "chain, 1 bend, 1 t": curve_epoch(paths.chain(*ends), data, batch_size, 1),
        "Bezier, 1 bend, 2 t": curve_epoch(paths.bezier(*ends), data, batch_size, 2),
        "Bezier, 1 bend, 4 t": curve_epoch(paths.bezier(*ends), data, batch_size, 4),
    }
    first = {name: measure(side)[0] for name, side in sides.items()}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            runs[name].append(measure(side))
    table = Table(title=f"an epoch of {examples} examples, batch {batch_size}, medians of {turns}")
    for column in ("side", "wall s", "CPU s", "wall / plain", "CPU / plain", "first s"):
        table.add_column(column, justify="left" if column == "side" else "right")
    for name in sides:
        wall, cpu = (statistics.median(run[i] for run in runs[name]) for i in (0, 1))
        ratios = [
            statistics.median(
                run[i] / plain[i]
                for run, plain in zip(runs[name], runs["plain training"], strict=True)
            )
            for i in (0, 1)
        ]
        table.add_row(name, *(f"{number:.2f}" for number in (wall, cpu, *ratios, first[name])))
    Console().print(table)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", int(os.environ.get("DEVICES", "1")))
    tyro.cli(main)
