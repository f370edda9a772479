import io

import numpy as np
import pytest

from mconn.data import find_folder
from mconn.errors import ConfigError, DataError
from mconn.words import (
    Vocabulary,
    Window,
    corpus,
    count_pairs,
    count_words,
    sentences,
    text as tokens,
)
from mconn.words.text import CORPORA

TEXT = "the cat saw the dog\nthe dog saw the cat and the mouse\na mouse\n"


def words_of(text, **options):
    return list(sentences(io.StringIO(text), **options))


def vocabulary_of(text):
    return count_words(words_of(text), least_count=1)


def test_words_are_runs_of_letters_and_digits_without_marks():
    line = "The <unk> won't @-@ stop , 1920s ; naïve l\u2019été\n\n"
    assert words_of(line) == [["the", "won't", "stop", "1920", "s", "naïve", "l\u2019été"]]
    assert words_of(line, split="spaces", lower=False)[0][:3] == ["The", "<unk>", "won't"]
    with pytest.raises(ConfigError, match="split"):
        words_of(line, split="word")


def test_one_endless_line_is_read_in_pieces_that_cut_no_word(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "_CHARACTERS", 64)
    file = tmp_path / "text.txt"
    words = [f"word{'x' * (i % 9)}" for i in range(200)]
    file.write_text(" ".join(words), encoding="utf-8")
    pieces = list(sentences(file))
    assert [word for piece in pieces for word in piece] == words
    assert max(map(len, pieces)) <= 64


@pytest.mark.parametrize("content", [b"caf\xe9 au lait\n", b"\xff\xfe"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path, content):
    file = tmp_path / "text.txt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"text\.txt is not UTF-8"):
        list(sentences(file))
    with pytest.raises(DataError, match="cannot be read"):
        list(sentences(tmp_path / "none.txt"))


def test_the_vocabulary_is_ordered_by_count_and_alphabet():
    vocabulary = vocabulary_of(TEXT)
    assert vocabulary.words == ("the", "cat", "dog", "mouse", "saw", "a", "and")
    assert vocabulary.counts.tolist() == [5, 2, 2, 2, 2, 1, 1]
    assert vocabulary.total == 15
    short = count_words(words_of(TEXT), least_count=2, largest=3)
    assert short.words == ("the", "cat", "dog")
    assert short.coverage == pytest.approx(9 / 15)


def test_a_vocabulary_that_outgrows_its_bound_forgets_the_rarest():
    text = [["common"] * 3 + [f"rare{i}"] for i in range(50)] + [["other"] * 60]
    vocabulary = count_words(text, least_count=10, prune_at=8)
    assert vocabulary.words == ("common", "other")
    assert vocabulary.counts.tolist() == [150, 60]


def test_vocabularies_that_make_no_sense_are_refused():
    for text in ("", "one one one"):
        with pytest.raises(DataError, match="the vocabulary has"):
            vocabulary_of(text)
    for name in ("least_count", "largest", "prune_at"):
        with pytest.raises(ConfigError, match=name):
            count_words(words_of(TEXT), **{name: 0})


def by_hand(text, vocabulary, window):
    counts = np.zeros((len(vocabulary), len(vocabulary)))
    for words in words_of(text):
        places = [vocabulary.index[word] for word in words if word in vocabulary.index]
        for i, centre in enumerate(places):
            for j, context in enumerate(places):
                if 0 < abs(i - j) <= window.size:
                    counts[centre, context] += window.weight(abs(i - j))
    return counts


@pytest.mark.parametrize("weighting", ["flat", "dynamic", "harmonic"])
@pytest.mark.parametrize("size", [1, 3, 20])
def test_counts_are_those_by_hand_whatever_the_block(weighting, size):
    vocabulary = count_words(words_of(TEXT), least_count=2)
    window = Window(size, weighting)
    expected = by_hand(TEXT, vocabulary, window)
    for block in (1, 6, 1000):
        counts = count_pairs(words_of(TEXT), vocabulary, window, block=block)
        np.testing.assert_allclose(counts.toarray(), expected)


def test_the_dynamic_weight_is_the_chance_of_a_drawn_window():
    window = Window(4, "dynamic")
    drawn = np.random.default_rng(0).integers(1, 5, 100_000)
    for distance in range(1, 5):
        assert window.weight(distance) == pytest.approx((drawn >= distance).mean(), abs=0.01)


def test_thinning_keeps_words_by_their_frequency():
    text = [["often"] * 9 + ["rarely"]] * 2000
    vocabulary = count_words(text, least_count=1)
    window = Window(1, "flat", subsample=0.1)
    whole = count_pairs(text, vocabulary, Window(1, "flat")).toarray()
    thin = count_pairs(text, vocabulary, window, seed=3).toarray()
    stays = np.sqrt(0.1 / 0.9) + 0.1 / 0.9
    # Of n words in a row, n stays; so many neighbours less one are left.
    kept = (thin[0, 0] / 2 + thin[0, 1]) / (9 * 2000)
    assert kept == pytest.approx(stays, rel=0.02)
    assert thin.sum() < whole.sum()
    again = count_pairs(text, vocabulary, window, seed=3).toarray()
    np.testing.assert_array_equal(thin, again)


def test_a_text_without_neighbours_has_empty_counts():
    vocabulary = Vocabulary(("a", "b"), np.array([2, 1]), 3)
    assert count_pairs([["a"], ["b"], ["a"]], vocabulary).nnz == 0


def test_windows_that_make_no_sense_are_refused():
    for options in ({"size": 0}, {"weighting": "round"}, {"subsample": 0.0}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            Window(**options)


def test_the_corpora_of_the_data_folder_are_read(shared):
    folder = shared / "data"
    found = [name for name, file in CORPORA.items() if (folder / file).is_file()]
    if "tinyshakespeare" not in found:
        pytest.skip("the texts are not in the data folder")
    vocabulary = count_words(corpus(["tinyshakespeare"], folder))
    assert vocabulary.words[:3] == ("the", "and", "to")
    assert vocabulary.total > 200_000


def test_a_missing_corpus_names_the_folder_option(tmp_path):
    assert find_folder("words", ["tinyshakespeare.txt"], tmp_path) is None
    with pytest.raises(DataError, match=r"tinyshakespeare\.txt.*--data-dir"):
        corpus(["tinyshakespeare"], tmp_path)
    with pytest.raises(ConfigError, match="corpus 'shakespeare'"):
        corpus(["shakespeare"], tmp_path)
