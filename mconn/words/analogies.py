"""Which word is to c as b is to a: the vocabulary's best answer to many questions at once.

Every score is made of the cosines of the candidates with the words of the questions. There are few
such words - some 900 in Google's 19544 questions - so that the matrix product is with them and not
with the questions, and what is left are sums of rows.

With unit vectors a, b, c and a candidate d:

- ``add``: cos(d, b) - cos(d, a) + cos(d, c), 3CosAdd (T. Mikolov, W. Yih and G. Zweig, NAACL
  2013);
- ``multiply``: cos(d, b) cos(d, c) / (cos(d, a) + epsilon) with cosines moved to [0, 1], 3CosMul
  (O. Levy and Y. Goldberg, *Linguistic regularities in sparse and explicit word representations*,
  CoNLL 2014, equation 4);
- ``direction``: cos(d - c, b - a), PairDirection (the same papers); a candidate at c has none.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from mconn.checks import check_choice
from mconn.errors import ConfigError, DataError
from mconn.machine import cores

METHODS = ("add", "multiply", "direction")

_BLOCK_BYTES = 1 << 23
"""Memory of the cosines that are held at once."""

_CHUNK = 64
"""Questions whose scores are held at once."""


@dataclass(frozen=True)
class Rule:
    """How a question is answered.

    Attributes:
        method: ``add``, ``multiply`` or ``direction``.
        exclude: whether the three words of the question are no answers. That is usual, and makes
            the accuracy higher: left in, one of them is often the nearest.
        epsilon: of ``multiply``; .001 in the paper, 1e-6 in gensim.
    """

    method: str = "add"
    exclude: bool = True
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        if not self.epsilon > 0:
            raise ConfigError(f"epsilon is {self.epsilon}: it must be above 0")


def answer(
    matrix: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 3"],
    rule: Rule | None = None,
    *,
    spellings: Int[np.ndarray, " words"] | None = None,
) -> Int[np.ndarray, " questions"]:
    """The answers to questions a : b = c : ?.

    Memory beside the vectors is some 32 MiB, one more for every core, and a copy of the vectors of
    the questions' words, whatever the size of the vocabulary. Of equally good answers the first of
    the vocabulary is taken, as far as rounding lets them be equal.

    Args:
        matrix: a vector per word; float64 is kept, anything else is read as float32.
        questions: the places of a, b and c.
        rule: how; 3CosAdd without the question's words by default.
        spellings: a number per word, the same for spellings of one word. With ``exclude``, all
            spellings of a question's words are left out.

    Returns:
        The place of the best candidate for each question.

    Raises:
        DataError: if a word of a question has a zero vector or there are too few words.
    """
    rule = rule or Rule()
    _check_questions(matrix, questions)
    asked, places = np.unique(questions, return_inverse=True)
    places = places.reshape(questions.shape)
    words = _unit_rows(matrix[asked])
    known = words @ words.T
    left_out = _excluded(questions if rule.exclude else questions[:, :0], spellings)
    best = np.full(len(questions), -np.inf, words.dtype)
    found = np.zeros(len(questions), np.int64)
    size = max(1, _BLOCK_BYTES // (words.itemsize * len(asked)))

    def search(start: int, block: int, cosines: _Cosines, chunks: range) -> None:
        for first in chunks:
            rows = slice(first, first + _CHUNK)
            scores = cosines.scores(places[rows])
            question, word = left_out.within(first, start, block)
            scores[question, word] = -np.inf
            top = scores.argmax(axis=1)
            value = scores[np.arange(len(top)), top]
            better = value > best[rows]
            best[rows] = np.where(better, value, best[rows])
            found[rows] = np.where(better, start + top, found[rows])

    # The products use every core by themselves; the sums of rows need threads to do so.
    workers = cores()
    shares = [range(i * _CHUNK, len(questions), workers * _CHUNK) for i in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(matrix), size):
            block = _unit_rows(matrix[start : start + size])
            cosines = _Cosines(words @ block.T, known, rule)
            list(pool.map(partial(search, start, len(block), cosines), shares))
    return found


def _scores_of(
    matrix: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 3"],
    rule: Rule | None = None,
) -> Iterator[Float[np.ndarray, "chunk words"]]:
    """The scores of all candidates, some questions at a time; -inf for words that are left out.

    Memory holds the cosines of the questions' words with all words, and the scores of a chunk.
    """
    rule = rule or Rule()
    _check_questions(matrix, questions)
    asked, places = np.unique(questions, return_inverse=True)
    places = places.reshape(questions.shape)
    words = _unit_rows(matrix)
    cosines = _Cosines(words[asked] @ words.T, words[asked] @ words[asked].T, rule)
    for first in range(0, len(questions), _CHUNK):
        rows = slice(first, first + _CHUNK)
        scores = cosines.scores(places[rows])
        if rule.exclude:
            np.put_along_axis(scores, questions[rows], -np.inf, axis=1)
        yield scores


def _check_questions(
    matrix: Float[np.ndarray, "words dimension"], questions: Int[np.ndarray, "questions 3"]
) -> None:
    if len(matrix) < 4:
        raise DataError(f"there are {len(matrix)} words: an analogy needs four")
    asked = np.unique(questions)
    empty = asked[~matrix[asked].any(axis=1)]
    if len(empty):
        raise DataError(
            f"the vector of word {empty[0]} is zero, and {len(empty)} in all of the questions' "
            "words: leave their questions out"
        )


def _unit_rows(
    matrix: Float[np.ndarray, "words dimension"],
) -> Float[np.ndarray, "words dimension"]:
    rows = matrix if matrix.dtype == np.float64 else matrix.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows / np.where(lengths > 0, lengths, 1)


class _Cosines:
    """The cosines of the questions' words with a block of candidates, ready for one rule."""

    def __init__(
        self,
        cosines: Float[np.ndarray, "asked block"],
        known: Float[np.ndarray, "asked asked"],
        rule: Rule,
    ) -> None:
        self.rule, self.known = rule, known
        self.near = cosines
        if rule.method == "multiply":
            self.near = (1 + cosines) / 2
            self.far = 1 / (self.near + cosines.dtype.type(rule.epsilon))
        if rule.method == "direction":
            # A candidate at the place of c is at no direction from it.
            gap = np.maximum(2 - 2 * cosines, 0)
            shortest = 64 * np.finfo(gap.dtype).eps
            with np.errstate(divide="ignore"):
                self.far = np.where(gap > shortest, 1 / np.sqrt(gap), np.nan)

    def scores(self, questions: Int[np.ndarray, "chunk 3"]) -> Float[np.ndarray, "chunk block"]:
        a, b, c = questions.T
        scores = self.near[b]
        if self.rule.method == "multiply":
            scores *= self.near[c]
            scores *= self.far[a]
        elif self.rule.method == "add":
            scores -= self.near[a]
            scores += self.near[c]
        else:
            scores -= self.near[a]
            scores -= (self.known[c, b] - self.known[c, a])[:, None]
            scores *= self.far[c]
            scores[np.isnan(scores)] = -np.inf
        return scores


@dataclass(frozen=True)
class _LeftOut:
    """The words that are no answers: a question and a word, entry by entry, in their order."""

    question: Int[np.ndarray, " n"]
    word: Int[np.ndarray, " n"]

    def within(
        self, first: int, start: int, words: int
    ) -> tuple[Int[np.ndarray, " some"], Int[np.ndarray, " some"]]:
        low, high = np.searchsorted(self.question, (first, first + _CHUNK))
        word = self.word[low:high] - start
        inside = (word >= 0) & (word < words)
        return self.question[low:high][inside] - first, word[inside]


def _excluded(
    words: Int[np.ndarray, "questions some"], spellings: Int[np.ndarray, " words"] | None
) -> _LeftOut:
    question, word = np.repeat(np.arange(len(words)), words.shape[1]), words.ravel()
    if spellings is None:
        return _LeftOut(question, word)
    order = np.argsort(spellings, kind="stable")
    sides = [np.searchsorted(spellings[order], spellings[word], side=s) for s in ("left", "right")]
    counts = sides[1] - sides[0]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return _LeftOut(np.repeat(question, counts), order[np.repeat(sides[0], counts) + within])


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
    for scores in _scores_of(matrix, questions[:, :3], rule):
        own = np.take_along_axis(scores, questions[start : start + len(scores), 3:], axis=1)
        start += len(scores)
        with np.errstate(invalid="ignore"):  # a right answer that is left out scores -inf
            better = (scores > own + tolerance).any(axis=1)
            equal = (np.abs(scores - own) <= tolerance).sum(axis=1)
        found.append(np.where(better | (equal == 0), 0.0, 1 / np.maximum(equal, 1)))
    return np.concatenate(found)
