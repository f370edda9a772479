"""Drift of the tangent kernel: with width, through a training, and between two networks.

Digits. The drift in training falls with width; the exponent -1/2 is an upper bound, and the first
correction of the tangent hierarchy says -1. About two minutes on two cores::

    mconn run configs/tangent_drift.py
"""

from configs.digits_mlp import digits_mlp
from experiments.tangent.drift import TangentDrift
from experiments.tangent.width import Digits
from mconn.data import DataConfig


def tangent_drift(
    width: int = 256,
    depth: int = 3,
    seeds: int = 3,
    epochs: int = 100,
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024),
    examples: int = 200,
) -> TangentDrift:
    """Digits: kernels of several widths, of the epochs of a training, and along lines.

    Args:
        width: units of a hidden layer of the training that is followed.
        depth: its hidden layers.
        seeds: networks of it, and of each width.
        epochs: passes over the training split.
        widths: of the networks with one hidden layer.
        examples: those whose kernels are measured.
    """
    chosen = (0, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 70, 100, 150)
    return TangentDrift(
        train=digits_mlp(width=width, depth=depth, seeds=seeds, epochs=epochs).train,
        digits=Digits(DataConfig("digits"), examples),
        widths=widths,
        spread_widths=tuple(sorted({32, *widths})),
        depths=(1, 2),
        seeds=seeds,
        spread_seeds=48,
        goal=0.1,
        at=(*(epoch for epoch in chosen if epoch < epochs), epochs),
        examples=examples,
        points=13,
        shares=(0.05, 0.005),
    )


def smoke() -> TangentDrift:
    """The same at a size for tests: seconds, and too narrow for the laws of wide networks."""
    return TangentDrift(
        train=digits_mlp(width=32, depth=2, seeds=2, epochs=8).train,
        digits=Digits(DataConfig("digits"), 60),
        widths=(32, 128),
        spread_widths=(32, 128),
        depths=(1,),
        seeds=2,
        spread_seeds=16,
        goal=0.2,
        at=(0, 1, 7, 8),
        examples=60,
        points=5,
        shares=(0.05,),
    )


def gpu() -> TangentDrift:
    """Wider networks, more seeds and examples, for an accelerator."""
    return tangent_drift(
        width=1024,
        seeds=5,
        epochs=200,
        widths=(64, 128, 256, 512, 1024, 2048, 4096, 8192),
        examples=1000,
    )
