"""Curvature in a direction and along paths, and the barrier that second derivatives miss."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import curvature, landscape, paths, trees
from mconn.curvature.directional import CURVATURE, SECOND, Directional, _green_sum
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.landscape import Classification
from mconn.measure import Execution
from tests import zoo
from tests.curvature.problems import (
    BATCH,
    COUNT,
    LOSS,
    NORMALISED,
    Counting,
    dense,
    examples,
    flat,
    gradient,
    network,
)

TS, FINE = np.linspace(0, 1, 5), np.linspace(0, 1, 101)
STEP = 1e-3
AMOUNTS = np.linspace(0.5, 1.5, 9)
CONTROLS = [network(seed) for seed in range(3)]


def bent():
    return paths.with_controls("bezier", trees.to_numpy(trees.stack(CONTROLS)))


def along(path, loss=LOSS, data=None, ts=TS):
    return curvature.directional_along(
        loss, path, ts, data or examples(), Execution(batch_size=BATCH)
    )


def point(kind, t):
    weights = [1 - t, t, 0] if kind == "line" else [(1 - t) ** 2, 2 * t * (1 - t), t**2]
    return jax.tree.map(lambda *leaves: sum(map(np.multiply, weights, leaves)), *CONTROLS)


def losses(params, data):
    """Of the network of tanh units, on the host."""
    x, layers = data.inputs, params["params"]
    for name in ("Dense_0", "Dense_1"):
        x = np.tanh(x @ layers[name]["kernel"] + layers[name]["bias"])
    x = x @ layers["Dense_2"]["kernel"] + layers["Dense_2"]["bias"]
    return np.log(np.exp(x).sum(axis=1)) - x[np.arange(COUNT), data.labels]


def second_difference(kind, data):
    """The second derivative of every example's loss, of the sixth order in the step."""
    weights = np.array([2, -27, 270, -490, 270, -27, 2]) / 180
    offsets = STEP * np.arange(-3, 4)
    found = [[losses(point(kind, t + offset), data) for offset in offsets] for t in TS[1:-1]]
    return np.einsum("tsn,s->tn", found, weights) / STEP**2


def test_in_a_direction_it_is_the_quotient_with_the_hessian():
    params, direction, data = network(), network(7), examples()
    vector = flat(direction)
    quotients = [
        vector @ dense(params, data, weights=only) @ vector / (vector @ vector)
        for only in np.eye(COUNT)
    ]
    for batch_size in (BATCH, 100):
        found = curvature.directional(LOSS, params, direction, data, batch_size=batch_size)
        np.testing.assert_allclose(found.samples, quotients, rtol=1e-9)
    assert found.value == pytest.approx(np.mean(quotients), rel=1e-10)
    deviation = np.std(found.samples, ddof=1) / np.sqrt(COUNT)
    assert found.standard_error == pytest.approx(deviation)
    assert np.isnan(curvature.SecondDerivative(found.samples[:1]).standard_error)
    half = jax.tree.map(lambda leaf: -0.5 * leaf, direction)
    again = curvature.directional(LOSS, params, half, data)
    np.testing.assert_allclose(again.samples, found.samples, rtol=1e-12)


def test_statistics_are_not_moved():
    params, direction = (network(seed, zoo.normalised) for seed in range(2))
    data = examples()
    found = curvature.directional(NORMALISED, params, direction, data, batch_size=BATCH)
    held = len(flat(direction["batch_stats"]))
    vector = flat(direction)[held:]
    whole = dense(params, data, NORMALISED)[held:, held:]
    assert found.value == pytest.approx(vector @ whole @ vector / (vector @ vector), rel=1e-10)
    path = paths.line(params, direction)
    middle = trees.to_numpy(path(0.5))
    moved = jax.tree.map(np.subtract, direction, params)
    alone = curvature.directional(NORMALISED, middle, moved, data, batch_size=BATCH)
    measured = along(path, NORMALISED, ts=TS[2:3])
    assert measured.curvature()[0] == pytest.approx(alone.value, rel=1e-10)


@pytest.mark.parametrize("kind", ["line", "bent"])
def test_along_a_path_it_is_the_second_derivative_of_the_loss(kind):
    data = examples()
    found = along(paths.line(*CONTROLS[:2]) if kind == "line" else bent())
    values = found.profile.values
    expected = [losses(point(kind, t), data) for t in TS]
    np.testing.assert_allclose(values["loss"], expected, rtol=1e-10)
    second = values[SECOND]
    np.testing.assert_allclose(second[1:-1], second_difference(kind, data), rtol=0, atol=1e-6)
    bend = second - values[CURVATURE]
    a, b, c = map(flat, CONTROLS)
    if kind == "line":
        np.testing.assert_allclose(bend, 0, atol=1e-12)
        np.testing.assert_allclose(found.speed, np.linalg.norm(b - a))
    else:
        assert abs(bend).max(axis=1).min() > 0.3
    for row, t in enumerate(TS):
        params = point(kind, t)
        curved = kind == "bent"
        velocity = 2 * ((1 - t) * (b - a) + t * (c - b)) if curved else b - a
        acceleration = 2 * (a - 2 * b + c) if curved else 0 * a
        slopes = gradient(params, data)
        matrix = dense(params, data)
        here = {name: each[row].mean() for name, each in values.items()}
        # Velocities are taken a millionth inside of the ends.
        expected = velocity @ matrix @ velocity
        assert here["slope"] == pytest.approx(slopes @ velocity, rel=1e-5, abs=1e-5)
        assert here[CURVATURE] == pytest.approx(expected, rel=1e-5, abs=1e-4)
        assert here[SECOND] == pytest.approx(expected + slopes @ acceleration, rel=1e-5, abs=1e-4)
        speed = np.linalg.norm(velocity)
        assert found.speed[row] == pytest.approx(speed, rel=1e-5)
        assert found.curvature()[row] == pytest.approx(here[CURVATURE] / speed**2, rel=1e-5)
        eigenvalues = np.linalg.eigvalsh(matrix)
        assert eigenvalues[0] < found.curvature()[row] < eigenvalues[-1]
    samples = values[CURVATURE] / found.speed[:, None] ** 2
    deviation = samples.std(axis=1, ddof=1) / np.sqrt(COUNT)
    np.testing.assert_allclose(found.standard_error(), deviation, rtol=1e-12)


def test_other_networks_run_the_same_program():
    counting, traces = Counting(LOSS), []
    for seed in range(2):
        a, b, data = network(seed), network(seed + 1), examples(seed)
        curvature.directional(counting, a, b, data, batch_size=BATCH)
        along(paths.line(a, b), counting, data)
        traces.append(counting.traces)
    assert traces[0] == traces[1]


def test_what_has_no_direction_or_is_not_finite_is_refused():
    params, data = network(), examples()
    still = jax.tree.map(np.zeros_like, params)
    with pytest.raises(StructureError, match="the direction is zero: pass one that moves a param"):
        curvature.directional(LOSS, params, still, data)
    with pytest.raises(StructureError, match="of the network is missing in the direction"):
        curvature.directional(LOSS, params, {"params": {}}, data)
    with pytest.raises(ConfigError, match="batch_size is 0: it must be at least 1"):
        curvature.directional(LOSS, params, network(7), data, batch_size=0)
    with pytest.raises(StructureError, match=r"the path stands still at t = 0\.0, where it has no"):
        along(paths.line(params, params))
    with pytest.raises(ConfigError, match="those of curves, not of the simplex"):
        along(paths.simplex(CONTROLS), ts=np.eye(3))
    broken = jax.tree.map(lambda leaf: np.nan * leaf, params)
    for pair in ((broken, network(7)), (params, broken)):
        with pytest.raises(DivergenceError, match="second derivative of an example's loss is not"):
            curvature.directional(LOSS, *pair, data)
    with pytest.raises(DivergenceError, match="'second derivative' is not finite at t = "):
        along(paths.line(params, broken))


def turned(params):
    """The same function with the hidden units in the opposite order."""
    first, second, last = params["params"].values()
    return {
        "params": {
            "Dense_0": {"kernel": first["kernel"][:, ::-1], "bias": first["bias"][::-1]},
            "Dense_1": {"kernel": second["kernel"][::-1, ::-1], "bias": second["bias"][::-1]},
            "Dense_2": {"kernel": last["kernel"][::-1], "bias": last["bias"]},
        }
    }


def between_copies(apply):
    """A network and itself with its units in another order: the same function, and a barrier."""
    params = jax.tree.map(lambda leaf: 1.5 * leaf, network(1, apply))
    data = zoo.examples(40)
    labels = np.asarray(apply(params, data.inputs)).argmax(axis=1).astype(np.int32)
    data = dataclasses.replace(data, inputs=data.inputs.astype(np.float64), labels=labels)
    path = paths.line(params, turned(params))
    return curvature.directional_along(Classification(apply), path, FINE, data)


@pytest.fixture(scope="module")
def smooth():
    with jax.enable_x64(True):
        return between_copies(zoo.tanh_mlp)


@pytest.fixture(scope="module")
def rectified():
    with jax.enable_x64(True):
        return between_copies(zoo.mlp)


def bend(params, batch):
    """A parabola of the height 0.3, and a kink of the height 0.5 in the middle."""
    w = params["w"]
    height = 1.2 * w * (1 - w) + w - 2 * jnp.maximum(w - 0.5, 0)
    return {"loss": 3 * w + batch * height}


def kinked(data=AMOUNTS):
    path = paths.line({"w": np.float64(0)}, {"w": np.float64(1)})
    return curvature.directional_along(bend, path, FINE, data)


def test_the_height_is_the_green_sum_of_second_differences_with_kinks_and_without(
    smooth, rectified
):
    for measured in (smooth, rectified, kinked()):
        losses = measured.profile.mean("loss")
        height = losses - (1 - FINE) * losses[0] - FINE * losses[-1]
        found = curvature.kinks(measured)
        np.testing.assert_allclose(found.height, height, rtol=0, atol=1e-12)
        differences = landscape.second_differences(measured.profile)
        at_ends = np.r_[0, differences.curvature, 0]
        np.testing.assert_allclose(_green_sum(at_ends), height, rtol=0, atol=1e-12)
        assert found.barrier == found.height.max() > 0.1
        assert found.top == found.height.argmax()


def test_of_a_smooth_network_second_derivatives_explain_the_barrier(smooth):
    found = curvature.kinks(smooth)
    assert abs(found.missed) < 0.01
    assert abs(found.missed) < 1.5 * found.quadrature_error < 0.01
    np.testing.assert_allclose(found.smooth, found.height, atol=0.01 * found.barrier)


def test_of_rectifiers_they_do_not(rectified):
    found = curvature.kinks(rectified)
    assert found.missed > 0.5
    assert found.missed > 20 * found.quadrature_error
    assert found.missed > 3 * found.missed_standard_error


def test_a_kink_of_known_height_is_what_is_missed():
    found = curvature.kinks(kinked())
    assert found.barrier == pytest.approx(0.8)
    assert found.top == 50
    assert found.missed == pytest.approx(0.5 / 0.8)
    np.testing.assert_allclose(found.smooth, 1.2 * FINE * (1 - FINE), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.coarse, found.smooth[::2], rtol=0, atol=1e-12)
    assert found.quadrature_error < 1e-12
    deviation = 0.5 * np.std(AMOUNTS, ddof=1) / 3
    assert found.standard_error[50] == pytest.approx(deviation)
    assert found.missed_standard_error == pytest.approx(deviation / 0.8)


def test_the_error_of_the_sum_is_a_third_of_what_half_of_the_points_change():
    profile = kinked().profile
    second = np.broadcast_to(-(np.pi**2) * np.sin(np.pi * FINE)[:, None], (101, 9))
    losses = np.broadcast_to(np.sin(np.pi * FINE)[:, None], (101, 9))
    values = {**profile.values, "loss": losses, SECOND: second}
    found = curvature.kinks(Directional(dataclasses.replace(profile, values=values), np.ones(101)))
    error = abs(found.smooth - found.height).max()
    assert 0 < error < 1e-3
    assert found.quadrature_error == pytest.approx(error, rel=1e-3)
    assert abs(found.missed) == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("steps", [2, 3, 101])
def test_a_grid_without_every_second_point_is_refused(steps):
    rows = np.round(np.linspace(0, 100, steps + 1)).astype(int)
    profile = kinked().profile.rows(rows)
    profile = dataclasses.replace(profile, t=np.linspace(0, 1, steps + 1))
    with pytest.raises(StructureError, match=f"the grid has {steps} steps: pass an even number"):
        curvature.kinks(Directional(profile, np.ones(steps + 1)))


def test_other_points_and_losses_without_a_barrier_are_refused():
    measured = kinked()
    with pytest.raises(ConfigError, match="equispaced points"):
        curvature.kinks(Directional(measured.profile.rows(np.r_[0:50, 51:101]), measured.speed))
    with pytest.raises(StructureError, match="no barrier to explain"):
        curvature.kinks(kinked(-AMOUNTS))
    with pytest.raises(DivergenceError, match="'second derivative' is not finite"):
        kinked(np.nan * AMOUNTS)
