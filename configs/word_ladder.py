"""Embeddings of 64 words on lines between seeds, after every group moved one onto the other.

SGNS on its exact objective, dimension 12, six binary attributes. Expected: a chord barrier of .90
naive, .05 after permutations, below 1e-3 after an orthogonal or invertible map; 3CosAdd half
way .94, .98, 1.0 and 1.0. Under a minute on two cores::

    mconn run configs/word_ladder.py
"""

import numpy as np

from experiments.words.ladder import WordLadder
from experiments.words.ladder_stages import WordTraining
from mconn import words


def word_ladder(
    attributes: int = 6, dimension: int = 12, steps: int = 6000, seeds: int = 4, points: int = 21
) -> WordLadder:
    """Words of binary attributes: train, align by every group, walk, measure.

    Args:
        attributes: of a word; there are 2 to that power of words.
        dimension: of the embeddings; at least two more than the attributes.
        steps: of every training.
        seeds: embeddings; every pair of them is compared.
        points: on each path; an odd number.
    """
    model = words.AttributeModel(tuple(np.linspace(0.25, 0.75, attributes).tolist()))
    known = (attributes, dimension, steps) == (6, 12, 6000)
    return WordLadder(
        WordTraining(model, dimension, steps, seeds),
        points,
        expected=(
            ("naive", 0.90, 0.94),
            ("permutation", 0.05, 0.98),
            ("orthogonal", 1e-3, 1.0),
            ("general linear", 1e-3, 1.0),
        )
        if known
        else (),
    )


def smoke() -> WordLadder:
    """The same at a size for tests: two seeds, five points."""
    return word_ladder(attributes=4, dimension=6, steps=2000, seeds=2, points=5)
