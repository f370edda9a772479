"""Digits, MLP 3 x 256: every way to align two networks, on one plot of the line between them.

Weight matching, in the plain metric and in that of the data; activation and contribution matching;
and matching that is learned on the loss half way, straight-through and by Sinkhorn (Ainsworth et
al. 2023, figure 2; Pena et al. 2023; Theus et al. 2025). Expected: naive > weights > activations,
and what is learned not above the activations from which it starts. Minutes on two cores::

    mconn run configs/digits_methods.py
"""

import dataclasses

from configs.digits_mlp import digits_mlp
from experiments.lines.linear import METHODS, LinearConnectivity


def digits_methods(
    width: int = 256, depth: int = 3, seeds: int = 3, epochs: int = 150, points: int = 25
) -> LinearConnectivity:
    """Digits, MLP: train the seeds, align them in every way, sweep the line.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks; every pair of them is compared.
        epochs: passes over the training split.
        points: points on each line.
    """
    study = digits_mlp(width, depth, seeds, epochs, points)
    return dataclasses.replace(study, methods=METHODS)


def smoke() -> LinearConnectivity:
    """The same at a size for tests."""
    return digits_methods(width=64, seeds=2, epochs=20, points=11)
