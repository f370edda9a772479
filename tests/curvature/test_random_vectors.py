"""Traces and densities by random vectors: exact where they can be, unbiased, with true errors."""

import jax
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import ConfigError
from tests.curvature.problems import (
    KEY,
    PROBES,
    QUADRATURE,
    Counting,
    dense,
    examples,
    hessian,
    multiply,
    network,
    of_matrix,
    rotated,
)

OUTLIERS = np.concatenate([np.linspace(-1, 1, 27), [10, 20, 40]])
MATRIX = rotated(OUTLIERS)
SPREAD = np.linspace(-1, 2, 30)
FEW = np.repeat([0.5, 2.0, 4.0], [20, 9, 1])
"""Fewer different eigenvalues than steps: every recurrence ends early, with the exact density."""
SKETCH = {**PROBES, "sketch": 4}
STEPS, VECTORS = QUADRATURE.values()


def traces(count, **sizes):
    """Values and standard errors of many independent estimates."""
    found = [
        curvature.trace(of_matrix(MATRIX), jax.random.key(seed), **sizes) for seed in range(count)
    ]
    return np.array([(each.value, each.standard_error) for each in found]).T


def density(matrix, key=KEY):
    return curvature.density(of_matrix(matrix), key, **QUADRATURE)


@pytest.mark.parametrize("diagonal", [np.full(30, 3.0), OUTLIERS, np.zeros(30)])
def test_signs_give_the_trace_of_a_diagonal_matrix_exactly(diagonal):
    found = curvature.trace(of_matrix(np.diag(diagonal)), **PROBES)
    np.testing.assert_allclose(found.samples, diagonal.sum(), rtol=0, atol=1e-12)
    assert found.standard_error < 1e-13
    assert found.dimension == 30
    assert found.exact == 0


@pytest.mark.parametrize("sizes", [PROBES, SKETCH])
def test_the_trace_is_unbiased_and_its_standard_error_is_right(sizes):
    values, errors = traces(200, **sizes)
    spread = values.std(ddof=1)
    assert abs(values.mean() - OUTLIERS.sum()) < 3 * spread / np.sqrt(200)
    assert np.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.15)
    if sizes is PROBES:
        # Hutchinson's variance.
        variance = 2 * ((MATRIX**2).sum() - (np.diag(MATRIX) ** 2).sum())
        assert spread == pytest.approx(np.sqrt(variance / 30), rel=0.15)


def test_a_sketch_takes_what_is_large_exactly():
    plain, sketched = (traces(20, **sizes)[1] for sizes in (PROBES, SKETCH))
    assert np.median(sketched) < 0.3 * np.median(plain)
    for rank in (0, 1, 4):  # of the rank it leaves nothing
        matrix = rotated(np.r_[np.zeros(30 - rank), [3.0, 2.0, -1.0, 0.5][:rank]], 1)
        found = curvature.trace(of_matrix(matrix), KEY, **SKETCH)
        assert found.value == pytest.approx(np.trace(matrix), abs=1e-12)
        assert found.exact == pytest.approx(np.trace(matrix), abs=1e-12)
        np.testing.assert_allclose(found.samples, 0, atol=1e-12)


def test_weights_are_shares_for_every_vector():
    found = density(rotated(SPREAD))
    assert found.nodes.shape == found.weights.shape == (VECTORS, STEPS)
    assert found.nodes.dtype == found.weights.dtype == np.float64
    assert found.weights.min() >= 0
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=0, atol=1e-14)
    assert (np.diff(found.nodes) > 0).all()
    assert -1 < found.nodes.min() < found.nodes.max() < 2


def test_moments_are_exact_up_to_twice_the_steps_less_one():
    # Of a diagonal matrix every vector of signs sees every eigenvalue with the same weight.
    found = density(np.diag(SPREAD))
    assert found.dimension == 30
    for power in range(2 * STEPS + 1):
        exact = (SPREAD**power).mean()
        moments = (found.weights * found.nodes**power).sum(axis=1)
        if power == 2 * STEPS:
            assert (abs(moments / exact - 1) > 1e-5).all()
        else:
            np.testing.assert_allclose(moments, exact, rtol=1e-12)
            mean, error = found.mean(lambda x, power=power: x**power)
            assert mean == pytest.approx(exact, rel=1e-12)
            assert error < 1e-12 * exact


def test_means_are_unbiased_and_the_first_times_the_rows_is_the_trace():
    matrix = rotated(SPREAD)
    found = [density(matrix, jax.random.key(seed)) for seed in range(50)]
    pooled = curvature.Density(
        np.concatenate([each.nodes for each in found]),
        np.concatenate([each.weights for each in found]),
        found[0].dimension,
    )
    for power in (1, 2, 3):
        mean, error = pooled.mean(lambda x, power=power: x**power)
        assert abs(mean - (SPREAD**power).mean()) < 3 * error
        assert error < 0.02 * 2.0**power
    trace = curvature.trace(of_matrix(matrix), KEY, **PROBES)
    mean, error = pooled.mean(lambda x: x)
    assert abs(30 * mean - trace.value) < 3 * np.hypot(30 * error, trace.standard_error)


def bells(at, eigenvalues, width):
    scaled = (at[:, None] - eigenvalues) / width
    return np.exp(-0.5 * scaled**2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("width", [0.05, 0.5])
def test_the_curve_is_the_spectrum_with_bells_and_its_integral_is_one(width):
    found = density(np.diag(FEW))
    curve = found.curve(found.grid(width), width)
    np.testing.assert_allclose(curve.mean, bells(curve.at, FEW, width), rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.standard_error, 0, atol=1e-12)
    for each in (found, density(rotated(SPREAD))):
        curve = each.curve(each.grid(width), width)
        assert np.trapezoid(curve.mean, curve.at) == pytest.approx(1, abs=1e-8)
        mean = np.trapezoid(curve.mean * curve.at, curve.at)
        assert mean == pytest.approx(each.mean(lambda x: x)[0], abs=1e-7)
        assert curve.mean.min() >= 0


def test_the_cumulative_share_has_steps_where_eigenvalues_are():
    found = density(np.diag(FEW))
    curve = found.cumulative(np.array([-1.0, 0.4, 0.6, 1.9, 2.1, 3.9, 4.1, 100]))
    shares = np.array([0, 0, 20, 20, 29, 29, 30, 30]) / 30
    np.testing.assert_allclose(curve.mean, shares, rtol=0, atol=1e-13)
    np.testing.assert_allclose(curve.standard_error, 0, atol=1e-13)
    # Functions that are not defined at zero see eigenvalues alone.
    for function in (np.log, np.reciprocal):
        assert found.mean(function)[0] == pytest.approx(function(FEW).mean(), rel=1e-12)
    assert found.grid(0.01).min() > 0.4


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-12])
def test_a_multiple_of_the_identity_has_one_eigenvalue(value):
    found = density(value * np.eye(30))
    np.testing.assert_allclose((found.weights * found.nodes).sum(axis=1), value, rtol=1e-12)
    np.testing.assert_allclose(found.nodes[found.weights > 1e-12], value, rtol=1e-12)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1, 1e15])
def test_eigenvalues_have_no_unit(scale):
    found = density((scale * rotated(SPREAD)).astype(np.float32))
    np.testing.assert_allclose(found.nodes / scale, density(rotated(SPREAD)).nodes, atol=1e-5)


def test_copies_of_an_eigenvalue_in_single_precision_share_its_weight():
    spectrum = np.r_[np.linspace(0, 1, 119), 1000.0]
    with jax.enable_x64(False):
        matrix = np.diag(spectrum).astype(np.float32)
        found = curvature.density(of_matrix(matrix), KEY, steps=60, probes=2)
    near = abs(found.nodes - 1000) < 1
    assert (near.sum(axis=1) >= 2).all()
    np.testing.assert_allclose((found.weights * near).sum(axis=1), 1 / 120, rtol=1e-3)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-12)
    below = found.cumulative(np.array([0.5])).mean
    assert below == pytest.approx(59.5 / 120, abs=0.02)


def test_the_trace_in_single_precision():
    with jax.enable_x64(False):
        found = curvature.trace(of_matrix(MATRIX.astype(np.float32)), KEY, **SKETCH)
    assert abs(found.value - OUTLIERS.sum()) < 4 * found.standard_error


def test_of_a_network():
    whole = dense(network(), examples())
    found = curvature.trace(hessian(), **PROBES)
    assert abs(found.value - np.trace(whole)) < 3 * found.standard_error
    assert found.standard_error < 0.3 * np.linalg.norm(whole)
    densities = [curvature.density(hessian(), jax.random.key(i), **QUADRATURE) for i in range(10)]
    means = np.array([each.mean(np.square)[0] for each in densities])
    exact = (whole**2).sum() / len(whole)
    assert abs(means.mean() - exact) < 3 * means.std(ddof=1) / np.sqrt(10)


@pytest.mark.parametrize(
    ("use", "sizes"), [(curvature.trace, PROBES), (curvature.density, QUADRATURE)]
)
def test_another_matrix_runs_the_same_program(use, sizes):
    counting = Counting(multiply)
    use(of_matrix(MATRIX, counting), KEY, **sizes)
    once = counting.traces
    use(of_matrix(2 * MATRIX, counting), jax.random.key(1), **sizes)
    assert counting.traces == once


def test_one_vector_has_no_standard_error():
    assert np.isnan(curvature.Trace(0.0, np.ones(1), 30).standard_error)
    found = density(np.diag(FEW))
    single = curvature.Density(found.nodes[:1], found.weights[:1], 30)
    assert np.isnan(single.mean(np.log)[1])
    assert np.isnan(single.cumulative(np.zeros(3)).standard_error).all()


def test_bad_sizes_are_refused():
    matrix = of_matrix(MATRIX)
    for use in (curvature.trace, curvature.density):
        with pytest.raises(ConfigError, match="probes is 0: an estimate needs at least 1"):
            use(matrix, probes=0)
    with pytest.raises(ConfigError, match="sketch is -1: it must be 0 or more"):
        curvature.trace(matrix, sketch=-1)
    with pytest.raises(ConfigError, match="31 vectors are asked for and the operator has 30 rows"):
        curvature.trace(matrix, sketch=31)
    with pytest.raises(ConfigError, match="steps is 0: a quadrature needs at least 1"):
        curvature.density(matrix, steps=0)
    for width in (0.0, -1.0, np.nan):
        with pytest.raises(ConfigError, match="a bell needs a positive one"):
            density(np.diag(FEW)).curve(np.zeros(3), width)
