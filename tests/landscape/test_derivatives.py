from dataclasses import dataclass

import jax
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.errors import ConfigError, StructureError
from mconn.landscape import MixtureRefresh
from mconn.measure import Execution
from tests.landscape.problem import CLASSIFY, apply, examples, network

TS = np.array([0, 0.25, 0.6, 1], np.float32)


def curve(family, dtype=np.float32):
    path = family(network(0, dtype), network(1, dtype), 1)
    bent = jax.tree.map(np.array, path.controls)
    bent["in"][1] += np.random.default_rng(5).normal(size=(5, 7))
    return paths.ControlledPath(bent, path.basis, path.domain, path.fixed)


def squares(params, batch):
    """A loss in the precision of the network; cross-entropy is taken in single precision."""
    return {"loss": ((apply(params, batch.inputs) - 1) ** 2).sum(axis=-1)}


@jax.jit
def losses(path, t, data):
    return squares(path(t), data)["loss"]


@jax.jit
def gradient(path, t, data):
    return jax.grad(lambda params: CLASSIFY(params, data)["loss"].mean())(path(t))


@pytest.mark.parametrize("family", [paths.bezier, paths.chain])
def test_slopes_are_differences_of_nearby_losses_also_at_the_ends(family):
    with jax.enable_x64(True):
        path, data = curve(family, np.float64), examples(11, dtype=np.float64)
        profile = landscape.evaluate(
            squares, path, TS, data, execution=Execution(batch_size=4), slopes=True
        )
        step = 1e-6
        for row, t in enumerate(np.float64(TS)):
            low, high = max(0.0, t - step), min(1.0, t + step)
            expected = (losses(path, high, data) - losses(path, low, data)) / (high - low)
            np.testing.assert_allclose(profile.values["slope"][row], expected, rtol=1e-4, atol=1e-5)
    assert profile.gradient_norm is None


def test_the_gradient_is_that_of_the_mean_loss_over_all_batches():
    path, data = curve(paths.bezier), examples(11)
    profile = landscape.evaluate(
        CLASSIFY, path, TS, data, execution=Execution(batch_size=3), gradients=True
    )
    for row, t in enumerate(TS):
        leaves = map(np.asarray, jax.tree.leaves(gradient(path, t, data)))
        expected = np.sqrt(sum((leaf**2).sum() for leaf in leaves))
        assert profile.gradient_norm[row] == pytest.approx(expected, rel=1e-4)
    assert profile.values["slope"].shape == (4, 11)
    deviations = profile.values["slope"].std(axis=1, ddof=1) / np.sqrt(11)
    np.testing.assert_allclose(profile.standard_error("slope"), deviations, rtol=1e-5)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shift(MixtureRefresh):
    """Adds a curve in t to the output's bias."""

    def __call__(self, params, batches, mixture):
        return {**params, "bias": params["bias"] + 3 * mixture[1] ** 2}


@dataclass(frozen=True)
class Doubled:
    """Replaces the output's bias by a function of another leaf."""

    def __call__(self, params, batches, mixture=None):
        return {**params, "bias": 2 * params["in"].sum(axis=0)[:3]}


@pytest.mark.parametrize("refresh", [Shift(), Doubled()])
def test_slopes_follow_what_refreshes_the_network(refresh):
    with jax.enable_x64(True):
        path, data = curve(paths.bezier, np.float64), examples(6, dtype=np.float64)
        profile = landscape.evaluate(
            squares, path, TS, data, execution=Execution(refresh=refresh), slopes=True
        )
        step = 1e-6

        @jax.jit
        def refreshed(t):
            return squares(refresh(path(t), None, path.mixture(t)), data)["loss"]

        high, low = (np.asarray(refreshed(t)) for t in (0.25 + step, 0.25 - step))
        expected = (high - low) / (2 * step)
    np.testing.assert_allclose(profile.values["slope"][1], expected, rtol=1e-4, atol=1e-5)


def test_statistics_are_no_parameters_of_the_gradient():
    def loss(params, batch):
        return {"loss": batch * params["w"] + batch * params["batch_stats"]}

    def ends(value):
        return {"w": np.float32(value)[None], "batch_stats": np.float32(value)[None]}

    path = paths.line(ends(1), ends(2))
    data = np.arange(1, 4, dtype=np.float32)
    profile = landscape.evaluate(loss, path, TS, data, gradients=True)
    np.testing.assert_allclose(profile.gradient_norm, data.mean(), rtol=1e-6)


def test_surfaces_have_no_slope_and_a_loss_is_needed():
    triangle = paths.simplex([network(seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="slopes are defined on curves"):
        landscape.evaluate(CLASSIFY, triangle, np.eye(3), examples(4), slopes=True)

    def only_error(params, batch):
        return {"error": CLASSIFY(params, batch)["error"]}

    with pytest.raises(StructureError, match="no metric 'loss' to differentiate"):
        landscape.evaluate(only_error, curve(paths.bezier), TS, examples(4), slopes=True)
