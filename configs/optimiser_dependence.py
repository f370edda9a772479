"""Digits, MLP 2 x 128: the barrier after matching, by optimiser, rate and weight decay.

150 epochs each with a cosine schedule. Expected: the barrier left by weight matching depends on the
optimiser, among fitted networks as well; SGD with a large rate leaves less than with a small one.
Fort found on MNIST that Adam connects with a small rate only; here it leaves more than a large one
does, and is further from fitting. Two minutes on two cores::

    mconn run configs/optimiser_dependence.py
"""

from configs.digits_mlp import digits_mlp
from configs.fmnist_mlp import fmnist_mlp
from experiments.lines.optimisers import FORT, OptimiserDependence
from mconn.training import Optimiser

OPTIMISERS = (
    ("SGD, rate 0.3", Optimiser("sgd", 0.3)),
    ("SGD, rate 0.1", Optimiser("sgd", 0.1)),
    ("SGD, rate 0.01", Optimiser("sgd", 0.01)),
    ("Adam, rate 1e-2", Optimiser("adam", 1e-2)),
    ("Adam, rate 1e-3", Optimiser("adam", 1e-3)),
    ("Adam, rate 1e-4", Optimiser("adam", 1e-4)),
    ("AdamW, rate 1e-3, decay 1", Optimiser("adamw", 1e-3, weight_decay=1.0)),
)
STORED = "this project, on stored networks 3 x 512"
CLAIMS = (
    (FORT, "SGD, rate 0.3", "SGD, rate 0.01"),
    (FORT, "Adam, rate 1e-4", "Adam, rate 1e-2"),
    (STORED, "AdamW, rate 1e-3, decay 1", "Adam, rate 1e-3"),
)


def optimiser_dependence(
    width: int = 128, depth: int = 2, seeds: int = 3, epochs: int = 150, points: int = 25
) -> OptimiserDependence:
    """Digits, MLP: every pair of the seeds of each optimiser, on lines of so many points."""
    train = digits_mlp(width, depth, seeds, epochs).train
    return OptimiserDependence(train, OPTIMISERS, points, CLAIMS)


def smoke() -> OptimiserDependence:
    """The same at a size for tests: seconds, two optimisers, and no published order to meet."""
    return OptimiserDependence(digits_mlp(32, 2, 2, 30).train, (OPTIMISERS[0], OPTIMISERS[5]), 9)


def gpu() -> OptimiserDependence:
    """Fashion-MNIST, three hidden layers of 512, longer; SGD at a rate of 0.3 diverges there."""
    train = fmnist_mlp(seeds=4, epochs=100).train
    return OptimiserDependence(train, OPTIMISERS[1:], 61, CLAIMS[1:])
