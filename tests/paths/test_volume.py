import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import paths, trees
from mconn.errors import ConfigError, StructureError
from mconn.paths import LogVolume, log_volume
from mconn.paths.complexes import volume_from_distances

from_distances = jax.jit(volume_from_distances)


def points(coordinates):
    """Networks of two leaves with these coordinates."""
    return [{"kernel": row[:3].copy(), "bias": row[3:].copy()} for row in coordinates]


def cayley_menger(squared):
    """The volume by the bordered determinant (Menger 1928), as an independent formula."""
    k = len(squared)
    bordered = np.ones((k + 1, k + 1))
    bordered[:k, :k], bordered[k, k] = squared, 0
    determinant = abs(np.linalg.det(bordered))
    return math.sqrt(determinant / (math.factorial(k - 1) ** 2 * 2 ** (k - 1)))


@pytest.mark.parametrize("vertices", range(2, 9))
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_regular_simplexes_have_the_known_volume(vertices, dtype, tolerance):
    side = 3.0
    coordinates = (np.eye(vertices, 10) * side / math.sqrt(2) + 0.25).astype(dtype)
    expected = (
        side ** (vertices - 1)
        * math.sqrt(vertices)
        / (math.factorial(vertices - 1) * math.sqrt(2 ** (vertices - 1)))
    )
    with jax.enable_x64(dtype == np.float64):
        found = log_volume(paths.simplex(points(coordinates)))
        assert found.dtype == dtype
        assert float(found) == pytest.approx(math.log(expected), rel=tolerance, abs=tolerance)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), vertices=st.integers(2, 5))
def test_any_simplex_has_the_volume_of_cayley_and_menger(seed, vertices):
    coordinates = np.random.default_rng(seed).normal(size=(vertices, 6))
    squared = ((coordinates[:, None] - coordinates) ** 2).sum(-1)
    with jax.enable_x64(True):
        found = np.exp(log_volume(paths.simplex(points(coordinates))))
        assert float(found) == pytest.approx(cayley_menger(squared), rel=1e-8)
        assert float(from_distances(jnp.asarray(squared))) == pytest.approx(float(found), rel=1e-8)


def test_volumes_of_networks_far_from_the_origin_do_not_cancel():
    coordinates = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    # Numbers that are exact after the shift.
    coordinates = np.round(coordinates * 2**8) / 2**8
    near, far = (log_volume(paths.simplex(points(coordinates + s))) for s in (0, 2**9))
    assert float(near) == pytest.approx(float(far), abs=1e-6)


def test_a_volume_that_overflows_has_a_logarithm():
    coordinates = np.eye(8, 10, dtype=np.float32) * 1e6
    expected = 7 * math.log(1e6 * math.sqrt(2)) + 0.5 * math.log(8)
    expected -= math.lgamma(8) + 3.5 * math.log(2)
    assert float(log_volume(paths.simplex(points(coordinates)))) == pytest.approx(expected)


def test_a_flat_simplex_has_no_volume_and_a_penalty_with_a_slope():
    coordinates = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0.5, 0, 0, 0]], np.float32)
    path = paths.simplex(points(coordinates))
    assert float(log_volume(path)) == -math.inf
    value, slope = jax.jit(jax.value_and_grad(LogVolume(0.1)))(path)
    assert math.isfinite(value)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_the_penalty_is_minus_the_logarithm_but_for_its_floor():
    coordinates = np.random.default_rng(1).normal(size=(4, 6))
    with jax.enable_x64(True):
        path = paths.simplex(points(coordinates))
        penalty = jax.jit(LogVolume(0.3, floor=1e-6))(path)
        assert float(penalty) == pytest.approx(-0.3 * float(log_volume(path)), rel=1e-9)


def test_the_penalty_pushes_a_vertex_away_from_the_others():
    coordinates = np.zeros((3, 5), np.float32)
    coordinates[1, 0], coordinates[2, :2] = 1, (0.5, 0.3)
    slope = jax.jit(jax.grad(LogVolume(1.0)))(paths.simplex(points(coordinates)))
    pushed = -np.asarray(slope.controls["kernel"][2])
    # The height is 0.3, and the volume is proportional to it.
    np.testing.assert_allclose(pushed, [0, 1 / 0.3, 0], atol=0.01)


def test_a_grown_simplex_has_a_free_vertex_in_the_mean_of_the_others():
    networks = points(np.random.default_rng(2).normal(size=(3, 6)).astype(np.float32))
    path = paths.grown(paths.simplex(networks))
    assert (path.count, path.fixed, path.domain) == (4, (0, 1, 2), paths.simplex(networks).domain)
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 3, *networks)
    new = path(np.array([0, 0, 0, 1], np.float32))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), new, mean)
    for vertex, expected in zip(np.eye(4, dtype=np.float32), networks, strict=False):
        jax.tree.map(np.testing.assert_array_equal, path(vertex), expected)
    assert paths.grown(path).fixed == (0, 1, 2, 3)
    assert trees.index(paths.grown(path).controls, 0)["kernel"].shape == (3,)


def test_other_paths_and_settings_are_refused():
    a, b = points(np.eye(2, 5))
    with pytest.raises(StructureError, match="has no vertices that span a volume"):
        log_volume(paths.line(a, b))
    with pytest.raises(StructureError, match="has no vertices that span a volume"):
        paths.grown(paths.triangle([a, b, a]))
    with pytest.raises(ConfigError, match="floor is 0"):
        LogVolume(1.0, floor=0.0)
