"""Tables of rows of which words are made: steps on the few that a batch touches, and subwords.

Words as the mean of vectors of their parts, character n-grams that are hashed into buckets: P.
Bojanowski et al., *Enriching word vectors with subword information*, TACL 2017; n-grams and hash
are those of the fastText program, so that a word has the same buckets there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.errors import ConfigError, DivergenceError

_EPSILON = 1e-8
"""Keeps a row's first step finite."""


class Table(NamedTuple):
    """A table of rows, and for each row the sum of the mean squares of its gradients so far."""

    rows: Float[Array | np.ndarray, "*seeds rows dimension"]
    squares: Float[Array | np.ndarray, "*seeds rows"]

    @classmethod
    def fresh(cls, rows: Float[np.ndarray, "rows dimension"]) -> "Table":
        """A table that was not changed yet, in float32."""
        return cls(rows.astype(np.float32), np.zeros(len(rows), np.float32))

    @classmethod
    def uniform(cls, rows: int, dimension: int, rng: np.random.Generator) -> "Table":
        """A fresh table with the entries that word2vec begins with."""
        return cls.fresh((rng.random((rows, dimension)) - 0.5) / dimension)

    def descended(
        self,
        places: Int[Array, " entries"],
        gradients: Float[Array, "entries dimension"],
        rate: Float[Array, ""],
    ) -> "Table":
        """One step of AdaGrad with one rate per row (J. Duchi, E. Hazan and Y. Singer, JMLR 2011).

        A row that a batch touches several times moves by the sum of its gradients.
        """
        squares = jnp.asarray(self.squares).at[places].add(jnp.mean(gradients**2, axis=-1))
        scale = rate / jnp.sqrt(squares[places] + _EPSILON)
        return Table(jnp.asarray(self.rows).at[places].add(-scale[:, None] * gradients), squares)


State = TypeVar("State")


def stacked(states: Sequence[State]) -> State:
    """The states of the seeds with a leading axis, on the device."""
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *states)


def finite_losses(
    losses: Sequence[np.ndarray], seeds: Sequence[int]
) -> Float[np.ndarray, "seeds _"]:
    """The losses of all calls, with an axis of seeds first.

    Raises:
        DivergenceError: if one is not finite, naming the seed.
    """
    found = np.stack(losses, axis=1)
    finite = np.isfinite(found).all(axis=1)
    if not finite.all():
        seed = seeds[int(np.argmin(finite))]
        raise DivergenceError(f"the loss of seed {seed} is not finite: lower learning_rate")
    return found


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
        return [_fnv(gram) % self.buckets for gram in self.grams(word)]

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
        return _padded(lists)

    def outside(self, word: str, words: int) -> Parts:
        """The rows of a word that is not among the ``words`` of the vocabulary.

        Raises:
            ConfigError: if it has no n-gram.
        """
        found = [words + bucket for bucket in self.hashes(word)]
        if not found:
            raise ConfigError(f"'{word}' has no n-gram of {self.shortest} or more characters")
        return _padded([found])


def _padded(lists: Sequence[Sequence[int]]) -> Parts:
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


def _fnv(text: str) -> int:
    value = 2166136261
    for byte in text.encode("utf-8"):
        signed = byte if byte < 128 else byte | 0xFFFFFF00
        value = ((value ^ signed) * 16777619) & 0xFFFFFFFF
    return value
