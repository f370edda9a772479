"""The Hessian's eigenvalues against width, curvature along lines, and what kinks hide of it.

Digits. Expected exponents of the width, of the largest eigenvalue: before training .88 standard,
.10 NTK, -1.03 mean field; trained .40 and -.96, each within .2. Second derivatives miss 10 to 40 %
of the barriers of ReLU networks and less than 1 % of those of tanh networks. About two minutes on
two cores::

    mconn run configs/path_curvature.py
"""

import dataclasses

from configs.digits_mlp import digits_mlp
from experiments.curvature.along import PathCurvature
from experiments.curvature.claims import MEAN_FIELD, Published
from experiments.curvature.width import AFTER, BEFORE
from mconn.models import MLP
from mconn.training import TrainConfig

WIDTHS = (32, 64, 128, 256, 512)
PILOTS: Published = (
    ("standard", BEFORE, 0.88),
    ("NTK", BEFORE, 0.10),
    (MEAN_FIELD, BEFORE, -1.03),
    ("standard", AFTER, 0.40),
    (MEAN_FIELD, AFTER, -0.96),
)


def path_curvature(
    width: int = 64,
    depth: int = 2,
    seeds: int = 4,
    epochs: int = 150,
    widths: tuple[int, ...] = WIDTHS,
) -> PathCurvature:
    """Digits: eigenvalues of several widths, and the curvature of lines between seeds.

    Args:
        width: units of a hidden layer of the networks whose lines are followed.
        depth: their hidden layers.
        seeds: networks of each kind.
        epochs: passes over the training split for the ends of lines.
        widths: of the networks with one hidden layer.
    """
    smooth, kinked = networks(width, depth, seeds, epochs)
    return PathCurvature(
        smooth=smooth,
        kinked=kinked,
        losses=("cross-entropy", "squared error"),
        widths=widths,
        seeds=seeds,
        goal=0.1,
        published=PILOTS if widths == WIDTHS else (),
    )


def networks(width: int, depth: int, seeds: int, epochs: int) -> tuple[TrainConfig, TrainConfig]:
    """The trainings with tanh and with ReLU."""
    kinked = digits_mlp(width, depth, seeds, epochs).train
    model = MLP(width=width, depth=depth, activation="tanh", initialiser="lecun")
    return dataclasses.replace(kinked, model=model), kinked


def smoke() -> PathCurvature:
    """The same at a size for tests: seconds, and too few seeds for its numbers."""
    smooth, kinked = networks(width=32, depth=2, seeds=2, epochs=60)
    return PathCurvature(
        smooth=smooth,
        kinked=kinked,
        losses=("cross-entropy",),
        widths=(32, 128),
        seeds=2,
        goal=0.5,
        eigenvalue_points=3,
        steps=30,
        probes=2,
    )


def gpu() -> PathCurvature:
    """Wider networks and more seeds, for an accelerator."""
    return path_curvature(
        width=512,
        depth=3,
        seeds=5,
        epochs=200,
        widths=(32, 64, 128, 256, 512, 1024, 2048, 4096),
    )
