import numpy as np
import pytest

from mconn.errors import ConfigError
from mconn.words import (
    AttributeModel,
    Window,
    count_pairs,
    count_words,
    pmi,
    sample_counts,
    sample_sentences,
)

MODEL = AttributeModel((0.3, 0.5, 0.7))


def test_probabilities_are_the_product_of_the_attributes():
    i, j = 2, 7
    expected = np.prod(1 + np.array(MODEL.strengths) * MODEL.codes[i] * MODEL.codes[j])
    assert MODEL.joint[i, j] == pytest.approx(expected / 64)
    assert MODEL.joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(MODEL.joint.sum(axis=1), 1 / 8)
    assert MODEL.words[5] == "+-+"


@pytest.mark.parametrize(
    ("strengths", "rank"), [((0.3, 0.5, 0.7), 4), ((0.3, 0.0, 0.7), 3), ((-0.4,), 2), ((0.0,), 0)]
)
def test_the_rank_is_one_more_than_the_active_attributes(strengths, rank):
    model = AttributeModel(strengths)
    matrix = pmi(model.joint).matrix
    assert np.linalg.matrix_rank(matrix, tol=1e-10) == model.rank == rank


def test_unequal_frequencies_add_one_to_the_rank():
    model = AttributeModel((0.3, 0.5, 0.7, 0.4), spread=1.0, seed=1)
    matrix = pmi(model.joint).matrix
    assert np.linalg.matrix_rank(matrix, tol=1e-10) == model.rank + 1


def test_a_third_word_leaves_the_probability_of_two():
    assert MODEL.triple.min() > 0
    for axis in range(3):
        np.testing.assert_allclose(MODEL.triple.sum(axis=axis), MODEL.joint, atol=1e-15)
    with pytest.raises(ConfigError, match="spread"):
        _ = AttributeModel((0.3,), spread=1.0).triple


def test_questions_are_all_parallelograms_of_one_attribute():
    questions = MODEL.questions()
    assert list(questions) == ["attribute 1", "attribute 2", "attribute 3"]
    for k, rows in enumerate(questions.values()):
        assert len(np.unique(rows, axis=0)) == len(rows) == 4 * 3
        a, b, c, d = (MODEL.codes[place] for place in rows.T)
        expected = 2 * np.eye(3, dtype=int)[k]
        np.testing.assert_array_equal(b - a, np.broadcast_to(expected, b.shape))
        np.testing.assert_array_equal(d - c, b - a)
        assert (rows[:, 0] != rows[:, 2]).all()


def test_sampled_counts_approach_the_probabilities():
    counts = sample_counts(MODEL.joint, 10**6, np.random.default_rng(0))
    assert counts.sum() == 10**6
    error = counts / 10**6 - MODEL.joint
    assert np.abs(error).max() < 5 * np.sqrt(MODEL.joint.max() / 10**6)


def test_a_sampled_text_has_the_counts_of_its_pairs():
    drawn = list(sample_sentences(MODEL.joint, MODEL.words, 5000, np.random.default_rng(0), 999))
    assert len(drawn) == 5000
    vocabulary = count_words(drawn, least_count=1)
    counts = count_pairs(drawn, vocabulary, Window(1, "flat"))
    assert counts.sum() == 2 * 5000
    order = [vocabulary.index[word] for word in MODEL.words]
    error = counts.toarray()[np.ix_(order, order)] / 10_000 - MODEL.joint
    assert np.abs(error).max() < 5 * np.sqrt(MODEL.joint.max() / 10_000)


@pytest.mark.parametrize(
    "options", [{"strengths": ()}, {"strengths": (1.0,)}, {"strengths": (0.5,), "spread": -1.0}]
)
def test_models_that_are_no_distribution_are_refused(options):
    with pytest.raises(ConfigError, match=list(options)[-1]):
        AttributeModel(**options)


def test_an_empty_sample_is_refused():
    with pytest.raises(ConfigError, match="pairs"):
        sample_counts(MODEL.joint, 0, np.random.default_rng(0))
