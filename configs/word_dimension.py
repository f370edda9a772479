"""Analogies among the 64 words of six binary attributes, by dimension, corpus and matrix.

Korchinski et al. 2025, arXiv:2505.18651. Expected of 3CosAdd: .03, .14, .61 and 1.00 at the
dimensions 2, 4, 6 and 7 (each +- .05); .2 of positive PMI; .17, .64 to .77 and 1.00 from 1e4, 1e5
and 1e6 pairs (+- .1); SGNS within .03 nats of PMI - log k from the dimension 7 on. Under a minute
on two cores::

    mconn run configs/word_dimension.py
"""

import numpy as np

from experiments.words.dimension import WordDimension


def word_dimension(
    attributes: int = 6,
    weakest: float = 0.25,
    strongest: float = 0.75,
    steps: int = 6000,
    seeds: int = 3,
) -> WordDimension:
    """Words of binary attributes: factorise, sample, train, and ask all analogies.

    Args:
        attributes: of a word; there are 2 to that power of words.
        weakest: the least strength of an attribute.
        strongest: the largest one; the others are equally spaced.
        steps: of every training.
        seeds: corpora of each size, and trainings of each dimension.
    """
    known = (attributes, weakest, strongest) == (6, 0.25, 0.75)
    return WordDimension(
        strengths=tuple(np.linspace(weakest, strongest, attributes).tolist()),
        dimensions=tuple(sorted({2, 4, *range(attributes - 1, attributes + 3), attributes + 6})),
        corpora=(10_000, 100_000, 1_000_000),
        trained_dimensions=(2, 4, attributes, attributes + 1, attributes + 4),
        steps=steps,
        seeds=seeds,
        expected=((2, 0.03), (4, 0.14), (6, 0.61), (7, 1.0)) if known else (),
        expected_sampled=(
            ((10_000, 0.17, 0.17), (100_000, 0.64, 0.77), (1_000_000, 1.0, 1.0)) if known else ()
        ),
    )


def smoke() -> WordDimension:
    """The same at a size for tests: seconds, one corpus and one training each."""
    return word_dimension(seeds=1, steps=4000)
