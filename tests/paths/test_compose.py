import dataclasses

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
    by_arc_length,
    distance,
    entry,
    length,
    moved,
    network,
)

from mconn import paths
from mconn.errors import ConfigError, StructureError


def test_a_concatenation_goes_through_all_ends():
    pieces = [moved(paths.bezier(A, B)), paths.line(B, C), paths.chain(C, D)]
    path = paths.concatenate(pieces)
    points = along(path, np.asarray(path.cuts))
    for i, (cut, expected) in enumerate(zip(path.cuts, (A, B, C, D), strict=True)):
        assert_bits_equal(entry(points, i), expected)
        assert_bits_equal(at(path, cut), expected)


def test_shares_are_equal_or_by_length():
    near = jax.tree.map(lambda a, b: a + np.float32(0.25) * (b - a), A, B)
    pieces = [paths.line(A, near), paths.line(near, B)]
    np.testing.assert_allclose(paths.concatenate(pieces).cuts, [0, 0.5, 1])
    by_length = paths.concatenate(pieces, "length")
    np.testing.assert_allclose(by_length.cuts, [0, 0.25, 1], atol=1e-6)
    ts = np.array([0.1, *by_length.cuts, 0.7], np.float32)
    points = along(by_length, ts)
    for i, expected in enumerate((A, near, B)):
        assert_bits_equal(entry(points, i + 1), expected)
    assert_close(points, along(paths.line(A, B), ts))
    assert float(length(by_length)) == pytest.approx(distance(A, B), rel=1e-4)
    np.testing.assert_allclose(by_length.mixture(0.3), [0.7, 0.3], atol=1e-6)
    curve = CURVES["bezier"]
    assert_close(at(paths.concatenate([curve]), 0.3), at(curve, 0.3))


def test_paths_that_do_not_meet_name_the_leaf():
    with pytest.raises(
        StructureError, match=r"leaf 'bias/0' differs by .* end of path 1 and the b"
    ):
        paths.concatenate([paths.line(A, B), paths.line(B, C), paths.line(D, A)])
    smaller = {"kernel": A["kernel"][:2], "bias": A["bias"]}
    with pytest.raises(StructureError, match="leaf 'kernel' is float32"):
        paths.concatenate([paths.line(A, A), paths.line(smaller, smaller)])


def test_a_reversed_curve_of_control_points_can_be_fitted():
    path = dataclasses.replace(paths.through([A, C, D, B]), fixed=(0, 1, 3))
    assert paths.reverse(path).fixed == (0, 2, 3)
    assert isinstance(paths.reverse(path), paths.ControlledPath)


@pytest.mark.parametrize("name", ["line", "chain", "joined"])
def test_a_curve_by_arc_length_keeps_its_ends_and_its_points(name):
    path = CURVES[name]
    even = by_arc_length(path)
    points = along(even, np.linspace(0, 1, 3, dtype=np.float32))
    assert_bits_equal(entry(points, 0), A)
    assert_bits_equal(entry(points, 2), B)
    whole = np.asarray(arc_length(even, np.linspace(0, 1, 1001)))[-1]
    assert whole == pytest.approx(float(length(path)), rel=2e-3)


def test_the_speed_by_arc_length_is_constant_within_one_percent():
    with jax.enable_x64(True):
        curve = moved(paths.bezier(network(0, np.float64), network(1, np.float64)))
        bend = jax.tree.map(lambda leaf: 3 * leaf[1], curve.controls)
        controls = jax.tree.map(
            lambda leaf, new: np.stack([leaf[0], new, leaf[2]]), curve.controls, bend
        )
        path = by_arc_length(dataclasses.replace(curve, controls=controls))
        ts = np.linspace(0, 1, 501)
        steps = np.diff(np.asarray(arc_length(path, ts)))
        assert np.ptp(steps) < 0.01 * steps.mean()
        wild = np.diff(np.asarray(arc_length(path.path, ts)))
        assert np.ptp(wild) > 0.5 * wild.mean()
    still = by_arc_length(paths.line(A, A))  # has no length, and keeps its parameter
    assert_close(at(still, 0.4), A)


def test_a_second_path_of_the_same_shape_shares_its_program():
    run = jax.jit(lambda path, t: path(t))
    for shares in (([A, B], [B, C]), ([D, A], [A, C])):
        run(paths.concatenate([moved(paths.bezier(*pair)) for pair in shares]), 0.2)
        run(by_arc_length(moved(paths.bezier(*shares[0]))), 0.2)
    assert run._cache_size() == 2


def test_surfaces_and_wrong_settings_are_refused():
    surface = paths.surface([A, B, C, D])
    for compose in (lambda p: paths.concatenate([p]), paths.reverse, paths.by_arc_length):
        with pytest.raises(StructureError, match="a path over the square is no curve"):
            compose(surface)
    with pytest.raises(StructureError, match="no path to concatenate"):
        paths.concatenate([])
    with pytest.raises(ConfigError, match="knots is 1"):
        paths.by_arc_length(paths.line(A, B), 1)
