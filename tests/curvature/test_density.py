import jax
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import ConfigError
from tests.curvature.matrices import KEY, QUADRATURE, multiply, operator, rotated
from tests.curvature.networks import LOSS, Counting, dense, examples, network

STEPS, PROBES = QUADRATURE.values()
SPECTRUM = np.linspace(-1, 2, 30)
FEW = np.repeat([0.5, 2.0, 4.0], [20, 9, 1])
"""Fewer different eigenvalues than steps: every recurrence ends early, with the exact density."""


def of(matrix, key=KEY):
    return curvature.density(operator(matrix), key, **QUADRATURE)


def test_weights_are_shares_for_every_vector():
    found = of(rotated(SPECTRUM))
    assert found.nodes.shape == found.weights.shape == (PROBES, STEPS)
    assert found.nodes.dtype == found.weights.dtype == np.float64
    assert found.weights.min() >= 0
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=0, atol=1e-14)
    assert (np.diff(found.nodes) > 0).all()
    assert found.nodes.min() > -1
    assert found.nodes.max() < 2


def test_moments_are_exact_up_to_twice_the_steps_less_one():
    # Of a diagonal matrix every vector of signs sees every eigenvalue with the same weight.
    found = of(np.diag(SPECTRUM))
    assert found.dimension == 30
    for power in range(2 * STEPS + 1):
        exact = (SPECTRUM**power).mean()
        moments = (found.weights * found.nodes**power).sum(axis=1)
        if power == 2 * STEPS:
            assert (abs(moments / exact - 1) > 1e-5).all()
        else:
            np.testing.assert_allclose(moments, exact, rtol=1e-12)
            mean, error = found.mean(lambda x, power=power: x**power)
            assert mean == pytest.approx(exact, rel=1e-12)
            assert error < 1e-12 * exact


def test_means_are_unbiased_and_the_first_times_the_rows_is_the_trace():
    matrix = rotated(SPECTRUM)
    found = [of(matrix, jax.random.key(seed)) for seed in range(50)]
    pooled = curvature.Density(
        np.concatenate([each.nodes for each in found]),
        np.concatenate([each.weights for each in found]),
        found[0].dimension,
    )
    for power in (1, 2, 3):
        mean, error = pooled.mean(lambda x, power=power: x**power)
        assert abs(mean - (SPECTRUM**power).mean()) < 3 * error
        assert error < 0.02 * 2.0**power
    trace = curvature.trace(operator(matrix), KEY, probes=30)
    mean, error = pooled.mean(lambda x: x)
    assert abs(30 * mean - trace.value) < 3 * np.hypot(30 * error, trace.standard_error)


def bells(at, eigenvalues, width):
    scaled = (at[:, None] - eigenvalues) / width
    return np.exp(-0.5 * scaled**2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("width", [0.05, 0.5])
def test_the_curve_is_the_spectrum_with_bells_and_its_integral_is_one(width):
    found = of(np.diag(FEW))
    curve = found.curve(found.grid(width), width)
    np.testing.assert_allclose(curve.mean, bells(curve.at, FEW, width), rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.standard_error, 0, atol=1e-12)
    dense = of(rotated(SPECTRUM))
    for each in (found, dense):
        curve = each.curve(each.grid(width), width)
        assert np.trapezoid(curve.mean, curve.at) == pytest.approx(1, abs=1e-8)
        mean = np.trapezoid(curve.mean * curve.at, curve.at)
        assert mean == pytest.approx(each.mean(lambda x: x)[0], abs=1e-7)
        assert curve.mean.min() >= 0


def test_the_cumulative_share_has_steps_where_eigenvalues_are():
    found = of(np.diag(FEW))
    curve = found.cumulative(np.array([-1.0, 0.4, 0.6, 1.9, 2.1, 3.9, 4.1, 100]))
    shares = np.array([0, 0, 20, 20, 29, 29, 30, 30]) / 30
    np.testing.assert_allclose(curve.mean, shares, rtol=0, atol=1e-13)
    np.testing.assert_allclose(curve.standard_error, 0, atol=1e-13)


def test_functions_that_are_not_defined_at_zero_see_eigenvalues_alone():
    found = of(np.diag(FEW))
    for function in (np.log, np.reciprocal):
        assert found.mean(function)[0] == pytest.approx(function(FEW).mean(), rel=1e-12)
    assert found.grid(0.01).min() > 0.4


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-12])
def test_a_multiple_of_the_identity_has_one_eigenvalue(value):
    found = of(value * np.eye(30))
    np.testing.assert_allclose((found.weights * found.nodes).sum(axis=1), value, rtol=1e-12)
    nodes = found.nodes[found.weights > 1e-12]
    np.testing.assert_allclose(nodes, value, rtol=1e-12)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1, 1e15])
def test_eigenvalues_have_no_unit(scale):
    found = of((scale * rotated(SPECTRUM)).astype(np.float32))
    np.testing.assert_allclose(found.nodes / scale, of(rotated(SPECTRUM)).nodes, atol=1e-5)


def test_copies_of_an_eigenvalue_in_single_precision_share_its_weight():
    spectrum = np.r_[np.linspace(0, 1, 119), 1000.0]
    with jax.enable_x64(False):
        operator_of = operator(np.diag(spectrum).astype(np.float32))
        found = curvature.density(operator_of, KEY, steps=60, probes=2)
    near = abs(found.nodes - 1000) < 1
    assert (near.sum(axis=1) >= 2).all()
    np.testing.assert_allclose((found.weights * near).sum(axis=1), 1 / 120, rtol=1e-3)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-12)
    below = found.cumulative(np.array([0.5])).mean
    assert below == pytest.approx(59.5 / 120, abs=0.02)


def test_of_a_network():
    params, data = network(), examples()
    operator = curvature.hessian(LOSS, params, data, batch_size=3)
    found = [curvature.density(operator, jax.random.key(i), **QUADRATURE) for i in range(10)]
    means = np.array([each.mean(np.square)[0] for each in found])
    exact = (dense(params, data) ** 2).sum() / operator.dimension
    assert abs(means.mean() - exact) < 3 * means.std(ddof=1) / np.sqrt(10)


def test_another_matrix_runs_the_same_program():
    counting = Counting(multiply)
    curvature.density(operator(np.diag(FEW), counting), KEY, **QUADRATURE)
    once = counting.traces
    curvature.density(operator(np.diag(SPECTRUM), counting), jax.random.key(1), **QUADRATURE)
    assert counting.traces == once


def test_one_vector_has_no_standard_error():
    found = of(np.diag(FEW))
    single = curvature.Density(found.nodes[:1], found.weights[:1], 30)
    assert np.isnan(single.mean(np.log)[1])
    assert np.isnan(single.cumulative(np.zeros(3)).standard_error).all()


def test_bad_sizes_are_refused():
    with pytest.raises(ConfigError, match="steps is 0: a quadrature needs at least 1"):
        curvature.density(operator(np.eye(3)), KEY, steps=0)
    with pytest.raises(ConfigError, match="probes is 0: an estimate needs at least 1"):
        curvature.density(operator(np.eye(3)), KEY, probes=0)
    found = of(np.diag(FEW))
    for width in (0.0, -1.0, np.nan):
        with pytest.raises(ConfigError, match="a bell needs a positive one"):
            found.curve(np.zeros(3), width)
