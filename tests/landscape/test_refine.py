import chex
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.errors import ConfigError, DivergenceError
from mconn.measure import Execution
from tests.landscape.problem import apply, examples, network

LINE = paths.line({"t": np.float32(0)[None]}, {"t": np.float32(1)[None]})
COARSE = np.linspace(0, 1, 6)


def bump(params, batch):
    """A loss with a maximum of 2 near t = 0.47, plus what is the same at all t."""
    return {"loss": 2 * jnp.exp(-(((params["t"] - 0.47) / 0.2) ** 2)) + batch}


def noisy_bump(params, batch):
    """The same, of examples whose maxima have different heights."""
    return {"loss": batch * bump(params, jnp.zeros(1))["loss"]}


def exact_barrier():
    t = np.linspace(0, 1, 100_001)
    values = 2 * np.exp(-(((t - 0.47) / 0.2) ** 2))
    return (values - (1 - t) * values[0] - t * values[-1]).max()


def test_the_maximum_of_a_curve_is_found_between_the_points_of_the_grid():
    data = np.random.default_rng(0).normal(size=50).astype(np.float32)
    coarse = landscape.evaluate(bump, LINE, COARSE, data)
    refined = landscape.refine(bump, LINE, COARSE, data)
    assert landscape.barrier(coarse, resamples=1).value < exact_barrier() - 0.15
    assert landscape.barrier(refined, resamples=1).value == pytest.approx(exact_barrier(), abs=1e-4)
    assert np.all(np.diff(refined.t) > 0)
    assert set(np.float32(COARSE)) <= set(refined.t)
    again = landscape.evaluate(bump, LINE, refined.t, data)
    for part in ("mixture", "arc_length"):
        np.testing.assert_allclose(getattr(refined, part), getattr(again, part), atol=1e-6)
    np.testing.assert_allclose(refined.values["loss"], again.values["loss"], atol=1e-6)


def test_it_stops_where_a_round_tells_no_more_than_the_examples_can():
    data = np.random.default_rng(0).normal(1, 0.3, size=50).astype(np.float32)
    refined = landscape.refine(noisy_bump, LINE, COARSE, data, rounds=20)
    estimate = landscape.barrier(refined, resamples=1)
    missing = exact_barrier() * data.mean() - estimate.value
    assert 0 <= missing <= estimate.standard_error
    assert len(refined.t) <= len(COARSE) + 2 * 3


def test_rounds_limit_the_points_added():
    data = np.zeros(3, np.float32)
    refined = landscape.refine(bump, LINE, COARSE, data, rounds=2)
    assert len(refined.t) == len(COARSE) + 4


def test_a_line_without_a_barrier_is_left_as_it_is_after_one_round():
    def descent(params, batch):
        return {"loss": batch - params["t"]}

    refined = landscape.refine(descent, LINE, COARSE, np.zeros(4, np.float32))
    assert len(refined.t) <= len(COARSE) + 2


def test_all_rounds_share_one_program(tmp_path):
    counted = landscape.Classification(chex.assert_max_traces(apply, n=1))
    line = paths.line(network(0), network(1))
    seen = []
    options = {"rounds": 4, "execution": Execution(cells=tmp_path, finished=seen.append)}
    first = landscape.refine(counted, line, COARSE, examples(40), **options)
    assert seen == sorted(seen)
    assert seen[-1] == len(first.t)
    again = landscape.refine(counted, line, COARSE, examples(40), **options)
    np.testing.assert_array_equal(again.values["loss"], first.values["loss"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ts": [0, 0.5, 0.4, 1]}, "must ascend"),
        ({"kind": "area"}, "'area' has no point of the maximum"),
        ({"rounds": 0}, "rounds is 0"),
    ],
)
def test_what_cannot_be_refined_is_refused(wrong, message):
    arguments = {"eval_fn": bump, "path": LINE, "ts": COARSE, "data": np.zeros(3, np.float32)}
    with pytest.raises(ConfigError, match=message):
        landscape.refine(**{**arguments, **wrong})


def test_surfaces_are_refused():
    triangle = paths.simplex([network(seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="a surface has no neighbours"):
        landscape.refine(bump, triangle, np.eye(3), np.zeros(3, np.float32))


def test_a_loss_that_is_not_finite_is_named():
    def broken(params, batch):
        return {"loss": batch / (params["t"] != 0.6)}

    with pytest.raises(DivergenceError, match=r"'loss' is not finite at t = 0\.6"):
        landscape.refine(broken, LINE, COARSE, np.ones(3, np.float32))
