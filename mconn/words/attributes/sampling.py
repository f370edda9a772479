"""Finite samples of a distribution of pairs: counts, and texts."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from mconn.errors import ConfigError


def sample_counts(
    joint: Float[np.ndarray, "words words"], pairs: int, generator: np.random.Generator
) -> Int[np.ndarray, "words words"]:
    """The counts of independent pairs.

    Args:
        joint: the probability of every pair.
        pairs: how many are drawn.
        generator: of the draws.

    Raises:
        ConfigError: if no pair is asked for.
    """
    check(pairs)
    return generator.multinomial(pairs, joint.ravel()).reshape(joint.shape)


def sample_sentences(
    joint: Float[np.ndarray, "words words"],
    words: Sequence[str],
    pairs: int,
    generator: np.random.Generator,
    block: int = 100_000,
) -> Iterator[list[str]]:
    """A text whose sentences are independent pairs of words, drawn block by block.

    Args:
        joint: the probability of every pair.
        words: their names.
        pairs: how many are drawn.
        generator: of the draws.
        block: pairs that are drawn at once.

    Raises:
        ConfigError: if no pair is asked for.
    """
    check(pairs)
    names = list(words)
    levels = np.cumsum(joint.ravel())
    for start in range(0, pairs, block):
        drawn = generator.random(min(block, pairs - start)) * levels[-1]
        for place in np.searchsorted(levels, drawn, side="right").tolist():
            yield [names[place // len(names)], names[place % len(names)]]


def check(pairs: int) -> None:
    """Refuse an empty sample."""
    if pairs < 1:
        raise ConfigError(f"pairs is {pairs}: draw at least one")
