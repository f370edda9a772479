import jax
import numpy as np
import pytest

from mconn import functions, paths
from mconn.errors import ConfigError, DataError
from tests.functions.networks import apply, examples, mixed, network, probabilities


def by_definition(confidence, correct, bins):
    """ECE over ((k - 1) / bins, k / bins] (Guo et al. 2017, equation 3)."""
    total = 0.0
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_its_definition(bins):
    random = np.random.default_rng(0)
    confidence, correct = random.random(200), random.random(200) < 0.6
    found = functions.reliability(confidence, correct, bins=bins).expected_error()
    assert float(found) == pytest.approx(by_definition(confidence, correct, bins), abs=1e-12)


@pytest.mark.parametrize("binning", ["equal width", "equal mass"])
def test_a_network_that_is_right_as_often_as_it_says_has_no_error(binning):
    levels = np.array([0.25, 0.5, 0.75, 1.0])
    confidence = np.repeat(levels, 100)
    correct = np.concatenate([np.arange(100) < 100 * level for level in levels])
    bins = functions.reliability(confidence, correct, bins=4, binning=binning)
    assert float(bins.expected_error()) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(bins.accuracy, levels)


def test_equal_mass_bins_have_the_same_number_of_examples():
    confidence = np.random.default_rng(0).random(120) ** 4
    bins = functions.reliability(confidence, confidence > 0.5, bins=6, binning="equal mass")
    np.testing.assert_array_equal(bins.count, 20)


def test_the_squared_error_has_no_bias_and_the_plain_one_has():
    random = np.random.default_rng(1)
    squares, plain = [], []
    for _ in range(400):
        confidence = random.random(60)
        bins = functions.reliability(confidence, random.random(60) < confidence, bins=5)
        squares.append(float(bins.squared_error()))
        plain.append(float(bins.expected_error()))
    spread = np.std(squares) / np.sqrt(len(squares))
    assert abs(np.mean(squares)) < 3 * spread
    assert np.mean(plain) > 0.05


@pytest.fixture(scope="module")
def outputs():
    ends = network(0), network(1)
    data = examples(300)
    # Labels drawn from the first network's own probabilities: it is calibrated.
    p = probabilities(ends[0], data.inputs).cumsum(axis=1)
    labels = (np.random.default_rng(3).random((300, 1)) > p).sum(axis=1)
    data = data._replace(labels=np.minimum(labels, 2).astype(np.int32))
    with jax.enable_x64(True):
        found = functions.outputs_along(apply, paths.line(*ends), [0.0, 0.5, 1.0], data)
    return found, ends, data


def test_every_point_has_its_numbers_and_intervals(outputs):
    found, ends, data = outputs
    measured = functions.calibration(found, bins=10, resamples=200)
    rows = np.arange(300)
    for row, t in enumerate((0, 0.5, 1)):
        p = probabilities(mixed(t, *ends), data.inputs)
        correct = p.argmax(axis=1) == data.labels
        expected = {
            "error": by_definition(p.max(axis=1), correct, 10),
            "brier": ((p - np.eye(3)[data.labels]) ** 2).sum(axis=1).mean(),
            "loss": -np.log(p[rows, data.labels]).mean(),
            "accuracy": correct.mean(),
            "confidence": p.max(axis=1).mean(),
        }
        for name, value in expected.items():
            interval = getattr(measured, name)
            assert interval.value[row] == pytest.approx(value, abs=1e-9)
            assert interval.low[row] < interval.high[row]
            if name != "error":
                assert interval.low[row] < value < interval.high[row]
    assert (measured.bins, measured.binning, measured.examples) == (10, "equal width", 300)


def test_a_calibrated_network_is_near_the_floor_and_another_is_above(outputs):
    found, _, _ = outputs
    measured = functions.calibration(found, resamples=200)
    assert measured.error.value[0] < 1.5 * measured.floor[0]
    assert measured.error.value[2] > 3 * measured.floor[2]
    assert abs(measured.squared_error[0]) < 0.01 < measured.squared_error[2]


def test_intervals_are_as_wide_as_standard_errors_say_and_the_same_on_every_run(outputs):
    found, _, _ = outputs
    measured = functions.calibration(found, resamples=1000)
    half = (measured.loss.high - measured.loss.low) / 2
    np.testing.assert_allclose(half, 1.96 * found.profile.standard_error("loss"), rtol=0.15)
    again = functions.calibration(found, resamples=1000)
    np.testing.assert_array_equal(again.error.low, measured.error.low)


def test_bad_input_is_refused(outputs):
    some = np.array([0.5, 0.6])
    with pytest.raises(DataError, match="not a probability"):
        functions.reliability(np.array([0.5, np.nan]), some > 0)
    with pytest.raises(DataError, match="not a probability"):
        functions.reliability(np.array([0.5, 1.2]), some > 0)
    with pytest.raises(DataError, match="no examples"):
        functions.reliability(np.zeros(0), np.zeros(0))
    with pytest.raises(ConfigError, match="at least one"):
        functions.reliability(some, some > 0, bins=0)
    with pytest.raises(ConfigError, match="resamples is 0"):
        functions.calibration(outputs[0], resamples=0)
