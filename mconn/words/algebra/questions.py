"""Files of analogy questions, in the format of Google's ``questions-words.txt``.

A line ``: name`` begins a section; every other line holds the four words a, b, c and d of a
question "a is to b as c is to d". T. Mikolov et al., *Efficient estimation of word representations
in vector space*, ICLR workshop 2013.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from mconn.errors import ConfigError, DataError


@dataclass(frozen=True)
class Section:
    """A section of questions.

    Attributes:
        name: its name.
        questions: the four words of each.
        malformed: how many lines had not four words, and were left out.
    """

    name: str
    questions: tuple[tuple[str, ...], ...]
    malformed: int = 0


def read_questions(file: Path) -> list[Section]:
    """Read a file of questions.

    Raises:
        DataError: if it is missing, not UTF-8, has a question before the first section, or has no
            question at all.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8: convert it, with iconv for example") from error
    except OSError as error:
        raise DataError(
            f"the questions {file} cannot be read ({error.strerror}): name a file that exists"
        ) from error
    sections: list[tuple[str, list[tuple[str, ...]], list[int]]] = []
    for number, line in enumerate(lines, start=1):
        words = tuple(line.split())
        if line.startswith(":"):
            sections.append((line[1:].strip(), [], []))
        elif words and not sections:
            raise DataError(
                f"{file}, line {number} is no section: begin the file with a line ': name'"
            )
        elif len(words) == 4:
            sections[-1][1].append(words)
        elif words:
            sections[-1][2].append(number)
    if not any(questions for _, questions, _ in sections):
        raise DataError(f"{file} holds no question of four words: see the format in the docs")
    return [Section(name, tuple(rows), len(bad)) for name, rows, bad in sections]


@dataclass(frozen=True, eq=False)
class Lexicon:
    """How the words of questions are looked up among the words of the vectors.

    Attributes:
        places: of every spelling.
        spellings: for every word of the vectors, the place of the first word that is spelt alike.
    """

    places: Mapping[str, int]
    spellings: Int[np.ndarray, " words"]
    folds: bool

    def find(self, word: str) -> int | None:
        """The place of a word, or None."""
        return self.places.get(word.upper() if self.folds else word)


def lexicon(words: Sequence[str], *, folds: bool = True, restrict: int | None = None) -> Lexicon:
    """Prepare the look-up.

    Args:
        words: of the vectors, most frequent first.
        folds: whether upper and lower case are the same. Then the first spelling counts, and an
            answer is right in any spelling, as in word2vec's and gensim's evaluation.
        restrict: use that many words from the start, and no others; all if None.

    Raises:
        ConfigError: if fewer than four words would be used.
    """
    if restrict is not None and restrict < 4:
        raise ConfigError(f"restrict is {restrict}: an analogy needs four words")
    used = [word.upper() if folds else word for word in words[:restrict]]
    places: dict[str, int] = {}
    for place, word in enumerate(used):
        places.setdefault(word, place)
    return Lexicon(places, np.array([places[word] for word in used], np.int64), folds)


def placed(
    section: Section, lexicon: Lexicon
) -> tuple[Int[np.ndarray, "covered 4"], Int[np.ndarray, " covered"]]:
    """The places of the words of all questions that are covered, and which questions these are."""
    rows, which = [], []
    for number, question in enumerate(section.questions):
        found = [lexicon.find(word) for word in question]
        places = [place for place in found if place is not None]
        if len(places) == 4:
            rows.append(places)
            which.append(number)
    return np.array(rows, np.int64).reshape(-1, 4), np.array(which, np.int64)


def place_questions(
    words: Sequence[str],
    sections: Sequence[Section],
    *,
    folds: bool = True,
    restrict: int | None = None,
) -> dict[str, Int[np.ndarray, "covered 4"]]:
    """The places of the words of all covered questions, for every section that has one.

    Args:
        words: of the vectors.
        sections: from `read_questions`.
        folds: as in `lexicon`.
        restrict: as in `lexicon`.

    Raises:
        ConfigError: as `lexicon`.
    """
    found = lexicon(words, folds=folds, restrict=restrict)
    rows = {section.name: placed(section, found)[0] for section in sections}
    return {name: places for name, places in rows.items() if len(places)}


def pairs_of_questions(questions: Int[np.ndarray, "questions 4"]) -> Int[np.ndarray, "pairs 2"]:
    """The different pairs of words of which the questions of one relation are made."""
    return np.unique(questions.reshape(-1, 2), axis=0)
