"""Counterexamples: a constant loss with features that are no rotations, and the other way round.

Digits, MLP 64-64-64-10. Expected to rounding: outputs that do not change along the path of a unit
that nothing reads, nor along an orbit of rescaled units; the same rotation residual at the ends of
an aligned pair and a naive one; CKA 1 and a barrier between a network and its permuted copy. Half a
minute on two cores::

    mconn run configs/coupling_counterexamples.py
"""

from configs.digits_mlp import digits_mlp
from experiments.features.coupling import Counterexamples


def coupling_counterexamples(
    width: int = 64, depth: int = 2, epochs: int = 150, points: int = 21
) -> Counterexamples:
    """Digits, MLP: walk along five paths, and compare loss and features.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        epochs: passes over the training split.
        points: points on each path.
    """
    return Counterexamples(digits_mlp(width, depth, 3, epochs).train, points)


def smoke() -> Counterexamples:
    """The same at a size for tests: seconds."""
    return coupling_counterexamples(width=32, epochs=30, points=9)
