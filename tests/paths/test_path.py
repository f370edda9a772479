import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import paths, trees
from mconn.errors import ConfigError, StructureError
from mconn.paths import families


def network(seed, dtype=np.float32):
    generator = np.random.default_rng(seed)
    return {
        "kernel": generator.normal(size=(4, 3)).astype(dtype),
        "bias": (generator.normal(size=(3,)).astype(dtype), -np.zeros(2, dtype)),
    }


def assert_bits_equal(x, y):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(bits(a), bits(b)), x, y)


def bits(x):
    return np.asarray(x).view(f"u{np.asarray(x).itemsize}")


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_ends_are_exact_to_the_bit(dtype):
    a, b = network(0, dtype), network(1, dtype)
    b["kernel"][0, 0] = np.inf
    path = paths.line(a, b)
    for t, end in ((0, a), (1, b)):
        assert_bits_equal(path(t), end)
        assert_bits_equal(jax.jit(lambda p, t: p(t))(path, jnp.float32(t)), end)
        assert_bits_equal(trees.index(jax.vmap(path)(jnp.linspace(0, 1, 3)), 2 * t), end)


@settings(max_examples=25, deadline=None)
@given(t=st.floats(0, 1, width=32), seed=st.integers(0, 5))
def test_a_line_is_the_affine_mixture(t, seed):
    with jax.enable_x64(True):
        a, b = network(seed, np.float64), network(seed + 1, np.float64)
        expected = jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b)
        point = paths.line(a, b)(jnp.float64(t))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-15), point, expected)


def test_a_reversed_line_runs_backwards():
    a, b = network(0), network(1)
    forth, back = paths.line(a, b)(0.25), paths.line(b, a)(0.75)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-7), forth, back)


def test_arc_length_of_a_line_is_its_share_of_the_distance():
    a, b = network(0), network(1)
    ts = np.array([0, 0.1, 0.5, 1], np.float32)
    lengths = paths.line(a, b).arc_length(ts)
    np.testing.assert_allclose(lengths, ts * trees.distance(a, b), rtol=1e-5)


def test_gram_matrix_gives_distances_between_control_points():
    networks = [network(seed) for seed in range(3)]
    gram = paths.simplex(networks).gram()
    squared = gram[1, 1] + gram[2, 2] - 2 * gram[1, 2]
    np.testing.assert_allclose(jnp.sqrt(squared), trees.distance(*networks[1:]), rtol=1e-5)


def test_a_simplex_mixes_and_holds_its_corners():
    networks = [network(seed) for seed in range(3)]
    path = paths.simplex(networks)
    for corner, weights in zip(networks, np.eye(3, dtype=np.float32), strict=True):
        assert_bits_equal(path(weights), corner)
    mean = path(np.full(3, 1 / 3, np.float32))
    expected = jax.tree.map(lambda *leaves: sum(leaves) / 3, *networks)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), mean, expected)


def test_a_path_passes_through_transformations():
    path = paths.line(network(0), network(1))
    value = jax.grad(lambda p: p(0.25)["kernel"].sum())(path)
    np.testing.assert_allclose(value.controls["kernel"][0], 0.75)


def test_networks_of_two_architectures_name_the_first_leaf():
    a, b = network(0), network(1)
    b["kernel"] = b["kernel"][:, :2]
    with pytest.raises(StructureError, match=r"leaf 'kernel' is float32\[4, 3\] in a and .*\[4, 2"):
        paths.line(a, b)
    del b["kernel"]
    with pytest.raises(StructureError, match="leaf 'kernel' of a is missing in b"):
        paths.line(a, b)


def test_integer_leaves_are_refused():
    with pytest.raises(StructureError, match="leaf 'count' has dtype int"):
        paths.line({"count": np.arange(2)}, {"count": np.arange(2)})


def test_a_simplex_of_one_network_is_refused():
    with pytest.raises(StructureError, match="at least two networks, got 1"):
        paths.simplex([network(0)])


A, B, C, D = (network(seed) for seed in range(4))
CURVES = {
    "line": paths.line(A, B),
    "bezier of 1 bend": paths.bezier(A, B),
    "bezier of 4 bends": paths.bezier(A, B, bends=4),
    "chain of 1 bend": paths.chain(A, B),
    "chain of 4 bends": paths.chain(A, B, bends=4),
    "through three": paths.through([A, C, B]),
}


def moved(path):
    """The path with its free control points elsewhere."""
    generator = np.random.default_rng(7)
    free = np.array([i not in path.fixed for i in range(path.count)])

    def move(leaf):
        step = generator.normal(size=leaf.shape).astype(leaf.dtype)
        return jnp.where(free.reshape(-1, *[1] * (leaf.ndim - 1)), leaf + step, leaf)

    return dataclasses.replace(path, controls=jax.tree.map(move, path.controls))


@pytest.mark.parametrize("path", CURVES.values(), ids=CURVES)
def test_every_curve_holds_its_ends_to_the_bit_wherever_its_bends_are(path):
    for curve in (path, moved(path)):
        assert_bits_equal(curve(0), A)
        assert_bits_equal(curve(1.0), B)
        assert_bits_equal(jax.jit(lambda p, t: p(t))(curve, jnp.float32(1)), B)


@pytest.mark.parametrize("path", [p for name, p in CURVES.items() if name != "through three"])
def test_a_curve_starts_as_the_line(path):
    for t in (0.2, 0.5, 0.9):
        expected = jax.tree.map(lambda x, y, t=t: (1 - t) * x + t * y, A, B)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), path(t), expected)


def test_a_quadratic_bezier_curve_is_that_of_garipov():
    path = moved(paths.bezier(A, B))
    bend = trees.index(path.controls, 1)
    for t in (0.1, 0.5, 0.7):
        expected = jax.tree.map(
            lambda a, c, b, t=t: (1 - t) ** 2 * a + 2 * t * (1 - t) * c + t**2 * b, A, bend, B
        )
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), path(t), expected)


def test_a_chain_passes_through_its_bends():
    path = paths.through([A, C, D, B])
    for i, expected in enumerate((A, C, D, B)):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), path(i / 3), expected
        )
    half = jax.tree.map(lambda x, y: (x + y) / 2, C, D)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), path(0.5), half)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_surface_holds_its_corners_and_uses_both_parameters(degree):
    surface = moved(paths.surface([A, B, C, D], degree))
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
    for corner, expected in zip(corners, (A, B, C, D), strict=True):
        assert_bits_equal(surface(np.array(corner, np.float32)), expected)
    for other in ([0.3, 0.6], [0.4, 0.5]):
        apart = trees.distance(surface(np.array([0.3, 0.5])), surface(np.array(other)))
        assert apart > 1e-3


def test_an_unfitted_surface_is_the_bilinear_patch():
    u, v = 0.3, 0.8
    expected = jax.tree.map(
        lambda a, b, c, d: (1 - u) * ((1 - v) * a + v * b) + u * ((1 - v) * c + v * d), A, B, C, D
    )
    point = paths.surface([A, B, C, D], 3)(np.array([u, v]))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), point, expected)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_triangle_holds_its_corners_and_starts_flat(degree):
    flat = paths.triangle([A, B, C], degree)
    for corner, expected in zip(np.eye(3, dtype=np.float32), (A, B, C), strict=True):
        assert_bits_equal(moved(flat)(corner), expected)
    weights = np.array([0.2, 0.5, 0.3], np.float32)
    expected = paths.simplex([A, B, C])(weights)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), flat(weights), expected)


@settings(max_examples=20, deadline=None)
@given(t=st.floats(0, 1), degree=st.integers(1, 6))
def test_weights_of_every_basis_sum_to_one(t, degree):
    u = np.array([t, 1 - t * t])
    bary = np.array([t * t, t - t * t, 1 - t])
    with jax.enable_x64(True):
        for basis, at in (
            (families.Bernstein(degree), t),
            (families.Hats(degree), t),
            (families.TensorProduct(degree), u),
            (families.Triangular(degree), bary),
        ):
            assert float(basis(at).sum()) == pytest.approx(1, abs=1e-12)


def test_a_plane_goes_beyond_its_three_networks():
    plane = paths.plane(A, B, C)
    for t, corner in (((0, 0), A), ((1, 0), B), ((0, 1), C)):
        assert_bits_equal(plane(np.array(t, np.float32)), corner)
    point = plane(np.array([2.0, -1.0]))
    expected = jax.tree.map(lambda a, b, c: 2 * b - c, A, B, C)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), point, expected)


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
def test_a_path_moves_with_t_at_its_control_points_as_well(t):
    velocity = jax.jacfwd(moved(paths.bezier(A, B)))(t)
    path = moved(paths.bezier(A, B))
    expected = jax.tree.map(
        lambda c: 2 * (1 - t) * (c[1] - c[0]) + 2 * t * (c[2] - c[1]), path.controls
    )
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), velocity, expected)
    through = paths.through([A, C, B])
    # On a chain that of the segment, and at its bend the mean of both sides.
    start, end = 2 * (1 - t), 2 * t
    sides = jax.tree.map(lambda a, c, b: start * (c - a) + end * (b - c), A, C, B)
    velocity = jax.jacfwd(through)(t)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), velocity, sides)


@pytest.mark.parametrize("family", ["bezier", "chain"])
def test_a_curve_is_made_again_from_its_control_points(family):
    path = moved(getattr(paths, family)(A, B, bends=2))
    again = paths.with_controls(family, path.controls)
    assert jax.tree.structure(again) == jax.tree.structure(path)
    assert_bits_equal(again(0.3), path(0.3))


def test_a_curve_of_one_control_point_or_of_another_family_is_refused():
    one = jax.tree.map(lambda leaf: leaf[:1], paths.bezier(A, B).controls)
    with pytest.raises(StructureError, match="at least two control points, got one"):
        paths.with_controls("chain", one)
    with pytest.raises(ConfigError, match="family"):
        paths.with_controls("spiral", one)


def test_lengths_agree_with_the_distance_between_points():
    path = moved(paths.bezier(A, B, bends=2))
    ts = np.linspace(0, 1, 40)
    points = [path(t) for t in ts]
    steps = [trees.distance(x, y) for x, y in itertools.pairwise(points)]
    np.testing.assert_allclose(path.arc_length(ts)[1:], np.cumsum(steps), rtol=1e-5)
    np.testing.assert_allclose(paths.Path.arc_length(path, ts)[1:], np.cumsum(steps), rtol=1e-5)
    assert float(path.length()) == pytest.approx(float(sum(steps)), rel=1e-2)


def test_a_surface_has_no_length():
    with pytest.raises(StructureError, match="points of the square are refused"):
        paths.surface([A, B, C, D]).length()


def test_curves_and_surfaces_without_control_points_are_refused():
    with pytest.raises(ConfigError, match="bends is 0"):
        paths.bezier(A, B, bends=0)
    with pytest.raises(ConfigError, match="degree is 0"):
        paths.surface([A, B, C, D], 0)
    with pytest.raises(StructureError, match="four corners, got 3"):
        paths.surface([A, B, C])
    with pytest.raises(StructureError, match="three corners, got 2"):
        paths.triangle([A, B])
    with pytest.raises(StructureError, match="at least two networks, got 1"):
        paths.through([A])
