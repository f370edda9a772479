import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import functions, paths
from mconn.errors import ConfigError, DivergenceError
from mconn.measure import Execution
from tests.functions.networks import (
    Examples,
    apply,
    divergence,
    examples,
    mixed,
    network,
    probabilities,
)

A, B = network(0), network(1)


def energy(points, data, path=None, **options):
    with jax.enable_x64(True):
        path = paths.line(A, B) if path is None else path
        ts = np.linspace(0, 1, points)
        return functions.path_energy(apply, path, ts, data, execution=Execution(**options))


def test_it_is_the_sum_over_steps_of_the_divergence():
    data = examples(23)
    found = energy(5, data, batch_size=10)
    outputs = [probabilities(mixed(t, A, B), data.inputs) for t in np.linspace(0, 1, 5)]
    steps = np.array([divergence(*pair) for pair in itertools.pairwise(outputs)])
    np.testing.assert_allclose(found.steps, steps, rtol=1e-9, atol=1e-14)
    assert found.energy() == pytest.approx(steps.sum(axis=0).mean(), rel=1e-12)
    expected = steps.sum(axis=0).std(ddof=1) / np.sqrt(23)
    assert found.standard_error() == pytest.approx(expected, rel=1e-12)
    angle = 2 * np.arccos(np.sqrt(outputs[0] * outputs[-1]).sum(axis=1))
    np.testing.assert_allclose(found.geodesic, angle**2, rtol=1e-9)


def test_short_steps_converge_to_the_fisher_information_about_t():
    data = examples(6)
    path = paths.line(A, B)
    ts = (np.arange(512) + 0.5) / 512

    def speeds(t):
        (p,), (moving,) = jax.jvp(
            lambda t: (jax.nn.softmax(apply(path(t), data.inputs)),), (t,), (1.0,)
        )
        return (moving**2 / p).sum(axis=-1)

    with jax.enable_x64(True):
        information = float(jax.jit(jax.vmap(speeds))(jnp.asarray(ts)).mean())
    errors = [abs(energy(n + 1, data).motion() - information) for n in (32, 64, 128)]
    assert errors[2] < 1e-3 * information
    # Of second order in the length of a step.
    np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 4, rtol=0.1)
    # Of nearly equal steps the energy itself falls like one over their number.
    assert 128 * energy(129, data).energy() == pytest.approx(information / 8, rel=2e-3)


def test_no_path_is_shorter_than_the_geodesic_and_a_constant_one_has_no_energy():
    data = examples(12)
    assert energy(65, data).excess() > 0
    with jax.enable_x64(True):
        at_rest = energy(9, data, paths.line(A, A))
    assert 0 <= at_rest.energy() <= at_rest.motion() < 1e-25
    np.testing.assert_allclose(at_rest.geodesic, 0, atol=1e-12)


def test_a_geodesic_walked_at_constant_speed_has_no_excess():
    """The square roots of two probabilities on an arc: (cos, sin)."""

    def on_an_arc(params, inputs):
        angle = params["angle"] * inputs[:, 0]
        return 2 * jnp.log(jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1))

    ends = [{"angle": np.array(angle)} for angle in (0.3, 1.1)]
    data = Examples(np.ones((2, 1)), np.zeros(2, np.int32))
    with jax.enable_x64(True):
        found = functions.path_energy(on_an_arc, paths.line(*ends), np.linspace(0, 1, 65), data)
    np.testing.assert_allclose(found.geodesic, (2 * 0.8) ** 2, rtol=1e-6)
    assert abs(found.excess()) < 1e-3 * found.motion()


def test_what_is_no_chain_is_refused():
    data = examples(4)
    for ts in ([0.0], [0.5, 0.2], [0.0, 0.0, 1.0]):
        with pytest.raises(ConfigError, match="ascending order"):
            functions.path_energy(apply, paths.line(A, B), ts, data)
    triangle = paths.simplex([network(seed) for seed in range(3)])
    with pytest.raises(ConfigError, match="not on the simplex"):
        functions.path_energy(apply, triangle, [0.0, 1.0], data)


def test_outputs_that_are_not_finite_are_refused():
    broken = {**B, "bias": np.full(3, np.inf)}
    with pytest.raises(DivergenceError, match="'step' is not finite"):
        functions.path_energy(apply, paths.line(A, broken), [0.0, 1.0], examples(4))
