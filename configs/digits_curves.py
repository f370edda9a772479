"""Digits, MLP 3 x 256: curves of low loss between trained networks, in two minutes on two cores.

Ends as in `configs/digits_mlp.py`. Expected: naive lines have a train chord barrier of 1.2 nats;
Bezier curves and chains, with one free control point, none above 0.01. The weight decay of the
points is that of Garipov et al. 2018; without it the curves are shorter (1.2 times the segment)::

    mconn run configs/digits_curves.py
"""

from configs.digits_mlp import digits_mlp
from experiments.curves.fitted import Curves
from mconn.paths import FitConfig
from mconn.training import Optimiser


def digits_curves(
    width: int = 256,
    depth: int = 3,
    seeds: int = 3,
    epochs: int = 150,
    fit_epochs: int = 100,
    learning_rate: float = 1e-2,
    points: int = 61,
    plane: int = 41,
) -> Curves:
    """Digits, MLP: train the seeds, fit curves between every two, measure them beside the line.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; every pair of them is joined.
        epochs: passes over the training split for the ends.
        fit_epochs: passes for the control points.
        learning_rate: the largest one of the fit, of Adam with a cosine schedule.
        points: points on each path.
        plane: points of the plane's grid along each axis.
    """
    return Curves(
        train=digits_mlp(width, depth, seeds, epochs).train,
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=100,
            optimiser=Optimiser("adam", learning_rate=learning_rate, schedule="cosine"),
            weight_decay=5e-4,
        ),
        points=points,
        plane=plane,
    )


def smoke() -> Curves:
    """The same at a size for tests: seconds."""
    return digits_curves(width=64, seeds=2, epochs=30, fit_epochs=40, points=11, plane=7)
