"""Words as the mean of vectors of their parts: character n-grams, hashed into buckets.

P. Bojanowski et al., *Enriching word vectors with subword information*, TACL 2017; n-grams and hash
are those of the fastText program, so that a word has the same buckets there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mconn.errors import ConfigError


class Parts(NamedTuple):
    """Which rows of a table make up every word, and with which share; shares of 0 fill up."""

    places: Int[np.ndarray, "words parts"]
    shares: Float[np.ndarray, "words parts"]


@dataclass(frozen=True)
class Subwords:
    """Which n-grams of a word are used.

    Attributes:
        shortest: characters of the shortest n-gram, the marks ``<`` and ``>`` of the word's ends
            included.
        longest: characters of the longest.
        buckets: rows that the n-grams are hashed to.
    """

    shortest: int = 3
    longest: int = 6
    buckets: int = 100_000

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest or self.buckets < 1:
            raise ConfigError(
                f"n-grams from {self.shortest} to {self.longest} characters in {self.buckets} "
                "buckets: choose 1 <= shortest <= longest, and at least one bucket"
            )

    def hashes(self, word: str) -> list[int]:
        """The buckets of a word's n-grams."""
        return [fnv(gram) % self.buckets for gram in self.grams(word)]

    def grams(self, word: str) -> list[str]:
        """The n-grams of a word with its marks."""
        marked = f"<{word}>"
        return [
            marked[start : start + size]
            for start in range(len(marked))
            for size in range(self.shortest, self.longest + 1)
            if start + size <= len(marked) and not (size == 1 and start in (0, len(marked) - 1))
        ]

    def parts(self, words: Sequence[str]) -> Parts:
        """The rows of all words of a vocabulary.

        Row i belongs to word i alone; the buckets come after the words.
        """
        lists = [
            [place, *(len(words) + bucket for bucket in self.hashes(word))]
            for place, word in enumerate(words)
        ]
        return padded(lists)

    def outside(self, word: str, words: int) -> Parts:
        """The rows of a word that is not among the ``words`` of the vocabulary.

        Raises:
            ConfigError: if it has no n-gram.
        """
        found = [words + bucket for bucket in self.hashes(word)]
        if not found:
            raise ConfigError(f"'{word}' has no n-gram of {self.shortest} or more characters")
        return padded([found])


def padded(lists: Sequence[Sequence[int]]) -> Parts:
    """Lists of rows as a rectangle, each row with the same share of its word."""
    width = max(len(each) for each in lists)
    places = np.zeros((len(lists), width), np.int32)
    shares = np.zeros((len(lists), width), np.float32)
    for i, each in enumerate(lists):
        places[i, : len(each)] = each
        shares[i, : len(each)] = 1 / len(each)
    return Parts(places, shares)


def whole_words(words: int) -> Parts:
    """Every word is its own single part: plain SGNS."""
    return Parts(np.arange(words, dtype=np.int32)[:, None], np.ones((words, 1), np.float32))


def composed(
    parts: Parts, table: Float[np.ndarray, "rows dimension"]
) -> Float[np.ndarray, "words dimension"]:
    """The vectors of the words, from the table of their parts."""
    if parts.places.shape[1] == 1:
        return table[parts.places[:, 0]] * parts.shares
    return np.stack(
        [share @ table[place] for place, share in zip(parts.places, parts.shares, strict=True)]
    )


def fnv(text: str) -> int:
    """The 32-bit FNV-1a hash as in fastText, which reads bytes as signed numbers."""
    value = 2166136261
    for byte in text.encode("utf-8"):
        signed = byte if byte < 128 else byte | 0xFFFFFF00
        value = ((value ^ signed) * 16777619) & 0xFFFFFFFF
    return value
