import numpy as np
import pytest

from mconn import landscape, paths
from mconn.errors import DivergenceError
from tests.landscape.problem import CLASSIFY, examples, network

LINE = paths.line({"t": np.float32(0)[None]}, {"t": np.float32(1)[None]})
TS = np.linspace(0, 1, 5)


def losing(*lost):
    """A loss that is infinite for one example at some points, beside an error that is finite."""

    def eval_fn(params, batch):
        t = params["t"]
        bad = sum((t == where) & (batch == 1) for where in lost)
        return {"loss": (1 + t * (1 - t)) / (bad == 0), "error": 0 * batch}

    return landscape.evaluate(eval_fn, LINE, TS, np.arange(3, dtype=np.float32))


def test_a_value_that_is_not_finite_is_kept_and_named():
    profile = losing(0.25, 0.75)
    assert np.isinf(profile.values["loss"][1, 1])
    assert np.isfinite(profile.values["loss"]).sum() == 13
    np.testing.assert_array_equal(profile.not_finite(), [1, 3])
    np.testing.assert_array_equal(profile.not_finite("loss"), [1, 3])
    assert not len(profile.not_finite("error"))


@pytest.mark.parametrize("kind", ["chord", "maximum", "mean", "minimum"])
def test_no_barrier_is_given_of_values_that_are_not_finite(kind):
    profile = losing(0.25, 0.75)
    with pytest.raises(
        DivergenceError, match=r"'loss' is not finite at t = 0\.25 and 1 more point: .*finite\(\)"
    ):
        landscape.barrier(profile, kind)
    with pytest.raises(DivergenceError, match=r"'loss' is not finite at t = 0\.25"):
        landscape.below_chord(profile)
    assert landscape.barrier(profile, "error_mean", resamples=2).value == 0


def test_the_other_points_can_be_measured():
    profile = losing(0.25).finite()
    np.testing.assert_array_equal(profile.t, [0, 0.5, 0.75, 1])
    assert landscape.barrier(profile, resamples=2).value == pytest.approx(0.25)
    assert profile.finite() is profile


def test_an_end_cannot_be_left_out():
    with pytest.raises(DivergenceError, match=r"at the end t = 1\.0, which cannot be left out"):
        losing(0.5, 1.0).finite()


def test_all_parts_of_a_profile_are_taken_alike():
    path, data = paths.line(network(0), network(1)), examples(4)
    profile = landscape.evaluate(CLASSIFY, path, TS, data, gradients=True)
    some = profile.rows(np.array([4, 0]))
    again = landscape.evaluate(CLASSIFY, path, TS[[4, 0]], data, gradients=True)
    for part in ("t", "mixture", "gradient_norm"):
        np.testing.assert_allclose(getattr(some, part), getattr(again, part), rtol=1e-5)
    assert some.values.keys() == profile.values.keys()
