"""Distances of words against csPMI, and the errors of analogies, among words of binary attributes.

Ethayarajh et al. 2019, Allen and Hospedales 2019. Expected: a correlation of squared distance and
-csPMI of at least .99 for equal and mildly unequal frequencies, .885 +- .05 for strongly unequal
ones; the three errors of an analogy add up to what it misses, to rounding. Seconds on two cores::

    mconn run configs/word_geometry.py
"""

import numpy as np

from experiments.words.geometry import AnalogyErrors, Distances, WordGeometry

MILD, STRONG = 0.2, 1.25


def word_geometry(attributes: int = 6, seeds: int = 5, questions: int = 60) -> WordGeometry:
    """Words of binary attributes: distances, conditions and errors of analogies.

    Args:
        attributes: of a word; there are 2 to that power of words.
        seeds: vocabularies with random frequencies.
        questions: analogies whose errors are measured; half of them get a random answer.
    """
    return WordGeometry(
        Distances(
            strengths=tuple(np.linspace(0.25, 0.75, attributes).tolist()),
            spreads=(0.0, MILD, STRONG),
            seeds=seeds,
        ),
        AnalogyErrors(tuple(np.linspace(0.1, 0.3, min(attributes, 5)).tolist()), questions),
        expected=((0.0, 0.99, 0.0), (MILD, 0.99, 0.0), (STRONG, 0.885, 0.05))
        if attributes == 6
        else (),
    )


def smoke() -> WordGeometry:
    """The same at a size for tests."""
    return word_geometry(seeds=2, questions=20)
