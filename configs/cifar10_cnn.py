"""CIFAR-10 from parquet, a small CNN, without or with a normaliser.

Three blocks of 32, 64 and 128 channels, Adam 1e-3, 10 epochs, 50 000 + 10 000 images. With `batch`
the statistics are recomputed at every point of the line; the report says so::

    mconn run configs/cifar10_cnn.py --data-dir DIR --normaliser batch
"""

from dataclasses import replace

from configs.fmnist_cnn import fmnist_cnn
from experiments.lines.linear import LinearConnectivity
from mconn.data import DataConfig
from mconn.models import Normaliser


def cifar10_cnn(
    width: int = 32,
    depth: int = 3,
    normaliser: Normaliser = "none",
    seeds: int = 2,
    epochs: int = 10,
    points: int = 11,
    subset: int | None = None,
) -> LinearConnectivity:
    """CIFAR-10, CNN: train the seeds, align them, sweep the line, report the barrier.

    Args:
        width: channels of the first block; each later one has twice as many.
        depth: blocks.
        normaliser: none, layer or batch.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
        subset: train on the first examples only.
    """
    base = fmnist_cnn(width, depth, normaliser, seeds, epochs, points)
    return replace(base, train=replace(base.train, data=DataConfig("cifar10", subset=subset)))


def smoke() -> LinearConnectivity:
    """The same at a size for tests, with BatchNorm."""
    return cifar10_cnn(width=4, normaliser="batch", epochs=1, points=3, subset=2000)


def gpu() -> LinearConnectivity:
    """The same, wider and longer, for an accelerator."""
    return cifar10_cnn(width=64, normaliser="batch", seeds=4, epochs=50, points=25)
