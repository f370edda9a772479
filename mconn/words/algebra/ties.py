"""Accuracy where several candidates are exactly equally good.

An embedding with fewer dimensions than there are attributes gives the same vector to several words,
and rounding would decide which of them is the answer.
"""

import numpy as np
from jaxtyping import Float, Int

from mconn.errors import DataError
from mconn.words.algebra.analogies import Rule, scores_of


def expected_accuracy(
    matrix: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 4"],
    rule: Rule | None = None,
    tolerance: float = 1e-9,
) -> float:
    """The expected share of right answers if ties are broken by lot.

    Args:
        matrix: a vector per word; use float64.
        questions: the places of a, b, c and d.
        rule: how; 3CosAdd without the question's words by default.
        tolerance: how much two scores may differ and be equal.

    Raises:
        DataError: as `answer`, or if there is no question.
    """
    return float(chances(matrix, questions, rule, tolerance).mean())


def chances(
    matrix: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 4"],
    rule: Rule | None = None,
    tolerance: float = 1e-9,
) -> Float[np.ndarray, " questions"]:
    """The chance of the right answer to every question; see `expected_accuracy`.

    It is 1 over the number of the best candidates if the right answer is among them, and 0 if not.
    """
    if not len(questions):
        raise DataError("there is no question: give analogies among the words")
    found: list[Float[np.ndarray, " chunk"]] = []
    start = 0
    for scores in scores_of(matrix, questions[:, :3], rule):
        own = np.take_along_axis(scores, questions[start : start + len(scores), 3:], axis=1)
        start += len(scores)
        with np.errstate(invalid="ignore"):  # a right answer that is left out scores -inf
            better = (scores > own + tolerance).any(axis=1)
            equal = (np.abs(scores - own) <= tolerance).sum(axis=1)
        found.append(np.where(better | (equal == 0), 0.0, 1 / np.maximum(equal, 1)))
    return np.concatenate(found)
