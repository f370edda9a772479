import numpy as np
import pytest

from mconn.errors import ConfigError, DataError
from mconn.words import Rule, Share, Vectors, answer, evaluate_analogies, read_questions
from mconn.words.questions import lexicon

FILE = """: capitals
Athens Greece Oslo Norway
Oslo Norway Athens Greece
Oslo Norway Lima Peru
three words only
: family

king queen man woman
: empty
"""
WORDS = ("greece", "Athens", "oslo", "Norway", "NORWAY", "king", "queen", "man", "woman", "Oslo")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(FILE, encoding="utf-8")
    return path


def vectors(words=WORDS, dimension=6, seed=0):
    rng = np.random.default_rng(seed)
    return Vectors(words, rng.standard_normal((len(words), dimension)).astype(np.float32))


def test_sections_and_malformed_lines_are_read(file):
    sections = read_questions(file)
    assert [section.name for section in sections] == ["capitals", "family", "empty"]
    assert [len(section.questions) for section in sections] == [3, 1, 0]
    assert sections[0].malformed == 1
    assert sections[1].questions == (("king", "queen", "man", "woman"),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a b c d\n", "line 1 is no section"),
        (b": name\na b c\n", "holds no question of four words"),
        (b"", "holds no question of four words"),
        (b": caf\xe9\n", "is not UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path, content, said):
    (tmp_path / "q").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_questions(tmp_path / "q")
    with pytest.raises(DataError, match="cannot be read"):
        read_questions(tmp_path / "none")


def test_scores_say_what_is_covered_and_right(file):
    exact = vectors()
    matrix = exact.matrix.copy()
    place = exact.index
    matrix[place["Norway"]] = matrix[place["oslo"]] + matrix[place["greece"]]
    matrix[place["Norway"]] -= matrix[place["Athens"]]
    capitals, family, empty, total = evaluate_analogies(
        Vectors(WORDS, matrix), read_questions(file)
    )
    assert capitals.covered.tolist() == [0, 1]
    assert capitals.coverage == pytest.approx(2 / 3)
    assert (family.coverage, total.coverage) == (1, pytest.approx(3 / 4))
    assert np.isnan(empty.coverage)
    assert np.isnan(empty.accuracy.value)
    assert total.covered.tolist() == [0, 1, 3]
    assert total.accuracy.right == capitals.accuracy.right + family.accuracy.right
    assert total.malformed == 1


def test_spellings_fold_on_request(file):
    folded = lexicon(WORDS)
    assert folded.find("OSLO") == 2
    assert folded.find("norway") == 3
    assert folded.spellings.tolist() == [0, 1, 2, 3, 3, 5, 6, 7, 8, 2]
    exact = lexicon(WORDS, folds=False)
    assert (exact.find("OSLO"), exact.find("Oslo")) == (None, 9)
    *_, total = evaluate_analogies(vectors(), read_questions(file), folds=False)
    assert total.covered.tolist() == [3]
    with pytest.raises(DataError, match="none of the 4 questions has vectors"):
        evaluate_analogies(vectors(WORDS[::-1]), read_questions(file), restrict=4)
    with pytest.raises(ConfigError, match="restrict"):
        evaluate_analogies(vectors(), read_questions(file), restrict=3)
    with pytest.raises(ConfigError, match="level"):
        evaluate_analogies(vectors(), read_questions(file), level=1.0)


def test_the_interval_is_wilsons():
    # The values of the textbook formula for 8 of 10, and the limits.
    low, high = Share(8, 10).interval
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert Share(0, 50).interval == (0.0, pytest.approx(0.0713, abs=1e-4))
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(5, 10, 0.5).interval[0] > Share(5, 10, 0.99).interval[0]


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).binomial(60, 0.15, 2000)
    bounds = [Share(int(right), 60).interval for right in draws]
    covered = np.mean([low <= 0.15 <= high for low, high in bounds])
    assert 0.92 < covered < 0.98


def clustered(words):
    """Vectors with some structure, so that some words are near others."""
    rng = np.random.default_rng(3)
    matrix = rng.choice([-1.0, 1.0], (len(words), 5)) @ rng.standard_normal((5, 12))
    matrix += 0.7 * rng.standard_normal(matrix.shape)
    return Vectors(tuple(words), matrix.astype(np.float32))


@pytest.mark.parametrize(("folds", "restrict"), [(True, None), (False, None), (True, 150)])
def test_scores_are_those_of_gensim_question_by_question(tmp_path, folds, restrict):
    models = pytest.importorskip("gensim.models", reason="needs gensim")
    rng = np.random.default_rng(0)
    # Up to three spellings of a word.
    words = [f"{('WORD', 'word', 'Word')[i % 3]}{i // 3}" for i in rng.permutation(240)]
    ours = clustered(words)
    spellings = lexicon(words, folds=folds).spellings
    places = spellings[np.array([rng.permutation(150)[:3] for _ in range(200)])]
    best = answer(ours.matrix[:restrict], places, spellings=spellings[:restrict])
    lines = [": as they come", *(" ".join(rng.choice(words, 4)) for _ in range(200))]
    lines += ["not four words", f"{words[0]} unknown {words[1]} {words[2]}", ": rather right"]
    lines += [
        " ".join(words[place] for place in (*row, found))
        for row, found in zip(places, best, strict=True)
    ]
    file = tmp_path / "questions.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    theirs = models.KeyedVectors(ours.matrix.shape[1])
    theirs.add_vectors(words, ours.matrix)
    _, expected = theirs.evaluate_word_analogies(
        str(file), restrict_vocab=restrict or 300_000, case_insensitive=folds
    )
    sections = read_questions(file)
    scores = evaluate_analogies(ours, sections, folds=folds, restrict=restrict)
    for section, score, their in zip(sections, scores, expected, strict=False):
        asked = [section.questions[place] for place in score.covered]
        if folds:
            asked = [tuple(word.upper() for word in row) for row in asked]
        answered = list(zip(asked, score.right, strict=True))
        assert [row for row, is_right in answered if is_right] == their["correct"]
        assert [row for row, is_right in answered if not is_right] == their["incorrect"]
    assert scores[1].accuracy.right > 100


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
@pytest.mark.parametrize("method", ["add", "multiply"])
def test_answers_are_those_of_gensim_question_by_question(method):
    models = pytest.importorskip("gensim.models", reason="needs gensim")
    words = [f"word{i}" for i in range(300)]
    ours = clustered(words)
    theirs = models.KeyedVectors(ours.matrix.shape[1])
    theirs.add_vectors(words, ours.matrix)
    ask = {"add": theirs.most_similar, "multiply": theirs.most_similar_cosmul}[method]
    rng = np.random.default_rng(1)
    questions = np.array([rng.permutation(300)[:3] for _ in range(300)])
    found = answer(ours.matrix, questions, Rule(method, epsilon=1e-6))
    for (a, b, c), place in zip(questions.tolist(), found, strict=True):
        best = ask(positive=[words[b], words[c]], negative=[words[a]], topn=1)
        assert best[0][0] == words[place]
