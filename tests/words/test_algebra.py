import jax
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn.errors import ConfigError, DataError
from mconn.features import subspace_angles
from mconn.words import (
    METHODS,
    AttributeModel,
    Rule,
    analogies,
    analogy_errors,
    answer,
    attribute_space,
    conditions,
    coplanarity,
    cspmi,
    direction,
    directions,
    expected_accuracy,
    factorise,
    parallelogram_defect,
    pmi,
)
from mconn.words.analogies import _scores_of as scores_of

MODEL = AttributeModel((0.3, 0.4, 0.5, 0.6))
QUESTIONS = np.concatenate(list(MODEL.questions().values()))
EXACT = factorise(pmi(MODEL.joint).matrix, 5)["words"]


def by_definition(matrix, question, rule):
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
        scores[question] = -np.inf
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
    expected = [by_definition(matrix, q, rule) for q in questions]
    np.testing.assert_array_equal(
        answer(matrix, questions, rule), [scores.argmax() for scores in expected]
    )
    scores = np.concatenate(list(scores_of(matrix, questions, rule)))
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(METHODS), st.booleans(), st.integers(0, 2**32 - 1), st.floats(0.01, 100.0))
def test_answers_do_not_change_under_rotation_and_scaling(method, exclude, seed, factor):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((40, 6))
    turned = factor * matrix @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    questions = rng.permutation(40)[:30].reshape(10, 3)
    rule = Rule(method, exclude)
    np.testing.assert_array_equal(answer(matrix, questions, rule), answer(turned, questions, rule))


def test_left_in_the_questions_words_are_often_the_answers():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((50, 40))
    questions = rng.permutation(50)[:30].reshape(10, 3)
    inside = answer(matrix, questions, Rule(exclude=False))
    assert sum(found in asked for found, asked in zip(inside, questions, strict=True)) >= 9
    outside = answer(matrix, questions)
    assert not any(found in asked for found, asked in zip(outside, questions, strict=True))


def test_all_spellings_of_the_questions_words_are_left_out():
    matrix = np.random.default_rng(0).standard_normal((8, 4))
    matrix[5], matrix[6] = matrix[1], matrix[2]
    spellings = np.array([0, 1, 2, 3, 4, 1, 2, 7])
    question = np.array([[0, 1, 2]])
    for method in METHODS:
        assert answer(matrix, question, Rule(method), spellings=spellings)[0] in (3, 4, 7)


def test_exact_parallelograms_are_answered_without_error_and_have_no_defect():
    for method in ("add", "direction"):
        found = answer(EXACT, QUESTIONS[:, :3], Rule(method))
        assert (found == QUESTIONS[:, 3]).all()
    assert parallelogram_defect(EXACT, QUESTIONS).max() < 1e-10
    # Orthogonal sides, and opposite ones.
    corners = np.array([[0.0, 0], [1, 0], [0, 0], [0, 1], [-1, 0]])
    found = parallelogram_defect(corners, np.array([[0, 1, 2, 3], [0, 1, 2, 4], [0, 0, 2, 2]]))
    np.testing.assert_allclose(found, [1, np.sqrt(2), np.nan])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_blends_of_linearly_related_embeddings_stay_parallelograms(seed, t):
    other = EXACT @ np.random.default_rng(seed).standard_normal((5, 5))
    blend = (1 - t) * EXACT + t * other
    a, b, c, d = (blend[place] for place in QUESTIONS.T)
    assert np.abs(b - a - d + c).max() < 1e-10


def test_ties_count_as_their_chance():
    # Without the weakest attribute every word has a twin: two candidates for most questions.
    short = factorise(pmi(MODEL.joint).matrix, 4)["words"]
    accuracy = expected_accuracy(short, QUESTIONS)
    # Of 3/4 of the questions half are right but for those whose twin is left out; of the rest all.
    twin_left_out = 3 / 4 / 7 * 0.5
    assert accuracy == pytest.approx(3 / 4 * 0.5 + twin_left_out + 1 / 4)
    assert expected_accuracy(EXACT, QUESTIONS) == 1
    assert expected_accuracy(np.ones((16, 2)), QUESTIONS) == pytest.approx(1 / 13)


def test_attributes_are_directions_and_span_a_subspace():
    found = directions(EXACT, MODEL.directions())
    assert found.shape == (5, 4)
    np.testing.assert_allclose(found[:, 1], direction(EXACT, MODEL.pairs(1)))
    # Attributes are independent in the corpus: orthogonal axes.
    gram = found.T @ found
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10)
    with pytest.raises(DataError, match="no pair"):
        direction(EXACT, np.zeros((0, 2), int))


def test_neuron_space_turns_with_the_embedding_and_sample_space_does_not():
    rng = np.random.default_rng(0)
    pairs = {name: MODEL.pairs(k) for k, name in enumerate(("one", "two"))}
    params = factorise(pmi(MODEL.joint).matrix, 5)
    map_ = rng.standard_normal((5, 5))
    moved = {
        "words": params["words"] @ map_,
        "contexts": params["contexts"] @ np.linalg.inv(map_).T,
    }
    before, after = (attribute_space(each, pairs, "neuron") for each in (params, moved))
    assert subspace_angles(before, after)[-1] > 0.1
    np.testing.assert_allclose(map_.T @ before, after)
    before, after = (attribute_space(each, pairs) for each in (params, moved))
    assert before.shape == (16, 2)
    np.testing.assert_allclose(before, after, atol=1e-9)
    # It is the mean difference of the rows of the matrix that was factorised.
    rows = pmi(MODEL.joint).matrix[MODEL.pairs(1)]
    np.testing.assert_allclose(before[:, 1], (rows[:, 1] - rows[:, 0]).mean(axis=0), atol=1e-9)
    with pytest.raises(ConfigError, match="space 'unit'"):
        attribute_space(params, pairs, "unit")


def test_cspmi_is_pmi_plus_the_logarithm_of_the_probability():
    counts = np.random.default_rng(0).poisson(20, (6, 6)) + 1.0
    counts += counts.T
    joint = counts / counts.sum()
    np.testing.assert_allclose(cspmi(counts), pmi(counts).matrix + np.log(joint))
    counts[0, 1] = counts[1, 0] = 0
    assert cspmi(counts)[0, 1] == -np.inf


def test_the_attribute_model_meets_the_conditions_and_noise_does_not():
    rows = pmi(MODEL.joint, shift=np.log(5)).matrix
    found = conditions(MODEL.joint, rows, MODEL.pairs(2))
    assert max(found.within, found.across, found.plane) < 1e-10
    noisy = MODEL.joint * np.exp(0.1 * np.random.default_rng(0).standard_normal((16, 16)))
    noisy += noisy.T
    found = conditions(noisy, pmi(noisy).matrix, MODEL.pairs(2))
    assert min(found.within, found.across, found.plane) > 0.01
    with pytest.raises(DataError, match="1 pairs"):
        conditions(MODEL.joint, rows, MODEL.pairs(2)[:1])


def test_distance_is_linear_in_cspmi_where_words_are_equally_frequent():
    i, j = np.triu_indices(16, 1)
    squared = np.sum((EXACT[i] - EXACT[j]) ** 2, axis=1)
    assert np.corrcoef(squared, -cspmi(MODEL.joint)[i, j])[0, 1] > 1 - 1e-10


def test_coplanar_rows_have_no_third_direction():
    flat = np.random.default_rng(0).standard_normal((4, 2)) @ np.ones((2, 6))
    assert coplanarity(flat, np.array([[0, 1, 2, 3]]))[0] < 1e-12
    assert coplanarity(np.eye(4), np.array([[0, 1, 2, 3]]))[0] == pytest.approx(0.5)
    assert coplanarity(np.eye(4)[:, :2], np.array([[0, 1, 2, 3]]))[0] == 0


def test_the_errors_of_an_analogy_sum_up_to_its_residual():
    rng = np.random.default_rng(0)
    # A corpus of three words at a time in which nothing is independent.
    triple = rng.random((5, 5, 5))
    triple /= triple.sum()
    pairs = triple.sum(axis=1)
    a, b, c, d = question = np.array([0, 1, 2, 3])
    both = triple + triple.transpose(1, 0, 2)
    both /= both.sum()
    pairs = both.sum(axis=1)
    errors = analogy_errors(pairs, np.stack([both[b, c], both[a, d]]), question)
    total = errors.paraphrase + errors.conditional - errors.mutual
    np.testing.assert_allclose(total, errors.residual, atol=1e-12)
    expected = np.log(pairs) - np.log(pairs.sum(1))[:, None] - np.log(pairs.sum(0))
    np.testing.assert_allclose(errors.rows, expected[question])
    assert np.abs(errors.paraphrase).min() > 1e-3


def test_an_exact_parallelogram_can_be_made_of_errors_that_cancel():
    # Words that stand for each other in pairs: paraphrases up to dependence.
    for question in QUESTIONS[::17]:
        a, b, c, d = question
        triples = np.stack([MODEL.triple[b, c], MODEL.triple[a, d]])
        errors = analogy_errors(MODEL.joint, triples, question)
        assert np.abs(errors.residual).max() < 1e-12
        total = errors.paraphrase + errors.conditional - errors.mutual
        np.testing.assert_allclose(total, 0, atol=1e-12)


def test_errors_of_pairs_that_never_occur_are_refused():
    triples = np.stack([MODEL.triple[1, 2], MODEL.triple[0, 3]])
    triples[0, 4] = 0
    with pytest.raises(DataError, match="its error is infinite"):
        analogy_errors(MODEL.joint, triples, np.array([0, 1, 2, 3]))


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


def test_device_arrays_are_taken_as_well():
    matrix = np.asarray(jax.device_put(EXACT.astype(np.float32)))
    assert (answer(matrix, QUESTIONS[:, :3]) == QUESTIONS[:, 3]).all()
