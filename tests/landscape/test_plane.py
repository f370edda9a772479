import jax
import numpy as np
import pytest

from mconn import landscape, paths
from mconn.errors import ConfigError, StructureError
from mconn.measure import Execution
from tests.landscape.problem import CLASSIFY, examples, network

NETWORKS = [network(seed) for seed in range(3)]
PLANE = paths.plane(*NETWORKS)


def flat(params):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)]).astype(np.float64)


def bent():
    """A quadratic Bezier curve whose control points span the plane."""
    controls = jax.tree.map(lambda *leaves: np.stack(leaves), *(NETWORKS[i] for i in (0, 2, 1)))
    straight = paths.bezier(*NETWORKS[:2])
    return paths.ControlledPath(controls, straight.basis, straight.domain, straight.fixed)


def test_coordinates_are_orthonormal():
    where = landscape.coordinates(PLANE)
    vectors = [flat(params) for params in NETWORKS]
    for i in range(3):
        for j in range(3):
            expected = np.linalg.norm(vectors[i] - vectors[j])
            found = np.linalg.norm(where.points[i] - where.points[j])
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    np.testing.assert_array_equal(where.points[0], 0)
    assert where.points[1, 1] == 0
    assert where.points[2, 1] > 0
    np.testing.assert_allclose(where.parameters(where.points), [[0, 0], [1, 0], [0, 1]], atol=1e-12)


def test_a_curve_in_the_plane_is_drawn_where_its_losses_are():
    path, ts, data = bent(), np.linspace(0, 1, 9), examples(20)
    drawn = landscape.project(PLANE, path, ts)
    np.testing.assert_allclose(drawn.distance, 0, atol=1e-5)
    where = landscape.coordinates(PLANE)
    along = landscape.evaluate(CLASSIFY, path, ts, data)
    in_plane = landscape.evaluate(CLASSIFY, PLANE, where.parameters(drawn.xy), data)
    np.testing.assert_allclose(in_plane.mean("loss"), along.mean("loss"), rtol=1e-5)
    steps = np.linalg.norm(np.diff(drawn.xy, axis=0), axis=1)
    np.testing.assert_allclose(np.cumsum(steps), along.arc_length[1:], rtol=1e-5)


def test_a_curve_outside_the_plane_has_its_distance():
    away = network(7)
    found = landscape.project(PLANE, paths.line(NETWORKS[0], away), np.array([0, 0.5, 1]))
    a, b, c, d = map(flat, (*NETWORKS, away))
    basis, _ = np.linalg.qr(np.stack([b - a, c - a], axis=1))
    rest = (d - a) - basis @ (basis.T @ (d - a))
    expected = np.linalg.norm(rest) * np.array([0, 0.5, 1])
    np.testing.assert_allclose(found.distance, expected, rtol=1e-5, atol=1e-5)
    length = np.hypot(np.linalg.norm(found.xy[2]), found.distance[2])
    assert length == pytest.approx(np.linalg.norm(d - a), rel=1e-5)


def test_a_plane_keeps_means_and_standard_errors_as_a_profile_has_them(tmp_path):
    x, y, data = np.linspace(-1, 2, 4), np.linspace(0, 1, 3), examples(23)
    seen = []
    options = {"batch_size": 5, "points_per_call": 5, "cells": tmp_path, "finished": seen.append}
    found = landscape.evaluate_plane(CLASSIFY, PLANE, x, y, data, execution=Execution(**options))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    uv = landscape.coordinates(PLANE).parameters(grid)
    kept = landscape.evaluate(CLASSIFY, PLANE, uv, data)
    for metric in ("loss", "error"):
        assert found.mean[metric].shape == (3, 4)
        np.testing.assert_allclose(found.mean[metric].ravel(), kept.mean(metric), rtol=1e-5)
        np.testing.assert_allclose(
            found.standard_error[metric].ravel(), kept.standard_error(metric), rtol=1e-4
        )
    assert (found.examples, found.normaliser) == (23, "interpolate")
    assert seen[-1] == 12
    again = landscape.evaluate_plane(CLASSIFY, PLANE, x, y, data, execution=Execution(**options))
    np.testing.assert_array_equal(again.mean["loss"], found.mean["loss"])
    assert seen[-1] == 12


def test_a_value_that_is_not_finite_stays_at_its_point():
    def broken(params, batch):
        loss = CLASSIFY(params, batch)["loss"]
        return {"loss": loss / (params["bias"][0] != NETWORKS[0]["bias"][0])}

    where = landscape.coordinates(PLANE)
    x, y = np.array([0, where.points[1, 0]]), np.array([0, 1.0])
    found = landscape.evaluate_plane(broken, PLANE, x, y, examples(6))
    assert not np.isfinite(found.mean["loss"][0, 0])
    assert np.isfinite(found.mean["loss"]).sum() == 3


def test_memory_does_not_grow_with_the_points():
    """What comes back from the device is two numbers per point and metric."""
    data = examples(400)
    sizes = []
    for points in (3, 9):
        x = np.linspace(-1, 1, points)
        found = landscape.evaluate_plane(CLASSIFY, PLANE, x, x, data)
        sizes.append(sum(v.nbytes for v in (*found.mean.values(), *found.standard_error.values())))
    # Two metrics, mean and standard error, four bytes.
    assert sizes == [9 * 16, 81 * 16]


@pytest.mark.parametrize("points", [2, 51])
def test_the_box_holds_the_three_networks(points):
    where = landscape.coordinates(PLANE)
    x, y = landscape.box(where, points, margin=0.1)
    assert len(x) == len(y) == points
    for axis, grid in enumerate((x, y)):
        low, high = where.points[:, axis].min(), where.points[:, axis].max()
        assert grid[0] < low < high < grid[-1]
    with pytest.raises(ConfigError, match="points is 1"):
        landscape.box(where, 1)


def test_random_directions_have_the_norms_of_the_filters():
    params = {
        "conv": {"kernel": np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32)},
        "norm": {"scale": np.ones(5, np.float32), "bias": np.zeros(5, np.float32)},
        "dense": {"kernel": np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)},
    }
    plane = landscape.random_plane(jax.random.key(0), params)
    ends = [jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], plane.controls) for i in range(3)]
    jax.tree.map(np.testing.assert_array_equal, ends[0], params)
    for end in ends[1:]:
        np.testing.assert_array_equal(end["norm"]["scale"], 1)
        np.testing.assert_array_equal(end["norm"]["bias"], 0)
        for name in ("conv", "dense"):
            kernel, moved = params[name]["kernel"], end[name]["kernel"]
            axes = tuple(range(kernel.ndim - 1))
            np.testing.assert_allclose(
                np.sqrt(((moved - kernel) ** 2).sum(axes)),
                np.sqrt((kernel**2).sum(axes)),
                rtol=1e-4,
            )
    where = landscape.coordinates(plane)
    x, y = landscape.centred_box(where, 5)
    assert x[2] == y[2] == 0
    assert x[-1] == pytest.approx(where.points[1, 0])
    # In many dimensions two random directions are nearly orthogonal.
    assert abs(where.points[2, 0]) < 0.3 * where.points[2, 1]


def test_random_directions_follow_the_key():
    first, same, other = (
        landscape.random_plane(jax.random.key(seed), NETWORKS[0]) for seed in (0, 0, 1)
    )
    jax.tree.map(np.testing.assert_array_equal, first.controls, same.controls)
    assert abs(flat(first.controls) - flat(other.controls)).max() > 0.1


def test_what_is_no_plane_is_refused():
    with pytest.raises(StructureError, match="make it with paths"):
        landscape.coordinates(paths.simplex(NETWORKS))
    middle = jax.tree.map(lambda a, b: (a + b) / 2, *NETWORKS[:2])
    for third in (middle, NETWORKS[0], NETWORKS[1]):
        with pytest.raises(StructureError, match="lie on one line"):
            landscape.coordinates(paths.plane(*NETWORKS[:2], third))
    with pytest.raises(StructureError, match="lie on one line"):
        landscape.coordinates(paths.plane(NETWORKS[0], NETWORKS[0], NETWORKS[1]))
    with pytest.raises(StructureError, match="no filter to scale"):
        landscape.random_plane(jax.random.key(0), {"bias": np.ones(3, np.float32)})
