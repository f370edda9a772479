"""The words of a text with their numbers of occurrences."""

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mconn.errors import ConfigError, DataError
from mconn.words.text.tokens import Sentences


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words, most frequent first.

    Attributes:
        words: the words.
        counts: how often each occurs.
        total: the number of words of the text, those that were left out included.
    """

    words: tuple[str, ...]
    counts: Int[np.ndarray, " words"]
    total: int

    def __post_init__(self) -> None:
        if len(self.words) < 2:
            kept = f"only '{self.words[0]}'" if self.words else "no word"
            raise DataError(
                f"the vocabulary has {kept}: give a longer text, or keep rarer words (least_count)"
            )

    def __len__(self) -> int:
        return len(self.words)

    @functools.cached_property
    def index(self) -> Mapping[str, int]:
        """The place of every word."""
        return {word: place for place, word in enumerate(self.words)}

    @property
    def coverage(self) -> float:
        """The share of the text's words that are in the vocabulary."""
        return float(self.counts.sum()) / self.total

    @property
    def frequencies(self) -> Float[np.ndarray, " words"]:
        """The share of every word in the text, without what was left out."""
        return self.counts / self.counts.sum()


def count_words(
    text: Sentences,
    *,
    least_count: int = 5,
    largest: int | None = None,
    prune_at: int = 10_000_000,
) -> Vocabulary:
    """Count the words of a text.

    Args:
        text: from `sentences`.
        least_count: rarer words are left out.
        largest: number of words kept at most, the most frequent ones; of equally frequent ones the
            first by alphabet.
        prune_at: when there are more different words than this, the rarest are forgotten on the
            way, which bounds the memory. Words near ``least_count`` may be missed then.

    Raises:
        DataError: if fewer than two words are left.
        ConfigError: if a number is not positive.
    """
    for name, value in (("least_count", least_count), ("largest", largest), ("prune_at", prune_at)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}: it must be at least 1")
    counts: Counter[str] = Counter()
    total, threshold = 0, 1
    for words in text:
        counts.update(words)
        total += len(words)
        while len(counts) > prune_at:
            counts = Counter({word: n for word, n in counts.items() if n > threshold})
            threshold += 1
    kept = sorted(
        ((word, n) for word, n in counts.items() if n >= least_count),
        key=lambda entry: (-entry[1], entry[0]),
    )[:largest]
    return Vocabulary(
        tuple(word for word, _ in kept), np.array([n for _, n in kept], np.int64), total
    )
