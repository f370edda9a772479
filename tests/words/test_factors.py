"""The attribute model, its pointwise mutual information, and embeddings made from counts."""

import jax
import numpy as np
import pytest
import scipy.sparse as sparse

from mconn.errors import ConfigError, DataError, DivergenceError
from mconn.words import (
    AttributeModel,
    ExactConfig,
    Window,
    combined,
    count_pairs,
    count_words,
    factorise,
    pmi,
    sample_counts,
    sample_sentences,
    sgns_loss,
    sgns_weights,
    train_exact,
)

MODEL = AttributeModel((0.3, 0.5, 0.7))
COUNTS = np.random.default_rng(0).poisson(3.0, (12, 9)) + np.eye(12, 9)


def test_probabilities_are_the_product_of_the_attributes():
    i, j = 2, 7
    expected = np.prod(1 + np.array(MODEL.strengths) * MODEL.codes[i] * MODEL.codes[j])
    assert MODEL.joint[i, j] == pytest.approx(expected / 64)
    assert MODEL.joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(MODEL.joint.sum(axis=1), 1 / 8)
    assert MODEL.words[5] == "+-+"
    # A third word leaves the probability of two.
    assert MODEL.triple.min() > 0
    for axis in range(3):
        np.testing.assert_allclose(MODEL.triple.sum(axis=axis), MODEL.joint, atol=1e-15)
    with pytest.raises(ConfigError, match="spread"):
        _ = AttributeModel((0.3,), spread=1.0).triple


@pytest.mark.parametrize(
    ("strengths", "rank"), [((0.3, 0.5, 0.7), 4), ((0.3, 0.0, 0.7), 3), ((-0.4,), 2), ((0.0,), 0)]
)
def test_the_rank_is_one_more_than_the_active_attributes(strengths, rank):
    model = AttributeModel(strengths)
    assert np.linalg.matrix_rank(pmi(model.joint).matrix, tol=1e-10) == model.rank == rank


def test_unequal_frequencies_add_one_to_the_rank():
    model = AttributeModel((0.3, 0.5, 0.7, 0.4), spread=1.0, seed=1)
    assert np.linalg.matrix_rank(pmi(model.joint).matrix, tol=1e-10) == model.rank + 1


def test_questions_are_all_parallelograms_of_one_attribute():
    questions = MODEL.questions()
    assert list(questions) == ["attribute 1", "attribute 2", "attribute 3"]
    for k, rows in enumerate(questions.values()):
        assert len(np.unique(rows, axis=0)) == len(rows) == 4 * 3
        a, b, c, d = (MODEL.codes[place] for place in rows.T)
        np.testing.assert_array_equal(b - a, np.tile(2 * np.eye(3, dtype=int)[k], (12, 1)))
        np.testing.assert_array_equal(d - c, b - a)
        assert (rows[:, 0] != rows[:, 2]).all()


def test_samples_approach_the_probabilities():
    counts = sample_counts(MODEL.joint, 10**6, np.random.default_rng(0))
    assert counts.sum() == 10**6
    error = counts / 10**6 - MODEL.joint
    assert np.abs(error).max() < 5 * np.sqrt(MODEL.joint.max() / 10**6)
    drawn = list(sample_sentences(MODEL.joint, MODEL.words, 5000, np.random.default_rng(0), 999))
    assert len(drawn) == 5000
    vocabulary = count_words(drawn, least_count=1)
    table = count_pairs(drawn, vocabulary, Window(1, "flat"))
    assert table.sum() == 2 * 5000
    order = [vocabulary.index[word] for word in MODEL.words]
    error = table.toarray()[np.ix_(order, order)] / 10_000 - MODEL.joint
    assert np.abs(error).max() < 5 * np.sqrt(MODEL.joint.max() / 10_000)
    with pytest.raises(ConfigError, match="pairs"):
        sample_counts(MODEL.joint, 0, np.random.default_rng(0))


@pytest.mark.parametrize(
    "options", [{"strengths": ()}, {"strengths": (1.0,)}, {"strengths": (0.5,), "spread": -1.0}]
)
def test_models_that_are_no_distribution_are_refused(options):
    with pytest.raises(ConfigError, match=list(options)[-1]):
        AttributeModel(**options)


@pytest.mark.parametrize("smoothing", [1.0, 0.75])
def test_pmi_is_its_definition(smoothing):
    joint = COUNTS / COUNTS.sum()
    contexts = COUNTS.sum(axis=0) ** smoothing
    with np.errstate(divide="ignore"):
        expected = np.log(joint / np.outer(joint.sum(axis=1), contexts / contexts.sum()))
    seen = COUNTS > 0
    found = pmi(COUNTS, smoothing=smoothing)
    np.testing.assert_allclose(found.matrix[seen], expected[seen], atol=1e-12)
    assert (found.matrix[~seen] == 0).all()
    assert found.unseen == pytest.approx((~seen).mean())
    assert found.isolated == 0
    # Sparse counts agree, and what is positive is cut at zero.
    for shift in (0.0, np.log(5)):
        cut = pmi(sparse.csr_array(COUNTS), shift=shift, smoothing=smoothing, positive=True)
        assert sparse.issparse(cut.matrix)
        assert (cut.matrix.data > 0).all()
        whole = np.where(seen, found.matrix - shift, 0)
        np.testing.assert_allclose(cut.matrix.toarray(), np.maximum(whole, 0), atol=1e-12)


def test_words_without_context_are_told():
    counts = COUNTS.copy()
    counts[3] = 0
    found = pmi(counts)
    assert found.isolated == 1
    assert not found.matrix[3].any()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (np.zeros((3, 3)), "no word occurs with any other"),
        (np.ones((1, 1)), "two words and two contexts"),
        (np.ones((1, 4)), "two words and two contexts"),
        (np.array([[1.0, -1.0], [1.0, 1.0]]), "negative or not finite"),
        (np.array([[1.0, np.nan], [1.0, 1.0]]), "negative or not finite"),
    ],
)
def test_counts_of_no_corpus_are_refused(counts, said):
    for use in (pmi, sgns_weights):
        for table in (counts, sparse.csr_array(counts)):
            with pytest.raises(DataError, match=said):
                use(table)
    with pytest.raises(ConfigError, match="smoothing"):
        pmi(COUNTS, smoothing=0.0)


@pytest.mark.parametrize(
    ("solver", "power"), [("exact", 0.0), ("arpack", 0.5), ("randomised", 1.0)]
)
def test_the_factors_are_the_best_approximation_of_their_rank(power, solver):
    matrix = pmi(COUNTS).matrix
    params = factorise(matrix, 4, power=power, solver=solver)
    values = np.linalg.svd(matrix, compute_uv=False)
    error = np.linalg.norm(matrix - params["words"] @ params["contexts"].T)
    assert error == pytest.approx(np.linalg.norm(values[4:]), rel=1e-3)
    norms = np.linalg.norm(params["words"], axis=0)
    np.testing.assert_allclose(norms, values[:4] ** power, rtol=1e-3)
    largest = params["words"][np.abs(params["words"]).argmax(axis=0), np.arange(4)]
    assert (largest > 0).all()
    expected = factorise(matrix, 4, power=power)
    for name, value in factorise(sparse.csr_array(matrix), 4, power=power, solver="arpack").items():
        np.testing.assert_allclose(value, expected[name], atol=1e-8)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dimension": 0}, "dimension is 0"),
        ({"dimension": 10}, "between 1 and 9"),
        ({"dimension": 9, "solver": "arpack"}, "at most 8"),
        ({"dimension": 2, "solver": "lanczos"}, "solver 'lanczos'"),
    ],
)
def test_dimensions_outside_the_matrix_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        factorise(pmi(COUNTS).matrix, **options)


def test_both_vectors_of_a_word_can_be_added():
    params = factorise(pmi(MODEL.joint).matrix, 4)
    np.testing.assert_array_equal(combined(params), params["words"] + params["contexts"])
    with pytest.raises(ConfigError, match="only vectors of the same words"):
        combined(factorise(pmi(COUNTS).matrix, 4))


def test_the_exact_objective_is_the_sum_over_pairs_and_negative_samples():
    counts = sample_counts(MODEL.joint, 200, np.random.default_rng(0))
    weights = sgns_weights(counts, negatives=3, smoothing=0.75)
    rng = np.random.default_rng(1)
    params = {"words": rng.standard_normal((8, 5)), "contexts": rng.standard_normal((8, 5))}
    contexts = counts.sum(axis=0) ** 0.75
    noise = 3 * np.outer(counts.sum(axis=1), contexts / contexts.sum())
    logits = params["words"] @ params["contexts"].T
    total = (counts * np.logaddexp(0, -logits) + noise * np.logaddexp(0, logits)).sum()
    with jax.enable_x64():
        assert float(sgns_loss(params, weights)) == pytest.approx(total / 200, rel=1e-12)


def test_its_optimum_is_the_shifted_pmi_where_the_dimension_suffices():
    weights = sgns_weights(MODEL.joint, negatives=5)
    target = pmi(MODEL.joint, shift=np.log(5)).matrix
    keys = jax.random.split(jax.random.key(0), 2)
    errors = {}
    for dimension in (2, 4):
        params, losses = train_exact(weights, ExactConfig(dimension, steps=2000), keys)
        assert losses.shape == (2, 2000)
        assert (losses[:, -1] < losses[:, 0]).all()
        words, contexts = (np.asarray(params[name]) for name in ("words", "contexts"))
        errors[dimension] = np.abs(words @ contexts.swapaxes(1, 2) - target).max(axis=(1, 2))
    assert (errors[4] < 1e-3).all()
    assert (errors[2] > 0.1).all()


def test_seeds_under_vmap_are_those_alone():
    weights = sgns_weights(MODEL.joint)
    config = ExactConfig(3, steps=50)
    keys = jax.random.split(jax.random.key(1), 3)
    together, _ = train_exact(weights, config, keys)
    alone, _ = train_exact(weights, config, keys[1:2])
    words = [np.asarray(params["words"]) for params in (together, alone)]
    np.testing.assert_allclose(words[0][1], words[1][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"dimension": 0},
        {"dimension": 2, "steps": 0},
        {"dimension": 2, "scale": 0.0},
        {"dimension": 2, "learning_rate": 0.0},
    ],
)
def test_configs_that_train_nothing_are_refused(options):
    with pytest.raises(ConfigError, match=list(options)[-1]):
        ExactConfig(**options)
    with pytest.raises(ConfigError, match="negatives"):
        sgns_weights(COUNTS, negatives=0)


def test_a_diverging_training_is_an_error():
    config = ExactConfig(3, steps=20, learning_rate=1e30)
    with pytest.raises(DivergenceError, match="seed 0 is not finite at step"):
        train_exact(sgns_weights(MODEL.joint), config, jax.random.split(jax.random.key(0), 1))
