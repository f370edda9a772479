"""Texts of any length as lists of words, read piece by piece; their words; and those at hand.

Tiny Shakespeare is A. Karpathy's excerpt (2015); WikiText-2 is S. Merity et al., *Pointer Sentinel
Mixture Models*, ICLR 2017; the questions are T. Mikolov et al., *Efficient Estimation of Word
Representations in Vector Space*, ICLR workshop 2013.
"""

import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from mconn.checks import check_choice
from mconn.data import find_folder
from mconn.errors import ConfigError, DataError

Sentences: TypeAlias = Iterable[list[str]]
"""Lists of words; no window reaches from one into the next."""

_CHARACTERS = 1 << 16
"""The longest piece of a line that is held at once."""

# Letters with inner apostrophes, or digits; marks such as <unk> are found to be left out.
_WORD = re.compile(r"<\w+>|[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d+")
_SPLITS = ("words", "spaces")


def sentences(
    source: Path | Iterable[str], *, lower: bool = True, split: str = "words"
) -> Iterator[list[str]]:
    """The lines of a text as lists of words.

    A line that is longer than 65536 characters, as in a file that is one single line, comes in
    pieces, cut at a space; memory holds one piece at a time.

    Args:
        source: a file of UTF-8, or lines of text from anywhere.
        lower: whether to fold upper case.
        split: ``words`` takes runs of letters (with apostrophes inside) and of digits, without
            punctuation and without marks such as ``<unk>``; ``spaces`` takes what stands between
            spaces, for a text whose tokens are told apart already.

    Yields:
        Non-empty lists of words.

    Raises:
        DataError: if the file is missing or not UTF-8, naming it.
        ConfigError: if ``split`` is unknown.
    """
    check_choice("split", split, _SPLITS)
    for line in _pieces_of(source) if isinstance(source, Path) else source:
        text = line.lower() if lower else line
        if split == "spaces":
            words = text.split()
        else:
            words = [word for word in _WORD.findall(text) if word[0] != "<"]
        if words:
            yield words


def _pieces_of(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as stream:
            rest = ""
            while piece := stream.readline(_CHARACTERS):
                line, rest = rest + piece, ""
                if not line.endswith("\n") and len(piece) == _CHARACTERS:
                    place = line.rfind(" ")
                    if place > 0:
                        line, rest = line[:place], line[place:]
                yield line
            if rest:
                yield rest
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not UTF-8 (byte {error.start} of a block cannot be read): convert it, "
            "with iconv for example"
        ) from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): name a text file") from error


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


CORPORA = {
    "tinyshakespeare": "tinyshakespeare.txt",
    "wikitext2-valid": "wikitext2-valid.txt",
    "wikitext2-test": "wikitext2-test.txt",
}
_QUESTIONS = "questions-words.txt"


def corpus(names: Sequence[str], data_dir: Path | None = None) -> Iterator[list[str]]:
    """The words of some corpora, one after the other.

    Args:
        names: among ``tinyshakespeare``, ``wikitext2-valid`` and ``wikitext2-test``.
        data_dir: the folder of the files, beside $MCONN_DATA.

    Raises:
        DataError: if a file is missing.
        ConfigError: if a name is unknown.
    """
    files = []
    for name in names:
        check_choice("corpus", name, CORPORA)
        files.append(_data_file(CORPORA[name], data_dir))
    return itertools.chain.from_iterable(sentences(file) for file in files)


def question_file(data_dir: Path | None = None) -> Path:
    """The file of Google's analogy questions.

    Raises:
        DataError: if it is missing.
    """
    return _data_file(_QUESTIONS, data_dir)


def _data_file(name: str, data_dir: Path | None) -> Path:
    folder = find_folder("words", [name], data_dir)
    if folder is None:
        raise DataError(
            f"{name} is in no data folder: put it into one, and name that with --data-dir or "
            "$MCONN_DATA"
        )
    return folder / name
