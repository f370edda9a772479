import chex
import jax
import numpy as np
import pytest

from mconn import functions, paths
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import Execution
from tests.functions.networks import apply, divergence, examples, mixed, network, probabilities

TS = np.linspace(0, 1, 5)
A, B = network(0), network(1)


DATA = examples(23)
"""In batches of 10: one program for the whole file."""


def measured(data=DATA, ts=TS, other=B):
    with jax.enable_x64(True):
        return functions.outputs_along(
            apply, paths.line(A, other), ts, data, execution=Execution(batch_size=10)
        )


def test_every_metric_is_its_definition():
    data, found = DATA, measured().profile.values
    ends = [probabilities(each, data.inputs) for each in (A, B)]
    rows = np.arange(23)
    for row, t in enumerate(TS):
        p = probabilities(mixed(t, A, B), data.inputs)
        indicator = np.eye(3)[data.labels]
        expected = {
            "loss": -np.log(p[rows, data.labels]),
            "error": p.argmax(axis=1) != data.labels,
            "brier": ((p - indicator) ** 2).sum(axis=1),
            "confidence": p.max(axis=1),
            "prediction": p.argmax(axis=1),
        }
        for i, q in enumerate(ends):
            mean = (p + q) / 2
            expected |= {
                f"disagreement_{i}": p.argmax(axis=1) != q.argmax(axis=1),
                f"divergence_{i}": divergence(p, q),
                f"ensemble_loss_{i}": -np.log(mean[rows, data.labels]),
                f"ensemble_error_{i}": mean.argmax(axis=1) != data.labels,
            }
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name][row], values, rtol=1e-9, atol=1e-12)


def test_at_an_end_nothing_differs_from_it_and_the_ensemble_gains_nothing():
    found = measured()
    for end, row in ((0, 0), (1, -1)):
        for name in ("divergence", "disagreement"):
            np.testing.assert_array_equal(found.profile.values[f"{name}_{end}"][row], 0)
        gain = found.ensemble_gain(end)
        np.testing.assert_allclose([gain.loss[row], gain.accuracy[row]], 0, atol=1e-12)


def test_disagreement_of_all_pairs_agrees_with_that_to_the_ends():
    found = measured()
    matrix = found.disagreement()
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 0)
    for end, row in ((0, 0), (1, -1)):
        np.testing.assert_allclose(matrix[row], found.profile.mean(f"disagreement_{end}"))


def test_an_ensemble_is_compared_with_the_better_of_its_members():
    found = measured()
    gain, mean = found.ensemble_gain(0), found.profile.mean
    better = np.minimum(mean("loss"), mean("loss")[0])
    np.testing.assert_allclose(gain.loss, better - mean("ensemble_loss_0"), atol=1e-12)
    accuracy = 1 - np.minimum(mean("error"), mean("error")[0])
    np.testing.assert_allclose(gain.accuracy, 1 - mean("ensemble_error_0") - accuracy, atol=1e-12)
    # By Jensen's inequality an ensemble is better than its members are on average.
    values = found.profile.values
    assert np.all(values["ensemble_loss_0"] <= (values["loss"] + values["loss"][0]) / 2 + 1e-12)
    assert gain.loss_error.shape == gain.accuracy_error.shape == TS.shape


def test_another_path_and_other_data_do_not_compile_again():
    counted = chex.assert_max_traces(apply, n=3)
    for seed in range(2):
        path = paths.line(network(seed, np.float32), network(seed + 5, np.float32))
        functions.outputs_along(counted, path, TS, examples(16, seed, np.float32))


def test_what_cannot_be_compared_is_refused():
    triangle = paths.simplex([network(seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="not on the simplex"):
        functions.outputs_along(apply, triangle, np.eye(3), DATA)
    with pytest.raises(ConfigError, match="the ends 0 and 1"):
        measured().ensemble_gain(2)
    with pytest.raises(StructureError, match="end 1 is not among the points"):
        measured(ts=np.array([0.0, 0.5])).ensemble_gain(1)


def test_outputs_that_are_not_finite_are_refused_and_no_class_is_made_up():
    broken = {**B, "bias": np.full(3, np.nan)}
    with pytest.raises(DivergenceError, match="not finite at t = 0"):
        measured(other=broken)
