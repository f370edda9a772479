"""Words with their vectors."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mconn.errors import DataError


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and a vector for each, in the order of the file or the vocabulary.

    Attributes:
        words: no two of them are the same.
        matrix: a row per word.
    """

    words: tuple[str, ...]
    matrix: Float[np.ndarray, "words dimension"]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.matrix):
            raise DataError(
                f"there are {len(self.words)} words and {len(self.matrix)} vectors: give one each"
            )
        if len(self.words) < 2:
            raise DataError(f"there are {len(self.words)} words: vectors of two are the least")
        if len(self.index) != len(self.words):
            twice = next(w for i, w in enumerate(self.words) if self.index[w] != i)
            raise DataError(f"the word '{twice}' has two vectors: leave one of them out")
        if not np.isfinite(self.matrix).all():
            row = int(np.argmin(np.isfinite(self.matrix).all(axis=1)))
            raise DataError(f"the vector of '{self.words[row]}' is not finite: leave the word out")

    def __len__(self) -> int:
        return len(self.words)

    @functools.cached_property
    def index(self) -> Mapping[str, int]:
        """The place of every word."""
        return {word: place for place, word in enumerate(self.words)}

    def of(self, words: Sequence[str]) -> Float[np.ndarray, "some dimension"]:
        """The vectors of some words.

        Raises:
            DataError: naming a word that has none.
        """
        for word in words:
            if word not in self.index:
                raise DataError(f"'{word}' has no vector: it is not among the {len(self)} words")
        return self.matrix[[self.index[word] for word in words]]
