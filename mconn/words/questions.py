"""Files of analogy questions, and accuracy on them: by section, with coverage and intervals.

The format is that of Google's ``questions-words.txt``: a line ``: name`` begins a section; every
other line holds the four words a, b, c and d of a question "a is to b as c is to d". T. Mikolov et
al., *Efficient estimation of word representations in vector space*, ICLR workshop 2013.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from mconn.checks import check_kind
from mconn.errors import ConfigError, DataError
from mconn.words.analogies import Rule, answer
from mconn.words.vectors import Vectors


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
    sections: list[tuple[str, list[tuple[str, ...]], list[int]]] = []  # the last: malformed lines
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


def _placed(
    section: Section, lexicon: Lexicon
) -> tuple[Int[np.ndarray, "covered 4"], Int[np.ndarray, " covered"]]:
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
    rows = {section.name: _placed(section, found)[0] for section in sections}
    return {name: places for name, places in rows.items() if len(places)}


def pairs_of_questions(questions: Int[np.ndarray, "questions 4"]) -> Int[np.ndarray, "pairs 2"]:
    """The different pairs of words of which the questions of one relation are made."""
    return np.unique(questions.reshape(-1, 2), axis=0)


@dataclass(frozen=True)
class Share:
    """A number of successes among independent trials, with Wilson's interval.

    E. Wilson, *Probable inference, the law of succession, and statistical inference*, JASA 1927.
    Questions that share words are not independent: the true interval is wider.
    """

    right: int
    of: int
    level: float = 0.95

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.right / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Its lower and upper end; from 0 to 1 where there are no trials."""
        from scipy.special import ndtri

        if not self.of:
            return 0.0, 1.0
        z = float(ndtri((1 + self.level) / 2))
        centre = (self.right + z**2 / 2) / (self.of + z**2)
        half = z / (self.of + z**2)
        half *= (self.right * (self.of - self.right) / self.of + z**2 / 4) ** 0.5
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, eq=False)
class Score:
    """The answers to one section.

    Attributes:
        name: of the section.
        asked: number of its questions.
        covered: which of them have vectors for all four words.
        answers: the place of the answer to each covered question.
        right: whether it is right.
        level: of the interval.
        malformed: lines of the section that were no questions.
    """

    name: str
    asked: int
    covered: Int[np.ndarray, " covered"]
    answers: Int[np.ndarray, " covered"]
    right: Bool[np.ndarray, " covered"]
    level: float
    malformed: int = 0

    @property
    def coverage(self) -> float:
        """The share of the questions that are covered; NaN of none."""
        return len(self.covered) / self.asked if self.asked else float("nan")

    @property
    def accuracy(self) -> Share:
        """The share of right answers among the covered questions."""
        return Share(int(self.right.sum()), len(self.right), self.level)


def evaluate_analogies(
    vectors: Vectors,
    sections: Sequence[Section],
    rule: Rule | None = None,
    *,
    folds: bool = True,
    restrict: int | None = 300_000,
    level: float = 0.95,
) -> list[Score]:
    """Answer all questions.

    With the defaults the answers are those of gensim's ``evaluate_word_analogies``: see the
    arguments of the same meaning there, ``case_insensitive`` and ``restrict_vocab``.

    Args:
        vectors: the words with their vectors.
        sections: from `read_questions`.
        rule: how; 3CosAdd without the question's words by default.
        folds: whether upper and lower case are the same.
        restrict: use that many words from the start; all if None.
        level: confidence level of the intervals.

    Returns:
        A score per section, and the one of all questions at the end, called "total".

    Raises:
        DataError: if not one question is covered, or a question's word has a zero vector.
        ConfigError: if the level is not between 0 and 1.
    """
    check_kind(
        "vectors", vectors, Vectors, "read them by read_vectors, or make Vectors(words, matrix)"
    )
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}: choose a number between 0 and 1, such as 0.95")
    found = lexicon(vectors.words, folds=folds, restrict=restrict)
    rows = [_placed(section, found) for section in sections]
    asked = sum(len(section.questions) for section in sections)
    places = np.concatenate([place for place, _ in rows]) if rows else np.zeros((0, 4), np.int64)
    if not len(places):
        raise DataError(
            f"none of the {asked} questions has vectors for all its words: give other vectors, "
            f"more words of them ({len(found.spellings)} are used), or other questions"
        )
    matrix = vectors.matrix[: len(found.spellings)]
    answers = answer(matrix, places[:, :3], rule, spellings=found.spellings)
    right = found.spellings[answers] == found.spellings[places[:, 3]]
    scores, covered, start, shift = [], [], 0, 0
    for section, (_, which) in zip(sections, rows, strict=True):
        part, count = slice(start, start + len(which)), len(section.questions)
        found_here = which, answers[part], right[part]
        scores.append(Score(section.name, count, *found_here, level, section.malformed))
        covered.append(which + shift)
        start, shift = start + len(which), shift + count
    bad = sum(score.malformed for score in scores)
    total = Score("total", asked, np.concatenate(covered), answers, right, level, bad)
    return [*scores, total]
