"""Answers to analogy questions, against definitions, by section, and against gensim."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn.errors import ConfigError, DataError
from mconn.words import (
    METHODS,
    AttributeModel,
    Rule,
    Share,
    Vectors,
    analogies,
    answer,
    evaluate_analogies,
    expected_accuracy,
    factorise,
    lexicon,
    pmi,
    read_questions,
)

MODEL = AttributeModel((0.3, 0.4, 0.5, 0.6))
QUESTIONS = np.concatenate(list(MODEL.questions().values()))
EXACT = factorise(pmi(MODEL.joint).matrix, 5)["words"]
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


def by_definition(matrix, question, rule, left_out):
    """The scores of all candidates, from the formulas of the papers."""
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    a, b, c = unit[question]
    if rule.method == "add":
        scores = unit @ b - unit @ a + unit @ c
    elif rule.method == "multiply":
        near = lambda v: (1 + unit @ v) / 2  # noqa: E731
        scores = near(b) * near(c) / (near(a) + rule.epsilon)
    else:
        offset = unit - c
        length = np.linalg.norm(offset, axis=1)
        scores = offset @ (b - a) / np.where(length > 1e-12, length, np.inf)
        scores[length <= 1e-12] = -np.inf
    if rule.exclude:
        scores[left_out] = -np.inf
    return scores


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exclude", [True, False])
@pytest.mark.parametrize(("block", "chunk", "cores"), [(1 << 23, 64, 1), (8 * 30 * 7, 5, 3)])
def test_answers_are_the_best_by_definition(method, exclude, block, chunk, cores, monkeypatch):
    monkeypatch.setattr(analogies, "_BLOCK_BYTES", block)
    monkeypatch.setattr(analogies, "_CHUNK", chunk)
    monkeypatch.setattr(analogies, "cores", lambda: cores)
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((80, 9))
    questions = rng.choice(30, (77, 3))
    questions = questions[questions[:, 0] != questions[:, 1]]
    rule = Rule(method, exclude)
    expected = [by_definition(matrix, q, rule, q) for q in questions]
    best = [scores.argmax() for scores in expected]
    np.testing.assert_array_equal(answer(matrix, questions, rule), best)
    scores = np.concatenate(list(analogies._scores_of(matrix, questions, rule)))
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    asked = [found in question for found, question in zip(best, questions, strict=True)]
    assert not any(asked) if exclude else any(asked)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(METHODS), st.booleans(), st.integers(0, 2**32 - 1), st.floats(0.01, 100.0))
def test_answers_do_not_change_under_rotation_and_scaling(method, exclude, seed, factor):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((40, 6))
    turned = factor * matrix @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    questions = rng.permutation(40)[:30].reshape(10, 3)
    rule = Rule(method, exclude)
    np.testing.assert_array_equal(answer(matrix, questions, rule), answer(turned, questions, rule))


@pytest.mark.parametrize("method", METHODS)
def test_all_spellings_of_the_questions_words_are_left_out(method):
    rng = np.random.default_rng(0)
    spellings = np.concatenate([np.arange(30), np.arange(30)])
    # A second spelling is near the first: left in, it would often be the answer.
    matrix = np.tile(rng.standard_normal((30, 12)), (2, 1)) + 0.1 * rng.standard_normal((60, 12))
    questions = np.array([rng.permutation(30)[:3] for _ in range(40)])
    rule = Rule(method)
    expected = [
        by_definition(matrix, q, rule, np.isin(spellings, spellings[q])).argmax() for q in questions
    ]
    found = answer(matrix, questions, rule, spellings=spellings)
    np.testing.assert_array_equal(found, expected)
    alone = answer(matrix, questions, rule)
    asked = [word in row for word, row in zip(spellings[alone], questions, strict=True)]
    assert np.mean(asked) > 0.05


def test_other_spellings_of_a_questions_words_are_no_answers_of_a_file(tmp_path):
    words = ("man", "king", "woman", "queen", "King", "Woman", "apple")
    matrix = np.eye(7, 5)[[0, 1, 2, 3, 1, 2, 4]] + 0.01
    matrix[3] += 0.4 * (matrix[1] + matrix[2])  # farther from both than their other spellings
    (tmp_path / "q").write_text(": one\nman king woman queen\nMAN KING WOMAN QUEEN\n")
    sections = read_questions(tmp_path / "q")
    total = evaluate_analogies(Vectors(words, matrix), sections)[-1]
    assert [words[place] for place in total.answers] == ["queen", "queen"]
    exact = evaluate_analogies(Vectors(words, matrix), sections, folds=False)[-1]
    assert words[exact.answers[0]] in ("King", "Woman")


def test_exact_parallelograms_are_answered_without_error():
    for method in ("add", "direction"):
        for matrix in (EXACT, EXACT.astype(np.float32)):
            found = answer(matrix, QUESTIONS[:, :3], Rule(method))
            assert (found == QUESTIONS[:, 3]).all()


def test_ties_count_as_their_chance():
    # Without the weakest attribute every word has a twin: two candidates for most questions.
    short = factorise(pmi(MODEL.joint).matrix, 4)["words"]
    accuracy = expected_accuracy(short, QUESTIONS)
    # Of 3/4 of the questions half are right but for those whose twin is left out; of the rest all.
    twin_left_out = 3 / 4 / 7 * 0.5
    assert accuracy == pytest.approx(3 / 4 * 0.5 + twin_left_out + 1 / 4)
    assert expected_accuracy(EXACT, QUESTIONS) == 1
    assert expected_accuracy(np.ones((16, 2)), QUESTIONS) == pytest.approx(1 / 13)


def test_vectors_that_cannot_answer_are_refused():
    matrix = np.ones((5, 2))
    matrix[2] = 0
    with pytest.raises(DataError, match="the vector of word 2 is zero"):
        answer(matrix, np.array([[0, 1, 2]]))
    with pytest.raises(DataError, match="there is no question"):
        expected_accuracy(matrix, np.zeros((0, 4), int))
    with pytest.raises(DataError, match="there are 3 words"):
        answer(matrix[:3], np.array([[0, 1, 2]]))
    with pytest.raises(ConfigError, match="method 'cosine'"):
        Rule("cosine")
    with pytest.raises(ConfigError, match="epsilon"):
        Rule("multiply", epsilon=0.0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(FILE, encoding="utf-8")
    return path


def vectors(words=WORDS):
    rng = np.random.default_rng(0)
    return Vectors(words, rng.standard_normal((len(words), 6)).astype(np.float32))


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
    matrix, place = exact.matrix.copy(), exact.index
    matrix[place["Norway"]] = matrix[place["oslo"]] + matrix[place["greece"]]
    matrix[place["Norway"]] -= matrix[place["Athens"]]
    capitals, family, empty, total = evaluate_analogies(
        Vectors(WORDS, matrix), read_questions(file)
    )
    assert capitals.covered.tolist() == [0, 1]
    assert capitals.coverage == pytest.approx(2 / 3)
    assert (family.coverage, total.coverage) == (1, pytest.approx(3 / 4))
    assert np.isnan([empty.coverage, empty.accuracy.value]).all()
    assert total.covered.tolist() == [0, 1, 3]
    assert total.accuracy.right == capitals.accuracy.right + family.accuracy.right
    assert total.malformed == 1


def test_spellings_fold_on_request(file):
    folded = lexicon(WORDS)
    assert (folded.find("OSLO"), folded.find("norway")) == (2, 3)
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


def test_the_interval_is_wilsons_and_covers_the_truth_as_often_as_it_says():
    # The values of the textbook formula for 8 of 10, and the limits.
    assert Share(8, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 50).interval == (0.0, pytest.approx(0.0713, abs=1e-4))
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(5, 10, 0.5).interval[0] > Share(5, 10, 0.99).interval[0]
    draws = np.random.default_rng(0).binomial(60, 0.15, 2000)
    bounds = [Share(int(right), 60).interval for right in draws]
    assert 0.92 < np.mean([low <= 0.15 <= high for low, high in bounds]) < 0.98


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
