"""Fashion-MNIST, MLP 3 x 512: the headline experiment, in under four minutes on two cores.

He initialisation, Adam 1e-3 with a cosine schedule, 20 epochs, batches of 500, all 60 000 + 10 000
images. Expected: the same order as on digits, naive > weights > activations, on train and test;
ends at a test accuracy of at least .88::

    mconn run configs/fmnist_mlp.py
"""

from experiments.lines.linear import LinearConnectivity
from mconn.data import DataConfig
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig


def fmnist_mlp(
    width: int = 512,
    depth: int = 3,
    seeds: int = 2,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    points: int = 25,
    subset: int | None = None,
) -> LinearConnectivity:
    """Fashion-MNIST, MLP: train the seeds, align them, sweep the line, report the barrier.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        learning_rate: the largest one of Adam's cosine schedule.
        points: points on each line.
        subset: train on the first examples only.
    """
    return LinearConnectivity(
        train=TrainConfig(
            model=MLP(width=width, depth=depth, initialiser="he"),
            data=DataConfig("fashion_mnist", subset=subset),
            optimiser=Optimiser("adam", learning_rate=learning_rate, schedule="cosine"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=500,
        ),
        points=points,
        end_accuracy=None if subset else 0.88,
    )


def smoke() -> LinearConnectivity:
    """The same at a size for tests: one epoch on a part of the images."""
    return fmnist_mlp(width=64, epochs=1, points=5, subset=5000)


def gpu() -> LinearConnectivity:
    """The epochs of Ainsworth et al. 2023 on these images, more seeds, a finer line."""
    return fmnist_mlp(seeds=4, epochs=100, points=61)
