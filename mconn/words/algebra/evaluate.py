"""Accuracy on a file of analogy questions: by section, with coverage and intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from mconn.errors import ConfigError, DataError
from mconn.words.algebra.analogies import Rule, answer
from mconn.words.algebra.questions import Section, lexicon, placed
from mconn.words.vectors.vectors import Vectors


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
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}: choose a number between 0 and 1, such as 0.95")
    found = lexicon(vectors.words, folds=folds, restrict=restrict)
    rows = [placed(section, found) for section in sections]
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
    scores, start = [], 0
    for section, (_, which) in zip(sections, rows, strict=True):
        part = slice(start, start + len(which))
        start += len(which)
        scores.append(
            Score(
                section.name,
                len(section.questions),
                which,
                answers[part],
                right[part],
                level,
                section.malformed,
            )
        )
    shifts = np.cumsum([0, *(score.asked for score in scores)])
    covered = [score.covered + shift for score, shift in zip(scores, shifts, strict=False)]
    bad = sum(score.malformed for score in scores)
    total = Score("total", asked, np.concatenate(covered), answers, right, level, bad)
    return [*scores, total]
