"""Fashion-MNIST, MLP 3 x 512: curves of low loss between trained networks, in minutes on two cores.

Ends by SGD, 15 epochs, learning rate 0.05, weight decay 5e-4, all 60 000 + 10 000 images; curves by
30 epochs with one t per batch of 128. Expected: the straight line has a train chord barrier, the
Bezier curve and the chain nearly none::

    mconn run configs/fmnist_curves.py
"""

from experiments.curves.fitted import Curves
from mconn.data import DataConfig
from mconn.models import MLP
from mconn.paths import FitConfig
from mconn.training import Optimiser, TrainConfig


def fmnist_curves(
    width: int = 512,
    depth: int = 3,
    seeds: int = 2,
    epochs: int = 15,
    fit_epochs: int = 30,
    points: int = 61,
    plane: int = 25,
    subset: int | None = None,
) -> Curves:
    """Fashion-MNIST, MLP: train the seeds, fit curves between every two, measure them.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; every pair of them is joined.
        epochs: passes over the training split for the ends.
        fit_epochs: passes for the control points.
        points: points on each path.
        plane: points of the plane's grid along each axis.
        subset: train on the first examples only.
    """
    return Curves(
        train=TrainConfig(
            model=MLP(width=width, depth=depth, initialiser="he"),
            data=DataConfig("fashion_mnist", subset=subset),
            optimiser=Optimiser("sgd", 0.05, weight_decay=5e-4, schedule="plateau"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=128,
        ),
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=128,
            optimiser=Optimiser("sgd", 0.05, schedule="plateau"),
            weight_decay=5e-4,
        ),
        points=points,
        plane=plane,
        plane_split="test",
    )


def smoke() -> Curves:
    """The same at a size for tests: a part of the images."""
    return fmnist_curves(width=64, epochs=4, fit_epochs=4, points=5, plane=3, subset=4000)
