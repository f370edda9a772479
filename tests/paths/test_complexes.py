"""Complexes of simplexes: their volumes, their points, and how they grow."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from curves import at as point, entry
from hypothesis import given, settings, strategies as st

from mconn import paths
from mconn.errors import ConfigError, StructureError
from mconn.paths import FacesByVolume, LogVolume, Uniform, simplicial_complex
from mconn.paths.complexes import volume_from_distances

from_distances = jax.jit(volume_from_distances)
log_volume = jax.jit(paths.log_volume)


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


@pytest.mark.parametrize(
    ("vertices", "dtype", "tolerance"),
    [(2, np.float32, 1e-6), (3, np.float64, 1e-12), (8, np.float32, 1e-6), (8, np.float64, 1e-12)],
)
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
@given(seed=st.integers(0, 2**16), vertices=st.sampled_from([2, 4]))
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
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


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
    new = point(path, np.array([0, 0, 0, 1], np.float32))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), new, mean)
    for vertex, expected in zip(np.eye(4, dtype=np.float32), networks, strict=False):
        jax.tree.map(np.testing.assert_array_equal, point(path, vertex), expected)
    assert paths.grown(path).fixed == (0, 1, 2, 3)
    assert entry(paths.grown(path).controls, 0)["kernel"].shape == (3,)


def test_other_paths_and_settings_are_refused():
    a, b = points(np.eye(2, 5))
    with pytest.raises(StructureError, match="has no vertices that span a volume"):
        log_volume(paths.line(a, b))
    with pytest.raises(StructureError, match="has no vertices that span a volume"):
        paths.grown(paths.triangle([a, b, a]))
    with pytest.raises(ConfigError, match="floor is 0"):
        LogVolume(1.0, floor=0.0)


def at(*coordinates):
    """A network with these coordinates."""
    return {"kernel": np.array(coordinates, np.float32)}


# A square of side one that is cut along its diagonal, and a fin that is three times as large.
SQUARE = [at(0, 0, 0), at(1, 0, 0), at(1, 1, 0), at(0, 1, 0)]
FIN = [*SQUARE, at(0, 0, 3)]
HALVES = ((0, 1, 2), (0, 2, 3))
WITH_FIN = (*HALVES, (0, 1, 4))
KEY = jax.random.key(0)
draw = jax.jit(FacesByVolume(), static_argnums=2)


def test_the_volume_is_the_sum_over_faces():
    assert float(log_volume(simplicial_complex(SQUARE, HALVES))) == pytest.approx(0, abs=1e-6)
    total = float(log_volume(simplicial_complex(FIN, WITH_FIN)))
    assert total == pytest.approx(math.log(0.5 + 0.5 + 1.5), abs=1e-6)


def test_a_complex_of_one_face_is_a_simplex():
    path = simplicial_complex(SQUARE[:3], [(2, 0, 1)])
    assert float(log_volume(path)) == pytest.approx(float(log_volume(paths.simplex(SQUARE[:3]))))


def test_points_lie_in_faces_in_proportion_to_their_volumes():
    path = simplicial_complex(FIN, WITH_FIN)
    ts = np.asarray(draw(KEY, path, 5000))
    path.domain.check(ts)
    shares = [(ts[:, list(face)].sum(axis=1) > 1 - 1e-5).mean() for face in WITH_FIN]
    np.testing.assert_allclose(shares, [0.2, 0.2, 0.6], atol=1e-3)


def test_points_are_uniform_on_the_whole():
    path = simplicial_complex(SQUARE, HALVES)
    keys = jax.random.split(KEY, 100)
    ts = jax.jit(jax.vmap(lambda key: draw(key, path, 100)))(keys)
    ts = np.asarray(ts).reshape(10_000, 4)
    places = ts @ np.array([p["kernel"] for p in SQUARE])
    # Both coordinates are uniform on the unit square, and independent.
    np.testing.assert_allclose(places[:, :2].mean(axis=0), 1 / 2, atol=0.01)
    moments = places[:, :2].T @ places[:, :2] / len(places)
    np.testing.assert_allclose(moments, [[1 / 3, 1 / 4], [1 / 4, 1 / 3]], atol=0.01)


def test_flat_faces_are_as_likely_as_one_another():
    path = simplicial_complex([at(0), at(1), at(2), at(3)], [(0, 1, 2), (1, 2, 3)])
    ts = np.asarray(draw(KEY, path, 10))
    assert (ts[:, 0] > 0).sum() == (ts[:, 3] > 0).sum() == 5


def test_a_simplex_is_drawn_from_as_its_own_face():
    ts = np.asarray(draw(KEY, paths.simplex(SQUARE[:3]), 6))
    paths.simplex(SQUARE[:3]).domain.check(ts)


def test_networks_by_themselves_grow_into_a_star():
    star = paths.grown(simplicial_complex(SQUARE[:3], [(0,), (1,), (2,)]))
    assert star.fixed == (0, 1, 2)
    lengths = [math.hypot(2 / 3, 1 / 3), math.hypot(1 / 3, 1 / 3), math.hypot(1 / 3, 2 / 3)]
    assert float(log_volume(star)) == pytest.approx(math.log(sum(lengths)), abs=1e-6)
    ts = np.asarray(draw(KEY, star, 10))
    star.domain.check(ts)
    assert ((ts[:, :3] > 0).sum(axis=1) <= 1).all()
    with pytest.raises(StructureError, match=r"vertices \[0, 1\] have no face in common"):
        star.domain.check(np.array([[0.5, 0.5, 0, 0]]))


def test_weights_outside_every_face_are_refused():
    path = simplicial_complex(SQUARE, HALVES)
    path.domain.check(np.array([[0.2, 0.5, 0.3, 0], [0, 0, 0, 1]]))
    with pytest.raises(StructureError, match=r"the vertices \[1, 3\] have no face in common"):
        path.domain.check(np.array([[0.2, 0.5, 0.3, 0], [0, 0.5, 0, 0.5]]))
    with pytest.raises(StructureError, match=r"weights must sum to one, not 1\.1"):
        path.domain.check(np.array([[0.2, 0.6, 0.3, 0]]))


def test_vertices_are_held_and_freed():
    assert simplicial_complex(SQUARE, HALVES).fixed == (0, 1, 2, 3)
    assert simplicial_complex(SQUARE, HALVES, fixed=[3, 0]).fixed == (0, 3)
    corner = np.eye(4, dtype=np.float32)[2]
    found = point(simplicial_complex(SQUARE, HALVES), corner)
    np.testing.assert_array_equal(found["kernel"], SQUARE[2]["kernel"])


def test_complexes_of_the_same_faces_share_their_programs():
    draw(KEY, simplicial_complex(SQUARE, HALVES), 4)
    before = draw._cache_size()
    draw(KEY, simplicial_complex(SQUARE[::-1], HALVES), 4)
    assert draw._cache_size() == before


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        ([(0, 1, 4)], "must have different vertices from 0 to 3"),
        ([(0, 1, 1)], "must have different vertices"),
        ([()], "must have different vertices"),
        ([(0, 1), (1, 2, 3)], r"the faces have \[2, 3\] vertices"),
        ([(0, 1, 2), (2, 1, 0)], "are the same"),
        ([(0, 1, 2)], r"no face has the networks \[3\]"),
    ],
)
def test_wrong_faces_are_refused(faces, message):
    with pytest.raises(StructureError, match=message):
        simplicial_complex(SQUARE, faces)


def test_uniform_points_of_a_complex_need_its_volumes():
    with pytest.raises(StructureError, match=r"use .* the sampler FacesByVolume"):
        Uniform()(KEY, simplicial_complex(SQUARE, HALVES), 3)
