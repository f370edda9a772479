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

BLOCK_BYTES = 1 << 23
"""Memory of the cosines that are held at once."""

CHUNK = 64
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
    check(matrix, questions)
    asked, places = np.unique(questions, return_inverse=True)
    places = places.reshape(questions.shape)
    words = unit_rows(matrix[asked])
    known = words @ words.T
    left_out = excluded(questions, spellings) if rule.exclude else nothing(questions)
    best = np.full(len(questions), -np.inf, words.dtype)
    found = np.zeros(len(questions), np.int64)
    size = max(1, BLOCK_BYTES // (words.itemsize * len(asked)))

    def search(start: int, block: int, cosines: Cosines, chunks: range) -> None:
        for first in chunks:
            rows = slice(first, first + CHUNK)
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
    shares = [range(i * CHUNK, len(questions), workers * CHUNK) for i in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(matrix), size):
            block = unit_rows(matrix[start : start + size])
            cosines = Cosines(words @ block.T, known, rule)
            list(pool.map(partial(search, start, len(block), cosines), shares))
    return found


def scores_of(
    matrix: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 3"],
    rule: Rule | None = None,
) -> Iterator[Float[np.ndarray, "chunk words"]]:
    """The scores of all candidates, some questions at a time; -inf for words that are left out.

    Memory holds the cosines of the questions' words with all words, and the scores of a chunk.

    Raises:
        DataError: as `answer`.
    """
    rule = rule or Rule()
    check(matrix, questions)
    asked, places = np.unique(questions, return_inverse=True)
    places = places.reshape(questions.shape)
    words = unit_rows(matrix)
    cosines = Cosines(words[asked] @ words.T, words[asked] @ words[asked].T, rule)
    for first in range(0, len(questions), CHUNK):
        rows = slice(first, first + CHUNK)
        scores = cosines.scores(places[rows])
        if rule.exclude:
            np.put_along_axis(scores, questions[rows], -np.inf, axis=1)
        yield scores


def check(
    matrix: Float[np.ndarray, "words dimension"], questions: Int[np.ndarray, "questions 3"]
) -> None:
    """Refuse vectors that cannot answer.

    Raises:
        DataError: naming the place of the word.
    """
    if len(matrix) < 4:
        raise DataError(f"there are {len(matrix)} words: an analogy needs four")
    asked = np.unique(questions)
    empty = asked[~matrix[asked].any(axis=1)]
    if len(empty):
        raise DataError(
            f"the vector of word {empty[0]} is zero, and {len(empty)} in all of the questions' "
            "words: leave their questions out"
        )


def unit_rows(matrix: Float[np.ndarray, "words dimension"]) -> Float[np.ndarray, "words dimension"]:
    """Rows of length one; zero rows stay."""
    rows = matrix if matrix.dtype == np.float64 else matrix.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows / np.where(lengths > 0, lengths, 1)


class Cosines:
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
        """The score of every candidate of the block, for a few questions."""
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
class LeftOut:
    """The words that are no answers: a question and a word, entry by entry, in their order."""

    question: Int[np.ndarray, " n"]
    word: Int[np.ndarray, " n"]

    def within(
        self, first: int, start: int, words: int
    ) -> tuple[Int[np.ndarray, " some"], Int[np.ndarray, " some"]]:
        """Those of a chunk of questions and a block of words, counted from its corner."""
        low, high = np.searchsorted(self.question, (first, first + CHUNK))
        word = self.word[low:high] - start
        inside = (word >= 0) & (word < words)
        return self.question[low:high][inside] - first, word[inside]


def nothing(questions: Int[np.ndarray, "questions 3"]) -> LeftOut:
    """Every word may be an answer."""
    empty = questions[:0, 0]
    return LeftOut(empty, empty)


def excluded(
    questions: Int[np.ndarray, "questions 3"],
    spellings: Int[np.ndarray, " words"] | None,
) -> LeftOut:
    """The words of the questions, in all their spellings."""
    if spellings is None:
        return LeftOut(np.repeat(np.arange(len(questions)), 3), questions.ravel())
    order = np.argsort(spellings, kind="stable")
    ordered = spellings[order]
    wanted = spellings[questions.ravel()]
    low, high = (np.searchsorted(ordered, wanted, side=side) for side in ("left", "right"))
    counts = high - low
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return LeftOut(
        np.repeat(np.repeat(np.arange(len(questions)), 3), counts),
        order[np.repeat(low, counts) + within],
    )
