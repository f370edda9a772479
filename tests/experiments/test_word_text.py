"""The study of real texts."""

import collections
import itertools

import numpy as np
import pytest

from experiments.words.texts_stages import (
    HELD_OUT,
    TextSource,
    answers,
    shuffled,
)
from mconn import words
from mconn.errors import DataError

LINES = 40


def test_the_text_held_out_is_not_in_the_vocabulary(tmp_path):
    lines = [f"word and other{i % HELD_OUT}" for i in range(LINES)]
    (tmp_path / "tinyshakespeare.txt").write_text("\n".join(lines))
    training, held_out, vocabulary = TextSource(("tinyshakespeare",), 2).read(tmp_path)
    assert len(training) == LINES - LINES // HELD_OUT
    assert all(piece[2] == "other" for piece in held_out)
    assert vocabulary.total == sum(map(len, training))


def test_shuffling_keeps_words_and_lengths():
    text = [["a", "b"], ["c"], ["a", "d", "e"]]
    mixed = shuffled(text, 0)
    assert [len(piece) for piece in mixed] == [2, 1, 3]
    before, after = (
        collections.Counter(itertools.chain.from_iterable(each)) for each in (text, mixed)
    )
    assert after == before
    assert mixed == shuffled(text, 0)


def test_answers_are_counted_section_by_section():
    matrix = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 0.1], [2.0, 1.1]], np.float32)
    vectors = words.Vectors(("a", "b", "c", "d"), matrix)
    sections = [
        words.Section("first", (("a", "b", "c", "d"), ("a", "b", "c", "missing"))),
        words.Section("second", (("b", "a", "d", "c"),)),
    ]
    rows = [row for row in answers(vectors, sections, method="m") if row["rule"] == "3CosAdd"]
    found = {row["section"]: (row["asked"], row["covered"], row["right"]) for row in rows}
    assert found == {"first": (2, 1, 1), "second": (1, 1, 1), "total": (3, 2, 2)}
    assert all(0 <= row["low"] <= row["right"] / row["covered"] <= row["high"] for row in rows)


def test_a_missing_text_is_named(tmp_path):
    with pytest.raises(DataError, match=r"tinyshakespeare\.txt is in no data folder"):
        TextSource(("tinyshakespeare",)).read(tmp_path)
