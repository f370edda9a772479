import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import landscape, paths
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import Execution
from tests.landscape.problem import CLASSIFY, apply, examples, network

TS = np.linspace(0, 1, 9)


def exact_loss(params, batch):
    """Cross-entropy in the precision of the network."""
    logits = apply(params, batch.inputs)
    chosen = jnp.take_along_axis(logits, batch.labels[:, None], axis=-1)[:, 0]
    return {"loss": jax.nn.logsumexp(logits, axis=-1) - chosen}


def height(profile, metric="loss"):
    means = profile.mean(metric)
    chord = profile.mixture.astype(np.float64) @ means[profile.ends()]
    return means - chord


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), family=st.sampled_from([paths.line, paths.bezier]))
def test_the_terms_of_the_logits_add_up_to_the_height_and_bound_it(seed, family):
    with jax.enable_x64(True):
        data = examples(12, seed, np.float64)
        path = family(network(seed, np.float64), network(seed + 1, np.float64))
        found = landscape.linearise_logits(apply, path, TS, data)
        profile = landscape.evaluate(exact_loss, path, TS, data)
    np.testing.assert_allclose(found.height(), height(profile), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        found.profile.values["loss"], profile.values["loss"], rtol=0, atol=1e-12
    )
    value = landscape.barrier(found.profile, resamples=1).value
    assert value <= found.bound() + 1e-9
    assert found.bound() <= found.loose_bound() + 1e-12
    assert found.profile.values["convexity"].min() >= -1e-12


def test_in_single_precision_the_terms_explain_the_barrier_to_rounding():
    path, data = paths.line(network(0), network(1)), examples(40)
    found = landscape.linearise_logits(apply, path, TS, data, execution=Execution(batch_size=16))
    profile = landscape.evaluate(CLASSIFY, path, TS, data)
    np.testing.assert_allclose(found.height(), height(profile), atol=1e-5)
    np.testing.assert_allclose(found.profile.arc_length, profile.arc_length, rtol=1e-6)
    assert found.profile.standard_error("difference").shape == TS.shape


def test_a_network_linear_in_its_parameters_has_no_bound_and_no_barrier():
    def linear(params, inputs):
        return inputs @ params["w"]

    generator = np.random.default_rng(0)
    ends = [{"w": generator.normal(size=(5, 3)).astype(np.float32)} for _ in range(2)]
    found = landscape.linearise_logits(linear, paths.line(*ends), TS, examples(20))
    assert found.bound() == pytest.approx(0, abs=1e-5)
    assert np.all(found.height() <= 1e-6)


def test_logits_are_linearised_on_curves_with_their_ends():
    triangle = paths.simplex([network(seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="on curves, not on the simplex"):
        landscape.linearise_logits(apply, triangle, np.eye(3), examples(4))
    line = paths.line(network(0), network(1))
    with pytest.raises(StructureError, match="end 1 is not among the points"):
        landscape.linearise_logits(apply, line, np.array([0, 0.5]), examples(4))


def profile_of(values):
    t = np.linspace(0, 1, len(values), dtype=np.float32)
    return landscape.Profile(
        t=t, mixture=np.stack([1 - t, t], axis=1), arc_length=t, values={"loss": values}
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_second_differences_give_the_heights_exactly_and_bound_the_barrier(steps, seed):
    values = np.random.default_rng(seed).normal(size=(steps + 1, 4)).cumsum(axis=0)
    profile = profile_of(values)
    found = landscape.second_differences(profile)
    means, t = profile.mean("loss"), np.arange(steps + 1) / steps
    expected = means - ((1 - t) * means[0] + t * means[-1])
    np.testing.assert_allclose(found.height, expected, rtol=0, atol=1e-12 * steps)
    assert landscape.barrier(profile, resamples=1).value <= found.bound() + 1e-6


def test_a_parabola_attains_the_bound():
    t = np.linspace(0, 1, 11)
    profile = profile_of(np.repeat((4 * t * (1 - t))[:, None], 3, axis=1))
    found = landscape.second_differences(profile)
    np.testing.assert_allclose(found.curvature, -8)
    np.testing.assert_allclose(found.standard_error, 0, atol=1e-9)
    assert found.bound() == pytest.approx(1)


def test_kinks_are_seen():
    """A tent has no second derivative wherever there is one, and a barrier."""
    t = np.linspace(0, 1, 11)
    profile = profile_of(np.repeat((1 - abs(2 * t - 1))[:, None], 3, axis=1))
    found = landscape.second_differences(profile)
    assert found.height.max() == pytest.approx(1)
    assert np.count_nonzero(abs(found.curvature) > 1e-5) == 1


def test_only_equispaced_curves_of_finite_values_have_second_differences():
    profile = profile_of(np.random.default_rng(0).normal(size=(5, 3)))
    for rows in ([0, 1, 2, 4], [1, 2, 3], [0, 4], [4, 3, 2, 1, 0]):
        with pytest.raises(ConfigError, match="equispaced points"):
            landscape.second_differences(profile.rows(np.array(rows)))
    triangle = landscape.Profile(
        t=np.eye(3), mixture=np.eye(3), arc_length=np.arange(3.0), values={"loss": np.ones((3, 2))}
    )
    with pytest.raises(ConfigError, match="equispaced points"):
        landscape.second_differences(triangle)
    profile.values["loss"][2, 1] = np.inf
    with pytest.raises(DivergenceError, match=r"'loss' is not finite at t = 0\.5"):
        landscape.second_differences(profile)
