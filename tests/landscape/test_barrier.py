import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from mconn import landscape
from mconn.errors import ConfigError, StructureError


def profile(values, t=None, arc_length=None, error=None):
    values = np.asarray(values, np.float32)
    t = np.linspace(0, 1, len(values), dtype=np.float32) if t is None else np.asarray(t, np.float32)
    mixture = np.stack([1 - t, t], axis=1) if t.ndim == 1 else t
    return landscape.Profile(
        t=t,
        mixture=mixture,
        arc_length=np.linspace(0, 2, len(t), dtype=np.float32)
        if arc_length is None
        else np.asarray(arc_length, np.float32),
        values={"loss": values, "error": values if error is None else error},
    )


def constant(means, examples=50):
    return profile(np.repeat(np.asarray(means, np.float32)[:, None], examples, axis=1))


def test_every_kind_on_a_profile_computed_by_hand():
    # Ends 1 and 3; the chord is 1, 1.5, 2, 2.5, 3; highest above it is 4 - 2 at t = .5.
    hump = constant([1, 2, 4, 4.25, 3])
    by_hand = {
        "chord": 2.0,
        "max_endpoint": 1.25,
        "mean_endpoint": 2.25,
        "error_mean": 2.25,
        "accuracy_drop": 2.0,
        "multi": 2.0,
        "area": (0.5 + 2 + 1.75) / 4,
        "maximum": 4.25,
        "saddle": 4.25,
        "minimum": 1.0,
        "mean": 14.25 / 5,
        "integral": (1 / 2 + 2 + 4 + 4.25 + 3 / 2) / 4,
    }
    assert by_hand.keys() == landscape.KINDS.keys()
    for kind, value in by_hand.items():
        estimate = landscape.barrier(hump, kind, resamples=10)
        assert estimate.value == pytest.approx(value, rel=1e-6), kind
        assert estimate.low == pytest.approx(value, rel=1e-5), kind
        assert estimate.standard_error == pytest.approx(0, abs=1e-6), kind
    assert landscape.barrier(hump, "chord").at == 0.5
    assert landscape.barrier(hump, "maximum").at == 0.75
    assert np.isnan(landscape.barrier(hump, "area").at)


losses = arrays.arrays(
    np.float32, st.tuples(st.sampled_from([3, 6]), st.just(4)), elements=st.floats(0, 8, width=16)
)


@settings(max_examples=60, deadline=None)
@given(losses)
def test_relations_between_the_kinds(values):
    measured = profile(values)
    value = {k: landscape.barrier(measured, k, resamples=2).value for k in landscape.KINDS}
    means = measured.mean("loss")
    gap = abs(means[0] - means[-1])
    tolerance = 1e-5
    assert min(value["chord"], value["max_endpoint"], value["mean_endpoint"]) >= -tolerance
    assert value["mean_endpoint"] == pytest.approx(value["max_endpoint"] + gap / 2, abs=tolerance)
    assert abs(value["chord"] - value["mean_endpoint"]) <= gap / 2 + tolerance
    assert value["chord"] >= value["max_endpoint"] - tolerance
    assert value["minimum"] - tolerance <= value["mean"] <= value["maximum"] + tolerance
    assert 0 <= value["area"] <= value["chord"] + tolerance
    assert landscape.below_chord(measured, tolerance=tolerance) == (value["chord"] <= tolerance)


@settings(max_examples=25, deadline=None)
@given(losses, st.floats(0.25, 4), st.floats(0, 5))
def test_the_chord_barrier_is_affine_in_the_loss(values, scale, shift):
    before = landscape.barrier(profile(values), resamples=2).value
    after = landscape.barrier(profile(scale * values + shift), resamples=2).value
    assert after == pytest.approx(scale * before, abs=1e-4)


def test_the_paired_error_ignores_what_examples_share():
    # Every example has its own difficulty; the hump is 1 for all of them, with a little noise.
    generator = np.random.default_rng(0)
    difficulty = 10 * generator.normal(size=4000)
    noise = 0.1 * generator.normal(size=(3, 4000))
    measured = profile(np.array([[0], [1], [0]]) + difficulty + noise)
    estimate = landscape.barrier(measured)
    expected = 0.1 * np.sqrt(1 + 0.5) / np.sqrt(4000)
    assert estimate.standard_error == pytest.approx(expected, rel=0.05)
    assert measured.standard_error("loss")[1] == pytest.approx(10 / np.sqrt(4000), rel=0.05)
    assert estimate.value == pytest.approx(1, abs=4 * expected)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        values = np.array([[0], [1], [0]]) + generator.exponential(size=(3, 80))
        estimate = landscape.barrier(profile(values), resamples=300, level=0.9, seed=trial)
        covered += estimate.low <= 1 <= estimate.high
    assert 0.83 <= covered / 200 <= 0.96


def test_standard_errors_are_those_of_the_differences_of_few_examples():
    """To all digits, so that a division by n in the place of n - 1 is noticed."""
    values = np.random.default_rng(2).normal(size=(3, 5)) + np.array([[0], [4], [0]])
    measured = profile(values)
    differences = values[1] - (values[0] + values[2]) / 2
    centred = differences - differences.mean()
    expected = np.sqrt((centred**2).sum() / 4 / 5)
    assert landscape.barrier(measured).standard_error == pytest.approx(expected, rel=1e-5)
    each = np.sqrt(((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / 4 / 5)
    np.testing.assert_allclose(measured.standard_error("loss"), each, rtol=1e-5)


def test_a_resample_has_the_same_examples_at_every_point():
    """Examples of very different difficulty: unpaired, the interval would be 100 times as wide."""
    difficulty = 10 * np.random.default_rng(3).normal(size=400)
    noise = 0.1 * np.random.default_rng(4).normal(size=(3, 400))
    found = landscape.barrier(profile(np.array([[0], [1], [0]]) + difficulty + noise))
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.standard_error, rel=0.15)


def test_the_same_seed_gives_the_same_interval():
    measured = profile(np.random.default_rng(0).normal(size=(5, 30)))
    assert landscape.barrier(measured, seed=3) == landscape.barrier(measured, seed=3)
    assert landscape.barrier(measured, seed=3).low != landscape.barrier(measured, seed=4).low


def test_pairwise_flat_does_not_mean_flat():
    # 27 l1 l2 l3 vanishes on every edge of the simplex and is one in its middle.
    mixtures = np.array([*np.eye(3), [0.5, 0.5, 0], [0, 0.5, 0.5], [1 / 3] * 3])
    bump = 27 * mixtures.prod(axis=1)
    measured = profile(np.repeat(bump[:, None], 4, axis=1), t=mixtures, arc_length=np.arange(6))
    assert landscape.barrier(measured, "multi").value == pytest.approx(1, rel=1e-5)
    edges = profile(np.repeat(bump[:5, None], 4, axis=1), t=mixtures[:5], arc_length=np.arange(5))
    assert landscape.barrier(edges, "multi").value == pytest.approx(0, abs=1e-7)
    with pytest.raises(ConfigError, match="'area' is defined on curves"):
        landscape.barrier(measured, "area")


def test_unknown_kinds_and_metrics_are_refused():
    measured = constant([1, 2, 1])
    with pytest.raises(ConfigError, match="barrier kind 'hump' is unknown: choose one of chord"):
        landscape.barrier(measured, "hump")
    with pytest.raises(StructureError, match="no metric 'loos', only error, loss"):
        landscape.barrier(measured, metric="loos")
    with pytest.raises(ConfigError, match="'error_mean' is defined on the metric 'error'"):
        landscape.barrier(measured, "error_mean", metric="loss")


def test_a_profile_without_its_ends_is_refused():
    measured = constant([1, 2, 1])
    inner = dataclasses.replace(
        measured,
        t=measured.t[1:],
        mixture=measured.mixture[1:],
        arc_length=measured.arc_length[1:],
        values={"loss": measured.values["loss"][1:]},
    )
    with pytest.raises(StructureError, match="end 0 is not among the points"):
        landscape.barrier(inner)


def test_kinds_over_the_curve_need_points_in_order():
    shuffled = profile(np.ones((3, 4)), t=[0, 1, 0.5])
    with pytest.raises(ConfigError, match="'area' needs points in ascending order"):
        landscape.barrier(shuffled, "area")
    assert landscape.barrier(shuffled, "chord").value == pytest.approx(0, abs=1e-6)


def test_a_path_that_stands_still_has_its_one_value():
    still = profile(np.full((3, 4), 2.5), arc_length=np.zeros(3))
    assert landscape.barrier(still, "integral").value == pytest.approx(2.5)


@pytest.mark.parametrize("wrong", [{"resamples": 0}, {"level": 95.0}])
def test_impossible_intervals_are_refused(wrong):
    with pytest.raises(ConfigError, match="at least one resample"):
        landscape.barrier(constant([1, 2, 1]), **wrong)
