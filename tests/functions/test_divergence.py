import jax
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import functions
from tests.functions.networks import divergence

jensen_shannon = jax.jit(functions.jensen_shannon)


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 1.0, 5.0, 20.0]))
def test_it_is_the_definition(seed, scale):
    logits, others = np.random.default_rng(seed).normal(0, scale, size=(2, 6, 4))
    with jax.enable_x64(True):
        found = np.asarray(jensen_shannon(logits, others))
        turned = np.asarray(jensen_shannon(others, logits))
    expected = divergence(softmax(logits), softmax(others))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found, turned, rtol=1e-12)
    assert np.all((found >= 0) & (found <= np.log(2) + 1e-12))


def test_it_is_zero_for_the_same_output_and_log_two_for_disjoint_ones():
    logits = np.array([[3.0, -np.inf, -np.inf], [-np.inf, 1.0, 1.0]], np.float32)
    found = np.asarray(jensen_shannon(logits, logits))
    np.testing.assert_array_equal(found, 0)
    np.testing.assert_allclose(jensen_shannon(logits, logits[::-1]), np.log(2), rtol=1e-6)


@pytest.mark.parametrize("size", [1e-1, 1e-2, 1e-3])
def test_in_single_precision_close_outputs_keep_their_digits(size):
    random = np.random.default_rng(0)
    logits = random.normal(size=(8, 5))
    others = logits + size * random.normal(size=(8, 5))
    pair = [each.astype(np.float32) for each in (logits, others)]
    expected = divergence(*(softmax(each.astype(np.float64)) for each in pair))
    np.testing.assert_allclose(jensen_shannon(*pair), expected, rtol=1e-6 / size)


def test_a_value_that_is_no_number_stays_one():
    found = jensen_shannon(np.array([[np.nan, 1.0]]), np.array([[0.0, 1.0]]))
    assert np.isnan(found).all()
