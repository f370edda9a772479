"""Features and outputs along the lines between MLPs on digits, 64-64-64-10.

Expected half way between aligned networks, of the two hidden layers: drift .136 and .155, best
rotation .020 and .044, blend .006 and .029 (each within a half), c .99 and .91, variance ratio .87
and .72 (within a quarter); between naive ones, of the second layer, rotation .49, blend .16, c .67
and variance ratio .22. Features on all training examples, 22 for every unit. About a minute and a
half on two cores::

    mconn run configs/feature_drift.py
"""

import dataclasses

from configs.digits_curves import digits_curves
from experiments.features.drift import Drift
from experiments.features.drift_claims import MATCHED, NAIVE, Expected

PILOTS: tuple[Expected, ...] = (
    (MATCHED, 1, "drift", 0.136),
    (MATCHED, 1, "rotation_residual", 0.020),
    (MATCHED, 1, "blend_residual", 0.006),
    (MATCHED, 1, "coefficient", 0.99),
    (MATCHED, 1, "variance_ratio", 0.87),
    (MATCHED, 2, "drift", 0.155),
    (MATCHED, 2, "rotation_residual", 0.044),
    (MATCHED, 2, "blend_residual", 0.029),
    (MATCHED, 2, "coefficient", 0.91),
    (MATCHED, 2, "variance_ratio", 0.72),
    (NAIVE, 2, "rotation_residual", 0.49),
    (NAIVE, 2, "blend_residual", 0.16),
    (NAIVE, 2, "coefficient", 0.67),
    (NAIVE, 2, "variance_ratio", 0.22),
)


def feature_drift(
    width: int = 64,
    depth: int = 2,
    seeds: int = 3,
    epochs: int = 150,
    fit_epochs: int = 100,
    points: int = 11,
) -> Drift:
    """Digits, MLP: train the seeds, join every two, follow features and outputs.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split for the ends.
        fit_epochs: passes for the bend of a Bezier curve.
        points: points on each path.
    """
    curves = digits_curves(width, depth, seeds, epochs, fit_epochs)
    measured = (width, depth, epochs) == (64, 2, 150)
    return Drift(curves.train, curves.fit, points, PILOTS if measured else ())


def smoke() -> Drift:
    """The same at a size for tests: seconds."""
    study = feature_drift(width=32, seeds=2, epochs=30, fit_epochs=20, points=5)
    return dataclasses.replace(study, converged=False)


def gpu() -> Drift:
    """Wider, deeper and with more seeds, for an accelerator."""
    return feature_drift(width=256, depth=3, seeds=5, epochs=300, points=25)
