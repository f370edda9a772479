"""Evaluating a path of networks with BatchNorm: statistics of every point, and then the test data.

The published protocol (Garipov et al. 2018, `eval_curve.py`) passes over the training data twice
at each of 61 points, for the statistics and for the training loss, and once over the test data:
1450 CPU seconds for a small CNN of 0.2 million parameters on Fashion-MNIST (60 000 and 10 000
images). Here one pass gives pooled statistics, and the training loss is not measured unless asked
for. The cost is linear in the points, which the table shows, so that few points tell that of 61.
Statistics of a part of the training data are as good a measure (their error falls with the images
times the pixels) and cost less::

    python -m benchmarks.normalisers [--points 1 2] [--train 60000 10000] [--test 10000]
"""

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.evaluation import measure
from mconn import landscape, paths
from mconn.data import Split
from mconn.measure import Execution
from mconn.models import CNN

PUBLISHED_POINTS, PUBLISHED_SECONDS = 61, 1450


def main(
    points: tuple[int, ...] = (1, 2),
    train: tuple[int, ...] = (60_000, 10_000),
    test: int = 10_000,
    batch_size: int = 250,
    width: int = 24,
    depth: int = 4,
) -> None:
    """Print the table.

    Args:
        points: numbers of points to time.
        train: numbers of training images that the statistics are taken of.
        test: test images.
        batch_size: images in one batch.
        width: channels of the first of the CNN's blocks.
        depth: its blocks.
    """
    generator = np.random.default_rng(0)
    model = CNN(width, depth, normaliser="batch")
    images = generator.normal(size=(max(train), 28, 28, 1)).astype(np.float32)
    labels = generator.integers(0, 10, max(train)).astype(np.int32)
    data = Split(images, labels)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images[:1])
    a, b = (
        jax.tree.map(
            lambda leaf: np.abs(generator.normal(0, 0.1, size=leaf.shape)).astype(np.float32),
            shapes,
        )
        for _ in range(2)
    )
    size = sum(leaf.size for leaf in jax.tree.leaves(a))
    table = Table(title=f"{size:,} parameters, {test} images for the loss")
    for column in (
        "images for statistics",
        "points",
        "wall s",
        "CPU s",
        "CPU s per point",
        "CPU s of 61 points",
    ):
        table.add_column(column, justify="right")

    def evaluate(ts: np.ndarray, train: Split, test: Split) -> landscape.Profile:
        return landscape.evaluate(
            landscape.Classification(model.apply),
            paths.line(a, b),
            ts,
            test,
            execution=Execution(
                batch_size=batch_size,
                refresh=landscape.BatchNormStatistics(model),
                refresh_data=train,
            ),
        )

    for images_seen in train:
        for number in (points[0], *points):
            ts, seen = np.linspace(0, 1, number), data.head(images_seen)
            wall, cpu = measure(lambda ts=ts, seen=seen: evaluate(ts, seen, data.head(test)))
            each = cpu / number
            numbers = (wall, cpu, each, each * PUBLISHED_POINTS)
            table.add_row(str(images_seen), str(number), *(f"{n:.1f}" for n in numbers))
    table.caption = (
        f"the first row of each size compiles; published protocol: {PUBLISHED_SECONDS} CPU s for "
        f"{PUBLISHED_POINTS} points"
    )
    Console().print(table)


if __name__ == "__main__":
    import os

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    tyro.cli(main)
