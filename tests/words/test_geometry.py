"""Attributes as directions, parallelograms, and what the corpus says of analogies."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn.errors import ConfigError, DataError
from mconn.features import subspace_angles
from mconn.words import (
    AttributeModel,
    analogy_errors,
    attribute_space,
    conditions,
    coplanarity,
    cspmi,
    direction,
    directions,
    factorise,
    parallelogram_defect,
    pmi,
)

MODEL = AttributeModel((0.3, 0.4, 0.5, 0.6))
QUESTIONS = np.concatenate(list(MODEL.questions().values()))
EXACT = factorise(pmi(MODEL.joint).matrix, 5)["words"]


def test_the_defect_is_that_of_two_sides():
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
    np.testing.assert_allclose(cspmi(counts), pmi(counts).matrix + np.log(counts / counts.sum()))
    counts[0, 1] = counts[1, 0] = 0
    assert cspmi(counts)[0, 1] == -np.inf
    # Distances are linear in it where words are equally frequent.
    i, j = np.triu_indices(16, 1)
    squared = np.sum((EXACT[i] - EXACT[j]) ** 2, axis=1)
    assert np.corrcoef(squared, -cspmi(MODEL.joint)[i, j])[0, 1] > 1 - 1e-10


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


def test_coplanar_rows_have_no_third_direction():
    flat = np.random.default_rng(0).standard_normal((4, 2)) @ np.ones((2, 6))
    question = np.array([[0, 1, 2, 3]])
    assert coplanarity(flat, question)[0] < 1e-12
    assert coplanarity(np.eye(4), question)[0] == pytest.approx(0.5)
    assert coplanarity(np.eye(4)[:, :2], question)[0] == 0


def test_the_errors_of_an_analogy_sum_up_to_its_residual():
    # A corpus of three words at a time in which nothing is independent.
    triple = np.random.default_rng(0).random((5, 5, 5))
    both = triple + triple.transpose(1, 0, 2)
    both /= both.sum()
    pairs = both.sum(axis=1)
    a, b, c, d = question = np.array([0, 1, 2, 3])
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
