"""Pairs of a word and a context in a window, from blocks of a text written as numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.words.text.tokens import Sentences
from mconn.words.text.vocabulary import Vocabulary

WEIGHTINGS = ("flat", "dynamic", "harmonic")


@dataclass(frozen=True)
class Window:
    """Which neighbours of a word are its contexts.

    Attributes:
        size: words on either side.
        weighting: of the neighbour at distance o. ``flat``: 1. ``dynamic``: (size + 1 - o) / size,
            the chance of being inside a window whose size is drawn uniformly from 1 to ``size``, as
            in word2vec. ``harmonic``: 1 / o, as in GloVe.
        subsample: frequency above which words are thinned out before the windows are laid: a word
            of frequency f stays with the chance sqrt(s / f) + s / f, as in word2vec's code. None
            keeps all.
    """

    size: int = 5
    weighting: str = "dynamic"
    subsample: float | None = None

    def __post_init__(self) -> None:
        check_choice("weighting", self.weighting, WEIGHTINGS)
        if self.size < 1:
            raise ConfigError(f"size is {self.size}: a window needs a word on either side")
        if self.subsample is not None and not self.subsample > 0:
            raise ConfigError(f"subsample is {self.subsample}: choose a frequency above 0")

    def weight(self, distance: int) -> float:
        """The weight of a neighbour."""
        if self.weighting == "dynamic":
            return (self.size + 1 - distance) / self.size
        return 1 / distance if self.weighting == "harmonic" else 1.0


@dataclass(frozen=True)
class Block:
    """A part of a text: the places of its words in the vocabulary, and the sentence of each."""

    words: Int[np.ndarray, " n"]
    sentence: Int[np.ndarray, " n"]


def blocks(
    text: Sentences,
    vocabulary: Vocabulary,
    *,
    subsample: float | None = None,
    seed: int = 0,
    words: int = 1_000_000,
) -> Iterator[Block]:
    """The text in numbers, about ``words`` words at a time.

    Words that are not in the vocabulary are left out, and their neighbours move together, as in
    word2vec. So do those of words that are thinned out.

    Args:
        text: from `sentences`.
        vocabulary: of the text.
        subsample: as in `Window`.
        seed: of the thinning.
        words: of a block; a sentence is never cut.
    """
    index: Mapping[str, int] = vocabulary.index
    stays = chance_to_stay(vocabulary, subsample)
    generator = np.random.default_rng(seed)
    places: list[int] = []
    ends: list[int] = []
    for sentence in text:
        places += [index[word] for word in sentence if word in index]
        ends.append(len(places))
        if len(places) >= words:
            yield thinned(places, ends, stays, generator)
            places, ends = [], []
    if places:
        yield thinned(places, ends, stays, generator)


def chance_to_stay(
    vocabulary: Vocabulary, subsample: float | None
) -> Float[np.ndarray, " words"] | None:
    """The chance of every word to survive the thinning; None if all do."""
    if subsample is None:
        return None
    ratio = subsample / vocabulary.frequencies
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def thinned(
    places: list[int],
    ends: list[int],
    stays: Float[np.ndarray, " words"] | None,
    generator: np.random.Generator,
) -> Block:
    """The block of these sentences."""
    block = np.array(places, np.int64)
    sentence = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    if stays is not None:
        keep = generator.random(len(block)) < stays[block]
        block, sentence = block[keep], sentence[keep]
    return Block(block, sentence)


def neighbours(
    block: Block, distance: int
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """The places, inside the block, of all words that have one at that distance behind, and it."""
    same = block.sentence[:-distance] == block.sentence[distance:]
    first = np.nonzero(same)[0]
    return first, first + distance
