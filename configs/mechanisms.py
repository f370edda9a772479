"""Digits with a cue, MLP 2 x 128: mechanisms, barriers, and fine-tuning off the cue.

Lubana et al. 2023, arXiv:2211.08422. Expected of networks trained with the cue: test accuracy .995
where only the cue is right, .128 with a random cue, .76 without one; of those trained without: .086
where only the cue is right; each +- .1. Naive lines have barriers, matched ones between different
mechanisms none. Connectivity-based fine-tuning raises a barrier of 1 nat and relies less on the cue
than plain fine-tuning. Under two minutes on two cores::

    mconn run configs/mechanisms.py
"""

from dataclasses import replace

from configs.digits_mlp import digits_mlp
from experiments.mechanisms.cues import Mechanisms


def mechanisms(
    width: int = 128,
    depth: int = 2,
    seeds: int = 3,
    epochs: int = 150,
    finetune_epochs: int = 20,
    points: int = 25,
) -> Mechanisms:
    """Digits with a cue, MLP: compare mechanisms on lines, and fine-tune off the cue.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        seeds: networks with each mechanism.
        epochs: passes over the training split.
        finetune_epochs: passes over the images without a cue.
        points: points on each line.
    """
    train = digits_mlp(width, depth, seeds, epochs).train
    return Mechanisms(
        cued=train,
        plain=replace(train, seeds=tuple(range(seeds, 2 * seeds))),
        finetune_epochs=finetune_epochs,
        points=points,
        published=(width, depth, epochs) == (128, 2, 150),
    )


def smoke() -> Mechanisms:
    """The same at a size for tests: seconds, and no known numbers to meet."""
    study = mechanisms(width=48, seeds=2, epochs=40, finetune_epochs=5, points=9)
    return replace(study, rates=(0.1,))


def gpu() -> Mechanisms:
    """Wider, deeper, more seeds, for an accelerator."""
    return mechanisms(width=1024, depth=3, seeds=6)
