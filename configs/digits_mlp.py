"""Digits, MLP 3 x 256: the demo, in under two minutes on two cores.

He initialisation, Adam 1e-3 with a cosine schedule, 150 epochs, batches of 100. Expected mean
train chord barrier (nats): naive 1.21, weights .34, activations .04, each within 40 %, in this
order for every pair::

    mconn run configs/digits_mlp.py
"""

from experiments.lines.linear import LinearConnectivity
from mconn.data import DataConfig
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig


def digits_mlp(
    width: int = 256, depth: int = 3, seeds: int = 3, epochs: int = 150, points: int = 25
) -> LinearConnectivity:
    """Digits, MLP: train the seeds, align them, sweep the line, report the barrier.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
    """
    published = (width, depth, epochs) == (256, 3, 150)
    return LinearConnectivity(
        train=TrainConfig(
            model=MLP(width=width, depth=depth, initialiser="he"),
            data=DataConfig("digits", normalise="unit"),
            optimiser=Optimiser("adam", learning_rate=1e-3, schedule="cosine"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=100,
        ),
        methods=("naive", "weights", "activations", "random"),
        points=points,
        expected=(("naive", 1.21), ("weights", 0.34), ("activations", 0.04)) if published else (),
        expected_source="pilots of this project, 2-3 pairs",
    )


def smoke() -> LinearConnectivity:
    """The same at a size for tests: seconds, and no published numbers to meet."""
    return digits_mlp(width=64, epochs=20, points=11)
