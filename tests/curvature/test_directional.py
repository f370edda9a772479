import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import curvature, paths, trees
from mconn.curvature.directional import CURVATURE, SECOND
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.landscape import Classification
from mconn.landscape.program import SLOPE
from tests.curvature.networks import LOSS, NORMALISED, Counting, dense, examples, flat, network

TS = np.linspace(0, 1, 5)
STEP = 1e-3


def line():
    return paths.line(network(0), network(1))


def bent():
    controls = [network(seed) for seed in range(3)]
    return paths.with_controls("bezier", trees.to_numpy(trees.stack(controls)))


@jax.jit
def losses_at(path, ts, data):
    return jax.lax.map(lambda t: LOSS(path(t), data)["loss"], ts)


def second_difference(path, data):
    """The second derivative of every example's loss, of the sixth order in the step."""
    offsets, weights = np.arange(-3, 4), np.array([2, -27, 270, -490, 270, -27, 2]) / 180
    ts = (TS[1:-1, None] + STEP * offsets).ravel()
    losses = np.asarray(losses_at(path, jnp.asarray(ts), data)).reshape(len(TS) - 2, 7, -1)
    return np.einsum("tsn,s->tn", losses, weights) / STEP**2


def test_in_a_direction_it_is_the_quotient_with_the_hessian():
    params, direction, data = network(), network(7), examples()
    vector = flat(direction)
    for batch_size in (3, 100):
        found = curvature.directional(LOSS, params, direction, data, batch_size=batch_size)
        expected = [
            vector @ dense(params, jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], data)) @ vector
            for i in range(7)
        ]
        np.testing.assert_allclose(found.samples, expected / (vector @ vector), rtol=1e-10)
    quotient = vector @ dense(params, data) @ vector / (vector @ vector)
    assert found.value == pytest.approx(quotient, rel=1e-12)
    deviation = np.std(found.samples, ddof=1) / np.sqrt(7)
    assert found.standard_error == pytest.approx(deviation)
    half = jax.tree.map(lambda leaf: -0.5 * leaf, direction)
    again = curvature.directional(LOSS, params, half, data)
    np.testing.assert_allclose(again.samples, found.samples, rtol=1e-12)


def test_one_example_has_no_standard_error():
    found = curvature.directional(LOSS, network(), network(7), examples(1))
    assert np.isnan(found.standard_error)


def test_statistics_in_a_direction_are_not_used():
    loss = Classification(NORMALISED.apply)
    params, direction = (network(seed, NORMALISED) for seed in range(2))
    data = examples()
    found = curvature.directional(loss, params, direction, data)
    held = len(flat(direction["batch_stats"]))
    vector = flat(direction)[held:]
    whole = dense(params, data, loss)[held:, held:]
    assert found.value == pytest.approx(vector @ whole @ vector / (vector @ vector), rel=1e-10)


@pytest.mark.parametrize("make", [line, bent])
def test_along_a_path_it_is_the_second_derivative_of_the_loss(make):
    path, data = make(), examples()
    found = curvature.directional_along(LOSS, path, TS, data, batch_size=3)
    profile = found.profile
    losses = losses_at(path, jnp.asarray(TS), data)
    np.testing.assert_allclose(profile.values["loss"], losses, rtol=1e-12)
    second = profile.values[SECOND]
    np.testing.assert_allclose(second[1:-1], second_difference(path, data), rtol=0, atol=1e-6)
    bend = second - profile.values[CURVATURE]
    if make is line:
        np.testing.assert_allclose(bend, 0, atol=1e-12)
        np.testing.assert_allclose(found.speed, trees.distance(network(0), network(1)))
    else:
        assert abs(bend).max(axis=1).min() > 1


def test_along_a_curve_velocity_and_acceleration_are_those_of_the_curve_up_to_its_ends():
    path, data = bent(), examples()
    a, b, c = (flat(network(seed)) for seed in range(3))
    found = curvature.directional_along(LOSS, path, TS, data, batch_size=3)
    for row, t in enumerate(TS):
        params = path(t)
        velocity = 2 * ((1 - t) * (b - a) + t * (c - b))
        acceleration = 2 * (a - 2 * b + c)
        gradient = flat(jax.grad(lambda params: LOSS(params, data)["loss"].mean())(params))
        here = {name: values[row].mean() for name, values in found.profile.values.items()}
        # Velocities are taken a millionth inside of the ends.
        expected = velocity @ dense(params, data) @ velocity
        assert here[SLOPE] == pytest.approx(gradient @ velocity, rel=1e-5, abs=1e-5)
        assert here[CURVATURE] == pytest.approx(expected, rel=1e-5, abs=1e-4)
        assert here[SECOND] == pytest.approx(expected + gradient @ acceleration, rel=1e-5, abs=1e-4)
        speed = np.linalg.norm(velocity)
        assert found.speed[row] == pytest.approx(speed, rel=1e-5)
        assert found.curvature()[row] == pytest.approx(here[CURVATURE] / speed**2, rel=1e-5)


def test_the_curvature_lies_between_the_extreme_eigenvalues_and_has_an_error():
    path, data = line(), examples()
    found = curvature.directional_along(LOSS, path, TS, data, batch_size=3)
    for row, t in enumerate(TS):
        eigenvalues = np.linalg.eigvalsh(dense(path(t), data))
        assert eigenvalues[0] < found.curvature()[row] < eigenvalues[-1]
    samples = found.profile.values[CURVATURE] / found.speed[:, None] ** 2
    deviation = samples.std(axis=1, ddof=1) / np.sqrt(7)
    np.testing.assert_allclose(found.standard_error(), deviation, rtol=1e-12)


def test_statistics_do_not_move_along_a_path():
    loss = Classification(NORMALISED.apply)
    ends, data = [network(seed, NORMALISED) for seed in range(2)], examples()
    found = curvature.directional_along(loss, paths.line(*ends), TS[1:2], data)
    middle = trees.to_numpy(paths.line(*ends)(TS[1]))
    direction = jax.tree.map(np.subtract, *ends)
    alone = curvature.directional(loss, middle, direction, data)
    assert found.curvature()[0] == pytest.approx(alone.value, rel=1e-10)


def test_other_networks_run_the_same_program():
    counting = Counting(LOSS)

    def measure(seed):
        a, b, data = network(seed), network(seed + 1), examples(seed=seed)
        curvature.directional(counting, a, b, data, batch_size=3)
        curvature.directional_along(counting, paths.line(a, b), TS, data, batch_size=3)

    measure(0)
    once = counting.traces
    measure(1)
    assert counting.traces == once


def test_what_has_no_direction_is_refused():
    params, data = network(), examples()
    still = jax.tree.map(np.zeros_like, params)
    with pytest.raises(StructureError, match="the direction is zero: pass one that moves a param"):
        curvature.directional(LOSS, params, still, data)
    with pytest.raises(StructureError, match="of the network is missing in the direction"):
        curvature.directional(LOSS, params, {"params": {}}, data)
    with pytest.raises(ConfigError, match="batch_size is 0: it must be at least 1"):
        curvature.directional(LOSS, params, network(7), data, batch_size=0)
    standing = paths.line(params, params)
    with pytest.raises(StructureError, match=r"the path stands still at t = 0\.0, where it has no"):
        curvature.directional_along(LOSS, standing, TS, data, batch_size=3)
    corners = [network(seed) for seed in range(3)]
    with pytest.raises(ConfigError, match="those of curves, not of the simplex"):
        curvature.directional_along(LOSS, paths.simplex(corners), np.eye(3), data)


def test_what_is_not_finite_is_refused():
    params, data = network(), examples()
    broken = jax.tree.map(lambda leaf: np.nan * leaf, params)
    with pytest.raises(DivergenceError, match="second derivative of an example's loss is not fin"):
        curvature.directional(LOSS, broken, network(7), data)
    with pytest.raises(DivergenceError, match="second derivative of an example's loss is not fin"):
        curvature.directional(LOSS, params, broken, data)
    with pytest.raises(DivergenceError, match="'second derivative' is not finite at t = "):
        curvature.directional_along(LOSS, paths.line(params, broken), TS, data, batch_size=3)
