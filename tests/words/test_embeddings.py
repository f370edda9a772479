import jax
import numpy as np
import pytest
import scipy.sparse as sparse

from mconn.errors import ConfigError, DataError, DivergenceError
from mconn.words import (
    AttributeModel,
    ExactConfig,
    combined,
    factorise,
    pmi,
    sample_counts,
    sgns_loss,
    sgns_weights,
    train_exact,
)

MODEL = AttributeModel((0.3, 0.5, 0.7))
COUNTS = np.random.default_rng(0).poisson(3.0, (12, 9)) + np.eye(12, 9)


def test_pmi_is_its_definition():
    joint = COUNTS / COUNTS.sum()
    with np.errstate(divide="ignore"):
        expected = np.log(joint / np.outer(joint.sum(axis=1), joint.sum(axis=0)))
    seen = COUNTS > 0
    found = pmi(COUNTS)
    np.testing.assert_allclose(found.matrix[seen], expected[seen], atol=1e-12)
    assert (found.matrix[~seen] == 0).all()
    assert found.unseen == pytest.approx((~seen).mean())
    assert found.isolated == 0


@pytest.mark.parametrize("shift", [0.0, np.log(5)])
@pytest.mark.parametrize("smoothing", [1.0, 0.75])
def test_sparse_and_dense_counts_agree_and_positive_is_cut_at_zero(shift, smoothing):
    sparse_counts = sparse.csr_array(COUNTS)
    whole = pmi(COUNTS, shift=shift, smoothing=smoothing)
    found = pmi(sparse_counts, shift=shift, smoothing=smoothing, positive=True)
    assert sparse.issparse(found.matrix)
    assert (found.matrix.data > 0).all()
    np.testing.assert_allclose(found.matrix.toarray(), np.maximum(whole.matrix, 0), atol=1e-12)


def test_smoothing_raises_the_contexts_frequencies_to_a_power():
    contexts = COUNTS.sum(axis=0) ** 0.75
    expected = np.log(COUNTS[0, 0] / COUNTS[0].sum() / (contexts[0] / contexts.sum()))
    assert pmi(COUNTS, smoothing=0.75).matrix[0, 0] == pytest.approx(expected)


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
        with pytest.raises(DataError, match=said):
            use(counts)
        with pytest.raises(DataError, match=said):
            use(sparse.csr_array(counts))
    with pytest.raises(ConfigError, match="smoothing"):
        pmi(COUNTS, smoothing=0.0)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("solver", ["exact", "arpack", "randomised"])
def test_the_factors_are_the_best_approximation_of_their_rank(power, solver):
    matrix = pmi(COUNTS).matrix
    params = factorise(matrix, 4, power=power, solver=solver)
    values = np.linalg.svd(matrix, compute_uv=False)
    error = np.linalg.norm(matrix - params["words"] @ params["contexts"].T)
    assert error == pytest.approx(np.linalg.norm(values[4:]), rel=1e-3)
    np.testing.assert_allclose(
        np.linalg.norm(params["words"], axis=0), values[:4] ** power, rtol=1e-3
    )
    largest = params["words"][np.abs(params["words"]).argmax(axis=0), np.arange(4)]
    assert (largest > 0).all()


def test_sparse_and_dense_matrices_have_the_same_factors():
    matrix = pmi(COUNTS).matrix
    found = factorise(sparse.csr_array(matrix), 3, solver="arpack")
    expected = factorise(matrix, 3)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-8)


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
    contexts /= contexts.sum()
    total = 0.0
    for w in range(8):
        for c in range(8):
            z = params["words"][w] @ params["contexts"][c]
            total += counts[w, c] * np.log1p(np.exp(-z))
            total += 3 * counts[w].sum() * contexts[c] * np.log1p(np.exp(z))
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
        logits = params["words"] @ params["contexts"].swapaxes(1, 2)
        errors[dimension] = np.abs(np.asarray(logits) - target).max(axis=(1, 2))
    assert (errors[4] < 1e-3).all()
    assert (errors[2] > 0.1).all()


def test_seeds_under_vmap_are_those_alone():
    weights = sgns_weights(MODEL.joint)
    config = ExactConfig(3, steps=50)
    keys = jax.random.split(jax.random.key(1), 3)
    together, _ = train_exact(weights, config, keys)
    alone, _ = train_exact(weights, config, keys[1:2])
    np.testing.assert_allclose(together["words"][1], alone["words"][0], rtol=1e-4, atol=1e-5)


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
