import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mconn import paths, trees
from mconn.errors import StructureError


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
