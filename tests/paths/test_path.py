import functools
import itertools

import jax
import numpy as np
import pytest
from curves import (
    CURVES,
    A,
    B,
    C,
    D,
    along,
    arc_length,
    assert_bits_equal,
    assert_close,
    at,
    distance,
    entry,
    length,
    mixture,
    moved,
    network,
)
from hypothesis import given, settings, strategies as st

from mconn import paths
from mconn.errors import ConfigError, StructureError
from mconn.paths import families


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_ends_are_exact_to_the_bit_with_and_without_jit_and_vmap(dtype):
    a, b = network(0, dtype), network(1, dtype)
    b["kernel"][0, 0] = np.inf
    path = paths.line(a, b)
    points = along(path, np.linspace(0, 1, 3, dtype=np.float32))
    for t, end in ((0, a), (1, b)):
        assert_bits_equal(path(t), end)
        assert_bits_equal(at(path, np.float32(t)), end)
        assert_bits_equal(entry(points, 2 * t), end)


@pytest.mark.parametrize("path", CURVES.values(), ids=CURVES)
def test_every_curve_holds_its_ends_to_the_bit_and_runs_backwards(path):
    ts = np.array([0, 0.1, 0.5, 0.8, 1], np.float32)
    points, back = along(path, ts), along(paths.reverse(path), 1 - ts)
    for end, place in ((A, 0), (B, 4)):
        assert_bits_equal(entry(points, place), end)
        assert_bits_equal(entry(back, place), end)
    assert_close(points, back)
    assert jax.tree.structure(paths.reverse(paths.reverse(path))) == jax.tree.structure(path)


@settings(max_examples=25, deadline=None)
@given(t=st.floats(0, 1, width=32), seed=st.integers(0, 5))
def test_a_line_is_the_affine_mixture(t, seed):
    with jax.enable_x64(True):
        a, b = network(seed, np.float64), network(seed + 1, np.float64)
        assert_close(at(paths.line(a, b), np.float64(t)), mixture([a, b], [1 - t, t]), 1e-15)


@pytest.mark.parametrize("family", [paths.bezier, paths.chain])
@pytest.mark.parametrize("bends", [1, 4])
def test_a_curve_starts_as_the_line(family, bends):
    ts = np.array([0.2, 0.5, 0.9], np.float32)
    assert_close(along(family(A, B, bends), ts), along(paths.line(A, B), ts), 1e-6)


def test_a_quadratic_bezier_curve_is_that_of_garipov():
    path = moved(paths.bezier(A, B))
    for t in (0.1, 0.5, 0.7):
        expected = mixture([A, entry(path.controls, 1), B], [(1 - t) ** 2, 2 * t * (1 - t), t**2])
        assert_close(at(path, t), expected, 1e-6)


def test_a_chain_passes_through_its_bends():
    path = paths.through([A, C, D, B])
    for i, expected in enumerate((A, C, D, B)):
        assert_close(at(path, i / 3), expected)
    assert_close(at(path, 0.5), mixture([C, D], [0.5, 0.5]), 1e-6)


def test_a_simplex_mixes_and_holds_its_corners():
    networks = [A, B, C]
    path = paths.simplex(networks)
    for corner, weights in zip(networks, np.eye(3, dtype=np.float32), strict=True):
        assert_bits_equal(at(path, weights), corner)
    mean = np.full(3, 1 / 3, np.float32)
    assert_close(at(path, mean), mixture(networks, mean), 1e-6)
    gram = np.asarray(path.gram())
    squared = gram[1, 1] + gram[2, 2] - 2 * gram[1, 2]
    np.testing.assert_allclose(np.sqrt(squared), distance(B, C), rtol=1e-5)


@pytest.mark.parametrize("degree", [1, 3])
def test_a_surface_holds_its_corners_and_starts_as_the_bilinear_patch(degree):
    flat = paths.surface([A, B, C, D], degree)
    ts = np.array([(0, 0), (0, 1), (1, 0), (1, 1), (0.3, 0.8), (0.3, 0.5), (0.4, 0.5)], "f4")
    points, patch = along(moved(flat), ts), along(flat, ts)
    for i, expected in enumerate((A, B, C, D)):
        assert_bits_equal(entry(points, i), expected)
    assert_close(entry(patch, 4), mixture([A, B, C, D], [0.14, 0.56, 0.06, 0.24]))
    assert distance(entry(points, 5), entry(points, 4)) > 1e-3
    assert distance(entry(points, 5), entry(points, 6)) > 1e-3


@pytest.mark.parametrize("degree", [1, 3])
def test_a_triangle_holds_its_corners_and_starts_flat(degree):
    flat = paths.triangle([A, B, C], degree)
    for corner, expected in zip(np.eye(3, dtype=np.float32), (A, B, C), strict=True):
        assert_bits_equal(at(moved(flat), corner), expected)
    weights = np.array([0.2, 0.5, 0.3], np.float32)
    assert_close(at(flat, weights), mixture([A, B, C], weights))


def test_a_plane_goes_beyond_its_three_networks():
    plane = paths.plane(A, B, C)
    for t, corner in (((0, 0), A), ((1, 0), B), ((0, 1), C)):
        assert_bits_equal(at(plane, np.array(t, np.float32)), corner)
    assert_close(at(plane, np.array([2.0, -1.0], "f4")), mixture([B, C], [2, -1]))


@settings(max_examples=20, deadline=None)
@given(t=st.floats(0, 1), degree=st.sampled_from([1, 2, 4]))
def test_weights_of_every_basis_sum_to_one(t, degree):
    u, corners = np.array([t, 1 - t * t]), np.array([t * t, t - t * t, 1 - t])
    with jax.enable_x64(True):
        for weights in weights_of_bases(degree, np.float64(t), u, corners):
            assert float(np.sum(weights)) == pytest.approx(1, abs=1e-12)


@functools.partial(jax.jit, static_argnums=0)
def weights_of_bases(degree, t, u, corners):
    return (
        families.Bernstein(degree)(t),
        families.Hats(degree)(t),
        families.TensorProduct(degree)(u),
        families.Triangular(degree)(corners),
    )


velocity = jax.jit(jax.jacfwd(lambda path, t: path(t), argnums=1))


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
def test_a_path_moves_with_t_at_its_control_points_as_well(t):
    path = moved(paths.bezier(A, B))
    bends = [entry(path.controls, i) for i in range(3)]
    assert_close(velocity(path, t), mixture(bends, [2 * t - 2, 2 - 4 * t, 2 * t]))
    # On a chain that of the segment, and at its bend the mean of both sides.
    start, end = 2 * (1 - t), 2 * t
    sides = mixture([A, C, B], [-start, start - end, end])
    assert_close(velocity(paths.through([A, C, B]), t), sides)


def test_a_path_passes_through_transformations():
    value = jax.jit(jax.grad(lambda p: p(0.25)["kernel"].sum()))(paths.line(A, B))
    np.testing.assert_allclose(value.controls["kernel"][0], 0.75)


@pytest.mark.parametrize("family", ["bezier", "chain"])
def test_a_curve_is_made_again_from_its_control_points(family):
    path = moved(getattr(paths, family)(A, B, bends=2))
    again = paths.with_controls(family, path.controls)
    assert jax.tree.structure(again) == jax.tree.structure(path)
    assert_bits_equal(at(again, 0.3), at(path, 0.3))


def test_lengths_agree_with_the_distance_between_points():
    path = moved(paths.bezier(A, B, bends=2))
    ts = np.linspace(0, 1, 40, dtype=np.float32)
    points = along(path, ts)
    pairs = itertools.pairwise(entry(points, i) for i in range(40))
    steps = np.cumsum([distance(x, y) for x, y in pairs])
    by_points = jax.jit(paths.Path.arc_length)
    np.testing.assert_allclose(np.asarray(arc_length(path, ts))[1:], steps, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(by_points(path, ts))[1:], steps, rtol=1e-5)
    assert float(length(path)) == pytest.approx(float(steps[-1]), rel=1e-2)
    line = arc_length(paths.line(A, B), np.array([0, 0.1, 0.5, 1], np.float32))
    np.testing.assert_allclose(line, np.array([0, 0.1, 0.5, 1]) * distance(A, B), rtol=1e-5)


def test_networks_of_two_architectures_name_the_first_leaf():
    a, b = network(0), network(1)
    b["kernel"] = b["kernel"][:, :2]
    with pytest.raises(StructureError, match=r"leaf 'kernel' is float32\[4, 3\] in a and .*\[4, 2"):
        paths.line(a, b)
    del b["kernel"]
    with pytest.raises(StructureError, match="leaf 'kernel' of a is missing in b"):
        paths.line(a, b)
    with pytest.raises(StructureError, match="leaf 'count' has dtype int"):
        paths.line({"count": np.arange(2)}, {"count": np.arange(2)})


ONE = jax.tree.map(lambda leaf: leaf[:1], paths.bezier(A, B).controls)


@pytest.mark.parametrize(
    ("build", "error", "sentence"),
    [
        (lambda: paths.bezier(A, B, bends=0), ConfigError, "bends is 0"),
        (lambda: paths.surface([A, B, C, D], 0), ConfigError, "degree is 0"),
        (lambda: paths.surface([A, B, C]), StructureError, "four corners, got 3"),
        (lambda: paths.triangle([A, B]), StructureError, "three corners, got 2"),
        (lambda: paths.through([A]), StructureError, "at least two networks, got 1"),
        (lambda: paths.simplex([A]), StructureError, "at least two networks, got 1"),
        (lambda: paths.with_controls("spiral", ONE), ConfigError, "family"),
        (lambda: paths.with_controls("chain", ONE), StructureError, "two control points, got one"),
        (
            lambda: paths.surface([A, B, C, D]).length(),
            StructureError,
            "points of the square are refused",
        ),
    ],
)
def test_what_is_no_path_is_refused(build, error, sentence):
    with pytest.raises(error, match=sentence):
        build()
