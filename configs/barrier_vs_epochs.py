"""The barrier against the length of training, digits, MLPs 64-64-64-10.

Ainsworth et al. 2023. ReLU, He initialisation, Adam 1e-3 with a cosine schedule of its
own at every point, batches of 100. Expected mean train chord barriers (nats) at 1, 3, 10, 30, 100
and 300 epochs: naive .07, .36, 1.15, 1.27, 1.31, 1.41; weights .06, .29, .69, .30, .19, .11;
activations .01, .15, .35, .26, .14, .08; each within 40 %. The naive barrier rises, the matched one
rises and falls. Under three minutes on two cores::

    mconn run configs/barrier_vs_epochs.py
"""

from dataclasses import replace

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.lines.scaling import BarrierScaling, Method

PILOTS: dict[int, dict[Method, float]] = {
    1: {"naive": 0.07, "weights": 0.06, "activations": 0.01},
    3: {"naive": 0.36, "weights": 0.29, "activations": 0.15},
    10: {"naive": 1.15, "weights": 0.69, "activations": 0.35},
    30: {"naive": 1.27, "weights": 0.30, "activations": 0.26},
    100: {"naive": 1.31, "weights": 0.19, "activations": 0.14},
    300: {"naive": 1.41, "weights": 0.11, "activations": 0.08},
}


def barrier_vs_epochs(
    epochs: tuple[int, ...] = (1, 3, 10, 30, 100, 300),
    width: int = 64,
    depth: int = 2,
    seeds: int = 3,
    points: int = 25,
) -> BarrierScaling:
    """Digits, an MLP trained for several lengths: train, align, sweep, report the barriers.

    Args:
        epochs: passes over the training split, in ascending order.
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks of each length; every pair of them is compared.
        points: points on each line.
    """
    published = (width, depth) == (64, 2)
    return BarrierScaling(
        axis="epochs",
        trainings=tuple(digits_mlp(width, depth, seeds, each).train for each in epochs),
        points=points,
        expected=tuple(
            (each, method, barrier)
            for each in epochs
            for method, barrier in PILOTS.get(each, {}).items()
            if published
        ),
        expected_source="pilots of this project, 3 pairs",
    )


def smoke() -> BarrierScaling:
    """The same at a size for tests: seconds."""
    study = barrier_vs_epochs(epochs=(1, 10), width=32, seeds=2, points=11)
    return replace(study, expected=())


def gpu() -> BarrierScaling:
    """Fashion-MNIST, three hidden layers of 512, for an accelerator."""
    trainings = tuple(fmnist_mlp(seeds=4, epochs=each).train for each in (1, 3, 10, 30, 100))
    return replace(barrier_vs_epochs(), trainings=trainings, points=61, expected=())
