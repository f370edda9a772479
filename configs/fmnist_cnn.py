"""Fashion-MNIST, a small CNN, without or with a normaliser.

Three blocks of 16, 32 and 64 channels, Adam 1e-3, 5 epochs, 60 000 + 10 000 images. With `batch`
the statistics are recomputed at every point of the line; the report says so::

    mconn run configs/fmnist_cnn.py --normaliser batch
"""

from experiments.lines.linear import LinearConnectivity
from mconn.data import DataConfig
from mconn.models import CNN, Normaliser
from mconn.training import Optimiser, TrainConfig


def fmnist_cnn(
    width: int = 16,
    depth: int = 3,
    normaliser: Normaliser = "none",
    seeds: int = 2,
    epochs: int = 5,
    points: int = 11,
    subset: int | None = None,
) -> LinearConnectivity:
    """Fashion-MNIST, CNN: train the seeds, align them, sweep the line, report the barrier.

    Args:
        width: channels of the first block; each later one has twice as many.
        depth: blocks.
        normaliser: none, layer or batch.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
        subset: train on the first examples only.
    """
    return LinearConnectivity(
        train=TrainConfig(
            model=CNN(width=width, depth=depth, normaliser=normaliser, initialiser="he"),
            data=DataConfig("fashion_mnist", subset=subset),
            optimiser=Optimiser("adam", learning_rate=1e-3, schedule="cosine"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=250,
        ),
        points=points,
    )


def smoke() -> LinearConnectivity:
    """The same at a size for tests, with BatchNorm."""
    return fmnist_cnn(width=4, normaliser="batch", epochs=1, points=3, subset=2000)


def gpu() -> LinearConnectivity:
    """The same, wider and longer, for an accelerator."""
    return fmnist_cnn(width=64, normaliser="batch", seeds=4, epochs=50, points=25)
