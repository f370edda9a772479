import jax
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import ConfigError
from tests.curvature.matrices import KEY, PROBES, multiply, operator, rotated
from tests.curvature.networks import LOSS, Counting, dense, examples, network

SPECTRUM = np.concatenate([np.linspace(-1, 1, 27), [10, 20, 40]])
MATRIX = rotated(SPECTRUM)


def over_keys(count, **sizes):
    """Values and standard errors of many independent estimates."""
    found = [
        curvature.trace(operator(MATRIX), jax.random.key(seed), **sizes) for seed in range(count)
    ]
    return np.array([(each.value, each.standard_error) for each in found]).T


@pytest.mark.parametrize("diagonal", [np.full(30, 3.0), SPECTRUM, np.zeros(30)])
def test_signs_give_the_trace_of_a_diagonal_matrix_exactly(diagonal):
    found = curvature.trace(operator(np.diag(diagonal)), KEY, **PROBES)
    np.testing.assert_allclose(found.samples, diagonal.sum(), rtol=0, atol=1e-12)
    assert found.standard_error < 1e-13
    assert found.dimension == 30
    assert found.exact == 0


@pytest.mark.parametrize("sketch", [0, 4])
def test_it_is_unbiased_and_its_standard_error_is_right(sketch):
    values, errors = over_keys(200, **PROBES, sketch=sketch)
    spread = values.std(ddof=1)
    assert abs(values.mean() - SPECTRUM.sum()) < 3 * spread / np.sqrt(200)
    assert np.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.15)
    if not sketch:
        # Hutchinson's variance.
        variance = 2 * ((MATRIX**2).sum() - (np.diag(MATRIX) ** 2).sum())
        assert spread == pytest.approx(np.sqrt(variance / 30), rel=0.15)


def test_a_sketch_takes_what_is_large_exactly():
    plain, sketched = (over_keys(20, **PROBES, sketch=sketch)[1] for sketch in (0, 4))
    assert np.median(sketched) < 0.3 * np.median(plain)


@pytest.mark.parametrize("rank", [0, 1, 4])
def test_a_sketch_of_the_rank_leaves_nothing(rank):
    matrix = rotated(np.r_[np.zeros(30 - rank), [3.0, 2.0, -1.0, 0.5][:rank]], 1)
    found = curvature.trace(operator(matrix), KEY, **PROBES, sketch=4)
    assert found.value == pytest.approx(np.trace(matrix), abs=1e-12)
    assert found.exact == pytest.approx(np.trace(matrix), abs=1e-12)
    np.testing.assert_allclose(found.samples, 0, atol=1e-12)


def test_one_vector_has_no_standard_error():
    found = curvature.trace(operator(MATRIX), KEY, probes=1)
    assert np.isfinite(found.value)
    assert np.isnan(found.standard_error)


def test_of_a_network():
    params, data = network(), examples()
    found = curvature.trace(curvature.hessian(LOSS, params, data, batch_size=3), KEY, **PROBES)
    whole = dense(params, data)
    assert abs(found.value - np.trace(whole)) < 3 * found.standard_error
    assert found.standard_error < 0.3 * np.linalg.norm(whole)


def test_single_precision():
    with jax.enable_x64(False):
        found = curvature.trace(operator(MATRIX.astype(np.float32)), KEY, **PROBES, sketch=4)
    assert abs(found.value - SPECTRUM.sum()) < 4 * found.standard_error


def test_another_matrix_runs_the_same_program():
    counting = Counting(multiply)
    first = curvature.trace(operator(MATRIX, counting), KEY, **PROBES)
    once = counting.traces
    second = curvature.trace(operator(2 * MATRIX, counting), jax.random.key(1), **PROBES)
    assert counting.traces == once
    assert first.value != second.value


def test_bad_sizes_are_refused():
    with pytest.raises(ConfigError, match="probes is 0: an estimate needs at least 1"):
        curvature.trace(operator(MATRIX), KEY, probes=0)
    with pytest.raises(ConfigError, match="sketch is -1: it must be 0 or more"):
        curvature.trace(operator(MATRIX), KEY, sketch=-1)
    with pytest.raises(ConfigError, match="31 vectors are asked for and the operator has 30 rows"):
        curvature.trace(operator(MATRIX), KEY, sketch=31)
