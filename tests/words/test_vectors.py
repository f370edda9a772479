import numpy as np
import pytest

from mconn.errors import ConfigError, DataError
from mconn.words import Vectors, read_vectors, write_vectors

WORDS = ("the", "Ünïcode", "new_york", "42", "'s")
FORMS = ("word2vec", "binary", "glove")


def some(words=WORDS, dimension=7):
    matrix = np.random.default_rng(0).standard_normal((len(words), dimension))
    return Vectors(words, (matrix * 10.0 ** np.arange(-3, dimension - 3)).astype(np.float32))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("most", [None, 3])
def test_a_file_gives_back_what_was_written_or_its_first_words(tmp_path, form, most):
    write_vectors(tmp_path / "v", some(), form)
    for named in (form, "auto"):
        found = read_vectors(tmp_path / "v", named, most)
        assert found.words == WORDS[:most]
        np.testing.assert_array_equal(found.matrix, some().matrix[:most])


@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_file_is_refused(tmp_path, form):
    file = tmp_path / "v"
    write_vectors(file, some(), form)
    whole = file.read_bytes()
    refused = 0
    for size in range(0, len(whole) - 1, 7):
        file.write_bytes(whole[:size])
        try:
            found = read_vectors(file, form)
        except DataError:
            refused += 1
        else:
            # GloVe's format does not say how many words there are, nor where a number ends.
            assert form == "glove" or found.words == WORDS
    assert refused > len(whole) // 7 * (0.3 if form == "glove" else 0.98)


@pytest.mark.parametrize("form", FORMS)
def test_bytes_that_are_not_utf8_are_refused(tmp_path, form):
    file = tmp_path / "v"
    write_vectors(file, some(), form)
    file.write_bytes(file.read_bytes().replace("Ü".encode(), b"\xff\xfe"))
    with pytest.raises(DataError, match=r"(word 2 of 5|line [23]) is not UTF-8"):
        read_vectors(file, form)


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        ("a 1 2\nb 1\n", "glove", "line 2 has 1 numbers, the dimension is 2"),
        ("a 1 2\nb 1 2.0 3\n", "glove", "line 2 has more than 2 numbers"),
        ("2 2\na 1 2\nb 1\n", "word2vec", "line 3 has 1 numbers, the dimension is 2"),
        ("2 2\na 1.5 2.5 3.5\nb 1 2\n", "word2vec", "line 2 has more than 2 numbers"),
        ("a 1 2\nb 1 x\n", "glove", "line 2 has something else than numbers"),
        ("3 2\na 1 2\nb 1 2\n", "word2vec", "promises 3 words and holds 2"),
        ("1 2\na 1 2\nb 1 2\n", "word2vec", "promises 1 words and holds 2"),
        ("a 1 2\na 1 2\n", "glove", "'a' has two vectors"),
        ("a 1 2\nb 1 nan\n", "glove", "'b' is not finite"),
        ("a 1 2\n", "glove", "two are the least"),
        ("", "auto", "holds no vectors"),
        ("a 1 2\n", "word2vec", "does not begin with its number of words"),
        ("2 0\na\nb\n", "word2vec", "does not begin with its number of words"),
        ("9999999 300\nabc", "binary", "is truncated"),
    ],
)
def test_malformed_files_are_refused_in_one_sentence(tmp_path, content, form, said):
    file = tmp_path / "v.txt"
    file.write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        read_vectors(file, form)
    assert "\n" not in str(caught.value)


def test_words_with_spaces_inside_are_read_from_glove(tmp_path):
    file = tmp_path / "v.txt"
    file.write_text("a 1 2\n. . . 0.5 2\nat name@domain.com 3 4\n")
    found = read_vectors(file)
    assert found.words == ("a", ". . .", "at name@domain.com")
    with pytest.raises(DataError, match="has a space"):
        write_vectors(file, found)


def test_missing_files_and_unknown_formats_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_vectors(tmp_path / "none")
    with pytest.raises(ConfigError, match="format 'pickle'"):
        read_vectors(tmp_path / "none", "pickle")
    with pytest.raises(DataError, match="cannot be written"):
        write_vectors(tmp_path / "no" / "folder", some())


def test_vectors_are_looked_up_by_word():
    vectors = some()
    np.testing.assert_array_equal(vectors.of(["42", "the"]), vectors.matrix[[3, 0]])
    with pytest.raises(DataError, match="'a' has no vector"):
        vectors.of(["a"])
    with pytest.raises(DataError, match="5 words and 4 vectors"):
        Vectors(WORDS, vectors.matrix[:4])


@pytest.mark.parametrize("is_binary", [True, False])
def test_gensim_reads_what_we_write_and_we_read_what_it_writes(tmp_path, is_binary):
    models = pytest.importorskip("gensim.models", reason="needs gensim")
    form = "binary" if is_binary else "word2vec"
    write_vectors(tmp_path / "ours", some(), form)
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=is_binary)
    assert tuple(theirs.index_to_key) == WORDS
    np.testing.assert_array_equal(theirs.vectors, some().matrix)
    theirs.save_word2vec_format(str(tmp_path / "theirs"), binary=is_binary)
    found = read_vectors(tmp_path / "theirs")
    assert found.words == WORDS
    np.testing.assert_allclose(found.matrix, some().matrix, rtol=1e-6)
