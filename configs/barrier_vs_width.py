"""The barrier against the width, digits, MLPs with two hidden layers.

Ainsworth et al. 2023; Entezari et al. 2022. ReLU, He initialisation, Adam 1e-3
with a cosine schedule, 150 epochs, batches of 100. Expected mean train chord barriers (nats) at
widths 16, 64, 256 and 1024: naive 2.15, 1.34, .46, .31; weights .66, .18, .10, .07; activations
.51, .11, .03, .007; each within 40 %. Under five minutes on two cores::

    mconn run configs/barrier_vs_width.py
"""

from dataclasses import replace

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.lines.scaling import BarrierScaling, Method

PILOTS: dict[int, dict[Method, float]] = {
    16: {"naive": 2.15, "weights": 0.664, "activations": 0.506},
    64: {"naive": 1.34, "weights": 0.179, "activations": 0.108},
    256: {"naive": 0.461, "weights": 0.099, "activations": 0.026},
    1024: {"naive": 0.314, "weights": 0.072, "activations": 0.007},
}


def barrier_vs_width(
    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024),
    depth: int = 2,
    seeds: int = 3,
    epochs: int = 150,
    points: int = 25,
) -> BarrierScaling:
    """Digits, MLPs of several widths: train, align, sweep, report the barriers.

    Args:
        widths: units of a hidden layer, in ascending order.
        depth: hidden layers.
        seeds: networks of each width; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
    """
    published = (depth, epochs) == (2, 150)
    return BarrierScaling(
        axis="width",
        trainings=tuple(digits_mlp(width, depth, seeds, epochs).train for width in widths),
        points=points,
        expected=tuple(
            (width, method, barrier)
            for width in widths
            for method, barrier in PILOTS.get(width, {}).items()
            if published
        ),
        expected_source="pilots of this project, 2-3 pairs",
    )


def smoke() -> BarrierScaling:
    """The same at a size for tests: seconds, and no published numbers to meet."""
    return barrier_vs_width(widths=(16, 64), seeds=2, epochs=20, points=11)


def gpu() -> BarrierScaling:
    """Fashion-MNIST, three hidden layers, wider and longer, for an accelerator."""
    widths = (32, 128, 512, 2048, 4096)
    trainings = tuple(fmnist_mlp(width, seeds=4, epochs=100).train for width in widths)
    return replace(barrier_vs_width(), trainings=trainings, points=61, expected=())
