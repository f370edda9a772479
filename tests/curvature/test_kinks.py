import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from mconn import curvature, landscape, paths
from mconn.curvature.directional import SECOND, Directional
from mconn.curvature.kinks import green_sum
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.landscape import Classification
from tests.curvature.networks import MODEL, RECTIFIED, examples, network, turned

TS = np.linspace(0, 1, 101)
AMOUNTS = np.linspace(0.5, 1.5, 9)


def between_copies(model):
    """A network and itself with its units in another order: the same function, and a barrier."""
    params, data = network(1, model), examples(40)
    labels = np.asarray(model.apply(params, data.inputs)).argmax(axis=1).astype(np.int32)
    path = paths.line(params, turned(params))
    loss = Classification(model.apply)
    return curvature.directional_along(loss, path, TS, data._replace(labels=labels))


def bend(params, batch):
    """A parabola of the height 0.3, and a kink of the height 0.5 in the middle."""
    w = params["w"]
    height = 1.2 * w * (1 - w) + w - 2 * jnp.maximum(w - 0.5, 0)
    return {"loss": 3 * w + batch * height}


def bent(ts=TS, data=AMOUNTS, end=1.0):
    path = paths.line({"w": np.float64(0)}, {"w": np.float64(end)})
    return curvature.directional_along(bend, path, ts, data)


def test_the_height_is_the_green_sum_of_second_differences_with_kinks_and_without():
    for along in (between_copies(MODEL), between_copies(RECTIFIED), bent()):
        losses = along.profile.mean("loss")
        height = losses - (1 - TS) * losses[0] - TS * losses[-1]
        found = curvature.kinks(along)
        np.testing.assert_allclose(found.height, height, rtol=0, atol=1e-12)
        differences = landscape.second_differences(along.profile)
        at_ends = np.r_[0, differences.curvature, 0]
        np.testing.assert_allclose(green_sum(at_ends), height, rtol=0, atol=1e-12)
        assert found.barrier == height.max() > 0.1
        assert found.top == height.argmax()


def test_of_a_smooth_network_second_derivatives_explain_the_barrier():
    found = curvature.kinks(between_copies(MODEL))
    assert abs(found.missed) < 0.01
    assert abs(found.missed) < 1.5 * found.quadrature_error < 0.01
    np.testing.assert_allclose(found.smooth, found.height, atol=0.01 * found.barrier)


def test_of_rectifiers_they_do_not():
    found = curvature.kinks(between_copies(RECTIFIED))
    assert found.missed > 0.5
    assert found.missed > 20 * found.quadrature_error
    assert found.missed > 3 * found.missed_standard_error


def test_a_kink_of_known_height_is_what_is_missed():
    found = curvature.kinks(bent())
    assert found.barrier == pytest.approx(0.8)
    assert found.top == 50
    assert found.missed == pytest.approx(0.5 / 0.8)
    np.testing.assert_allclose(found.smooth, 1.2 * TS * (1 - TS), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.coarse, found.smooth[::2], rtol=0, atol=1e-12)
    assert found.quadrature_error < 1e-12
    deviation = 0.5 * np.std(AMOUNTS, ddof=1) / 3
    assert found.standard_error[50] == pytest.approx(deviation)
    assert found.missed_standard_error == pytest.approx(deviation / 0.8)


def test_the_error_of_the_sum_is_a_third_of_what_half_of_the_points_change():
    profile = bent().profile
    second = np.broadcast_to(-(np.pi**2) * np.sin(np.pi * TS)[:, None], (101, 9))
    losses = np.broadcast_to(np.sin(np.pi * TS)[:, None], (101, 9))
    values = {**profile.values, "loss": losses, SECOND: second}
    along = Directional(dataclasses.replace(profile, values=values), np.ones(101))
    found = curvature.kinks(along)
    error = abs(found.smooth - found.height).max()
    assert 0 < error < 1e-3
    assert found.quadrature_error == pytest.approx(error, rel=1e-3)
    assert abs(found.missed) == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("steps", [2, 3, 101])
def test_a_grid_without_every_second_point_is_refused(steps):
    along = bent()
    rows = np.round(np.linspace(0, 100, steps + 1)).astype(int) if steps < 101 else None
    profile = along.profile
    if rows is not None:
        profile = dataclasses.replace(profile.rows(rows), t=np.linspace(0, 1, steps + 1))
    else:
        more = np.r_[0:101, 100]
        profile = dataclasses.replace(profile.rows(more), t=np.linspace(0, 1, 102))
    with pytest.raises(StructureError, match=f"the grid has {steps} steps: pass an even number"):
        curvature.kinks(Directional(profile, np.ones(steps + 1)))


def test_other_points_and_losses_without_a_barrier_are_refused():
    along = bent()
    with pytest.raises(ConfigError, match="equispaced points"):
        curvature.kinks(Directional(along.profile.rows(np.r_[0:50, 51:101]), along.speed))
    with pytest.raises(StructureError, match="no barrier to explain"):
        curvature.kinks(bent(data=-AMOUNTS))
    with pytest.raises(DivergenceError, match="'second derivative' is not finite"):
        bent(data=np.nan * AMOUNTS)
