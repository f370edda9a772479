"""Digits, MLP 2 x 64: surfaces of low loss through four networks, in two minutes on two cores.

Ends as in `configs/digits_mlp.py`. Expected: the mean loss over a fitted surface is below 0.2 of
that over the straight one (bilinear, or a flat triangle)::

    mconn run configs/bezier_surface.py
"""

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.curves.surface import BezierSurface
from mconn.paths import FitConfig
from mconn.training import Optimiser


def bezier_surface(
    width: int = 64,
    depth: int = 2,
    surfaces: int = 3,
    epochs: int = 150,
    fit_epochs: int = 60,
    points: int = 4,
    degree: int = 3,
    grid: int = 21,
) -> BezierSurface:
    """Digits, MLP: fit surfaces through four seeds each, and measure their loss everywhere.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        surfaces: how many; each has four seeds of its own.
        epochs: passes over the training split for the corners.
        fit_epochs: passes for the other control points.
        points: points of the surface in each step of the fit.
        degree: of the surfaces: 3 has 4 corners and 12 free control points.
        grid: points of the evaluation along each parameter.
    """
    return BezierSurface(
        train=digits_mlp(width, depth, seeds=4 * surfaces, epochs=epochs).train,
        degree=degree,
        fit=FitConfig(
            epochs=fit_epochs,
            batch_size=100,
            optimiser=Optimiser("adam", learning_rate=3e-3, schedule="cosine"),
            points=points,
        ),
        grid=grid,
    )


def smoke() -> BezierSurface:
    """The same at a size for tests: seconds."""
    return bezier_surface(width=48, surfaces=1, epochs=60, fit_epochs=30, degree=2, grid=7)


def gpu(width: int = 512) -> BezierSurface:
    """Fashion-MNIST, MLP 3 x 512, for an accelerator."""
    ends = fmnist_mlp(width=width, seeds=8).train
    study = bezier_surface()
    fit = FitConfig(
        epochs=30,
        batch_size=500,
        optimiser=Optimiser("adam", learning_rate=1e-3, schedule="cosine"),
        points=4,
    )
    return BezierSurface(ends, study.degree, fit, study.grid)
