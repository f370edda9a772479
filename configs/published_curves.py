"""Fashion-MNIST, 784-512-512-512-10: fitted curves beside the published ones, about ten minutes.

SGD, 15 epochs, learning rate .05, weight decay 5e-4, batches of 128, all 60 000 + 10 000 images; 61
points on each curve. Expected on the published code: Bezier test barrier .0164 ± .0030, chain .1020
± .0077, both after 1.8 M samples; elastic band .0105 above the worse end after 2.38 M::

    mconn run configs/published_curves.py
"""

from experiments.curves.published import Curve, Published, PublishedCurves
from mconn.data import DataConfig
from mconn.models import MLP
from mconn.paths import FitConfig, Maximum, Mean, Objective, SoftMaximum
from mconn.training import Optimiser, TrainConfig


def published_curves(
    width: int = 512,
    seeds: int = 2,
    epochs: int = 15,
    curve_epochs: int = 30,
    points: int = 61,
    subset: int | None = None,
) -> PublishedCurves:
    """Curves on the mean, a soft maximum and the maximum, beside the published ones.

    Args:
        width: units of a hidden layer.
        seeds: networks; every pair of them is joined.
        epochs: passes over the training split for the networks.
        curve_epochs: passes for a curve with one point per batch; a third of it for three points.
        points: points on each curve.
        subset: train on the first examples only.
    """
    published = (width, epochs, curve_epochs, subset) == (512, 15, 30, None)

    def fit(points: int = 1, objective: Objective | None = None, decay: float = 5e-4) -> FitConfig:
        return FitConfig(
            epochs=curve_epochs // points,
            optimiser=Optimiser("sgd", learning_rate=0.03, schedule="plateau"),
            points=points,
            objective=Mean() if objective is None else objective,
            weight_decay=decay,
        )

    soft = SoftMaximum(0.1, 0.005)
    return PublishedCurves(
        train=TrainConfig(
            model=MLP(width=width, depth=3),
            data=DataConfig("fashion_mnist", subset=subset),
            optimiser=Optimiser("sgd", 0.05, weight_decay=5e-4, schedule="plateau"),
            seeds=tuple(range(seeds)),
            epochs=epochs,
            batch_size=128,
        ),
        curves=(
            Curve("Bezier", "bezier", fit()),
            Curve("Bezier, decay", "bezier", fit(decay=2e-3)),
            Curve("Bezier, 3 t", "bezier", fit(3)),
            Curve("Bezier, soft", "bezier", fit(3, soft)),
            Curve("chain", "chain", fit()),
            Curve("chain, highest", "chain", fit(3, Maximum())),
        ),
        mean=("Bezier", "chain"),
        soft=("Bezier, 3 t", "Bezier, soft"),
        best="Bezier, decay",
        published=Published(0.0164, 0.0030, 0.0105) if published else None,
        points=points,
    )


def smoke() -> PublishedCurves:
    """The same at a size for tests: few epochs on a part of the images."""
    return published_curves(width=32, epochs=2, curve_epochs=3, points=7, subset=2000)
