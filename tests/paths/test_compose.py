import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import paths, trees
from mconn.errors import ConfigError, StructureError


def network(seed, dtype=np.float32):
    generator = np.random.default_rng(seed)
    return {
        "kernel": generator.normal(size=(4, 3)).astype(dtype),
        "bias": -np.zeros(2, dtype),
    }


A, B, C, D = (network(seed) for seed in range(4))


def bent(a, b, seed=9):
    """A Bezier curve whose bend lies elsewhere."""
    path = paths.bezier(a, b)
    bend = network(seed)
    controls = jax.tree.map(lambda leaf, new: leaf.at[1].set(3 * new), path.controls, bend)
    return dataclasses.replace(path, controls=controls)


def assert_same_bits(x, y):
    def compare(a, b):
        a, b = np.asarray(a), np.asarray(b)
        np.testing.assert_array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))

    jax.tree.map(compare, x, y)


def assert_close(x, y, atol=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=atol), x, y)


@pytest.mark.parametrize("shares", ["equal", "length"])
def test_a_concatenation_goes_through_all_ends(shares):
    path = paths.concatenate([bent(A, B), paths.line(B, C), paths.chain(C, D)], shares)
    for cut, expected in zip(path.cuts, (A, B, C, D), strict=True):
        assert_same_bits(path(cut), expected)
        assert_same_bits(jax.jit(lambda p, t: p(t))(path, cut), expected)
    points = jax.vmap(path)(jnp.linspace(0, 1, 7))
    assert_same_bits(trees.index(points, -1), D)


def test_shares_are_equal_or_by_length():
    near = jax.tree.map(lambda a, b: a + 0.25 * (b - a), A, B)
    pieces = [paths.line(A, near), paths.line(near, B)]
    np.testing.assert_allclose(paths.concatenate(pieces).cuts, [0, 0.5, 1])
    by_length = paths.concatenate(pieces, "length")
    np.testing.assert_allclose(by_length.cuts, [0, 0.25, 1], atol=1e-6)
    for t in (0.1, 0.25, 0.7):
        assert_close(by_length(t), paths.line(A, B)(t))
    assert float(by_length.length()) == pytest.approx(float(trees.distance(A, B)), rel=1e-4)


def test_a_concatenation_of_one_path_is_the_path():
    curve = bent(A, B)
    assert_close(paths.concatenate([curve])(0.3), curve(0.3))


def test_paths_that_do_not_meet_name_the_leaf():
    with pytest.raises(
        StructureError, match=r"leaf 'kernel' differs by .* end of path 1 and the b"
    ):
        paths.concatenate([paths.line(A, B), paths.line(B, C), paths.line(D, A)])
    smaller = {"kernel": A["kernel"][:2], "bias": A["bias"]}
    with pytest.raises(StructureError, match="leaf 'kernel' is float32"):
        paths.concatenate([paths.line(A, A), paths.line(smaller, smaller)])


CURVES = {
    "line": paths.line(A, B),
    "bezier": bent(A, B),
    "chain": paths.through([A, C, D, B]),
    "joined": paths.concatenate([bent(A, C), paths.line(C, B)]),
    "by length": paths.by_arc_length(bent(A, B)),
}


@pytest.mark.parametrize("path", CURVES.values(), ids=CURVES)
def test_a_reversed_curve_runs_backwards(path):
    back = paths.reverse(path)
    assert_same_bits(back(0), B)
    assert_same_bits(back(1), A)
    for t in (0.1, 0.5, 0.8):
        assert_close(back(t), path(1 - t))
    assert_close(paths.reverse(back)(0.3), path(0.3))
    assert_close(jax.vmap(back)(jnp.array([0.25, 0.5]))["kernel"][1], path(0.5)["kernel"])


def test_a_reversed_curve_of_control_points_can_be_fitted():
    path = dataclasses.replace(paths.through([A, C, D, B]), fixed=(0, 1, 3))
    assert paths.reverse(path).fixed == (0, 2, 3)
    assert isinstance(paths.reverse(path), paths.ControlledPath)


@pytest.mark.parametrize("path", CURVES.values(), ids=CURVES)
def test_a_curve_by_arc_length_keeps_its_ends_and_its_points(path):
    even = paths.by_arc_length(path)
    assert_same_bits(even(0), A)
    assert_same_bits(jax.jit(lambda p, t: p(t))(even, jnp.float32(1)), B)
    lengths = np.asarray(even.arc_length(np.linspace(0, 1, 1001)))
    assert lengths[-1] == pytest.approx(float(path.length()), rel=2e-3)


def test_the_speed_by_arc_length_is_constant_within_one_percent():
    with jax.enable_x64(True):
        path = paths.by_arc_length(bent(network(0, np.float64), network(1, np.float64)))
        ts = np.linspace(0, 1, 501)
        steps = np.diff(np.asarray(path.arc_length(ts)))
        assert np.ptp(steps) < 0.01 * steps.mean()
        wild = np.diff(np.asarray(path.path.arc_length(ts)))
        assert np.ptp(wild) > 0.5 * wild.mean()


def test_a_curve_without_length_keeps_its_parameter():
    even = paths.by_arc_length(paths.line(A, A))
    assert_close(even(0.4), A)


@settings(max_examples=20, deadline=None)
@given(t=st.floats(0, 1, width=32))
def test_a_mixture_follows_the_parameter(t):
    for path in (CURVES["joined"], CURVES["by length"]):
        np.testing.assert_allclose(path.mixture(t), [1 - t, t], atol=1e-6)


def test_a_second_path_of_the_same_shape_shares_its_program():
    at = jax.jit(lambda path, t: path(t))
    for shares in (([A, B], [B, C]), ([D, A], [A, C])):
        at(paths.concatenate([bent(*pair) for pair in shares]), 0.2)
        at(paths.by_arc_length(bent(*shares[0])), 0.2)
    assert at._cache_size() == 2


def test_surfaces_and_wrong_settings_are_refused():
    surface = paths.surface([A, B, C, D])
    for compose in (lambda p: paths.concatenate([p]), paths.reverse, paths.by_arc_length):
        with pytest.raises(StructureError, match="a path over the square is no curve"):
            compose(surface)
    with pytest.raises(StructureError, match="no path to concatenate"):
        paths.concatenate([])
    with pytest.raises(ConfigError, match="knots is 1"):
        paths.by_arc_length(paths.line(A, B), 1)
