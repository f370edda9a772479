import math

import jax
import numpy as np
import pytest

from mconn import paths
from mconn.errors import StructureError
from mconn.paths import FacesByVolume, Uniform, log_volume, simplicial_complex


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
    ts = np.concatenate([draw(key, path, 100) for key in jax.random.split(KEY, 100)])
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
    point = simplicial_complex(SQUARE, HALVES)(corner)
    np.testing.assert_array_equal(point["kernel"], SQUARE[2]["kernel"])


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
