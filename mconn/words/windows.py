"""Pairs of a word and a context in a window, block by block, and how often they occur together."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float, Int

from mconn.checks import check_choice, check_kind
from mconn.errors import ConfigError
from mconn.words.text import Sentences, Vocabulary

_WEIGHTINGS = ("flat", "dynamic", "harmonic")


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
        check_choice("weighting", self.weighting, _WEIGHTINGS)
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

    def thinned(
        self, stays: Float[np.ndarray, " words"] | None, rng: np.random.Generator
    ) -> "Block":
        """The words that survive, by the chance of every word of the vocabulary; all if None."""
        if stays is None:
            return self
        keep = rng.random(len(self.words)) < stays[self.words]
        return Block(self.words[keep], self.sentence[keep])


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
    check_kind("vocabulary", vocabulary, Vocabulary, "count it by mconn.words.count_words")
    index = vocabulary.index
    stays = chance_to_stay(vocabulary, subsample)
    rng = np.random.default_rng(seed)
    places: list[int] = []
    ends: list[int] = []
    for sentence in text:
        places += [index[word] for word in sentence if word in index]
        ends.append(len(places))
        if len(places) >= words:
            yield _block(places, ends).thinned(stays, rng)
            places, ends = [], []
    if places:
        yield _block(places, ends).thinned(stays, rng)


def chance_to_stay(
    vocabulary: Vocabulary, subsample: float | None
) -> Float[np.ndarray, " words"] | None:
    """The chance of every word to survive the thinning; None if all do."""
    if subsample is None:
        return None
    ratio = subsample / vocabulary.frequencies
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def _block(places: list[int], ends: list[int]) -> Block:
    sentence = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return Block(np.array(places, np.int64), sentence)


def neighbours(
    block: Block, distance: int
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """The places, inside the block, of all words that have one at that distance behind, and it."""
    same = block.sentence[:-distance] == block.sentence[distance:]
    first = np.nonzero(same)[0]
    return first, first + distance


def count_pairs(
    text: Sentences,
    vocabulary: Vocabulary,
    window: Window | None = None,
    *,
    seed: int = 0,
    block: int = 1_000_000,
) -> sparse.csr_array:
    """Count the pairs of a word and a context.

    A pair counts with the weight of its distance, and in both directions, so that the matrix is
    symmetric. Memory holds the matrix and the pairs of one block at one distance.

    Args:
        text: from `sentences`.
        vocabulary: of the text.
        window: which neighbours count; five on either side, dynamic, by default.
        seed: of the thinning, if the window thins words out.
        block: words that are counted at once.

    Returns:
        Counts in float64, shape (words, words). It may have no entry: see `mconn.words.pmi`.
    """
    window = window or Window()
    size = len(vocabulary)
    total = sparse.csr_array((size, size), dtype=np.float64)
    for part in blocks(text, vocabulary, subsample=window.subsample, seed=seed, words=block):
        for distance in range(1, window.size + 1):
            total = total + _ahead(part, distance, window.weight(distance), size)
    return sparse.csr_array(total + total.T)


def _ahead(block: Block, distance: int, weight: float, size: int) -> sparse.csr_array:
    first, second = neighbours(block, distance)
    pairs, times = np.unique(block.words[first] * size + block.words[second], return_counts=True)
    return sparse.csr_array(
        sparse.coo_array((weight * times, (pairs // size, pairs % size)), shape=(size, size))
    )
