"""Digits, MLP 64-64-64-10, watched from its initialisation on.

Angles of attribute subspaces, similarity of features, and the barrier between seeds, after every
second epoch of 60. Under a minute on two cores::

    mconn run configs/watched_training.py
"""

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.features.watched import WatchedTraining


def watched_training(
    width: int = 64, depth: int = 2, seeds: int = 4, epochs: int = 60, every: int = 2
) -> WatchedTraining:
    """Digits, an MLP: track features and barriers during training.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; the first one is the reference of the others.
        epochs: passes over the training split.
        every: epochs between measurements.
    """
    return WatchedTraining(digits_mlp(width, depth, seeds, epochs).train, every)


def smoke() -> WatchedTraining:
    """The same at a size for tests: seconds."""
    return watched_training(width=32, seeds=2, epochs=4)


def gpu() -> WatchedTraining:
    """Fashion-MNIST, three hidden layers of 512, for an accelerator."""
    return WatchedTraining(fmnist_mlp(seeds=4, epochs=50).train, points=25, examples=5000)
