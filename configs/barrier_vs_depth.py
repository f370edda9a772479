"""The barrier against the depth, digits, MLPs of width 64.

Entezari et al. 2022. ReLU, He initialisation, Adam 1e-3 with a cosine schedule, 150
epochs, batches of 100. Expected mean train chord barriers (nats) at one, two and three hidden
layers: naive .35, 1.34, 1.80; weights .04, .18, .96; activations .06, .11, .21; each within 40 %,
and rising with the depth. Under four minutes on two cores::

    mconn run configs/barrier_vs_depth.py
"""

from dataclasses import replace

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.lines.scaling import BarrierScaling, Method

PILOTS: dict[int, dict[Method, float]] = {
    1: {"naive": 0.349, "weights": 0.039, "activations": 0.056},
    2: {"naive": 1.34, "weights": 0.179, "activations": 0.108},
    3: {"naive": 1.80, "weights": 0.956, "activations": 0.212},
}


def barrier_vs_depth(
    depths: tuple[int, ...] = (1, 2, 3, 4, 6),
    width: int = 64,
    seeds: int = 3,
    epochs: int = 150,
    points: int = 25,
) -> BarrierScaling:
    """Digits, MLPs of several depths: train, align, sweep, report the barriers.

    Args:
        depths: hidden layers, in ascending order.
        width: units of a hidden layer.
        seeds: networks of each depth; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
    """
    published = (width, epochs) == (64, 150)
    return BarrierScaling(
        axis="depth",
        trainings=tuple(digits_mlp(width, depth, seeds, epochs).train for depth in depths),
        points=points,
        expected=tuple(
            (depth, method, barrier)
            for depth in depths
            for method, barrier in PILOTS.get(depth, {}).items()
            if published
        ),
        expected_source="pilots of this project, 2-3 pairs",
    )


def smoke() -> BarrierScaling:
    """The same at a size for tests: seconds, and no published numbers to meet."""
    return barrier_vs_depth(depths=(1, 2), width=32, seeds=2, epochs=20, points=11)


def gpu() -> BarrierScaling:
    """Fashion-MNIST, width 512, deeper and longer, for an accelerator."""
    depths = (1, 2, 3, 5, 8)
    trainings = tuple(fmnist_mlp(512, depth, seeds=4, epochs=100).train for depth in depths)
    return replace(barrier_vs_depth(), trainings=trainings, points=61, expected=())
