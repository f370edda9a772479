import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import paths, symmetry
from mconn.errors import StructureError, SymmetryError

SHAPES = {"first": (5, 6), "bias": (6,), "second": (6, 3)}


def network(seed, dtype=np.float64):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def relu(params, x):
    return jax.nn.relu(x @ params["first"] + params["bias"]) @ params["second"]


def linear(params, x):
    return (x @ params["first"] + params["bias"]) @ params["second"]


X = np.random.default_rng(9).normal(size=(8, 5))
TS = np.linspace(0, 1, 21)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def scaled(group, factor):
    """The element that multiplies the units of a ReLU network."""
    element = symmetry.identity(group)
    for generator in group.generators:
        if generator.kind == "scaling":
            spread = np.linspace(0.5, factor, generator.size)
            element[generator.name] = jnp.asarray(spread)
    return element


@pytest.mark.parametrize("apply", [relu, linear])
def test_the_function_stays_the_same_along_an_orbit(double, apply):
    params = network(0)
    group = symmetry.discover(apply, params, X)
    if apply is relu:
        path = paths.orbit(group, scaled(group, 8.0), params)
    else:
        tangent = symmetry.random_tangent(group, jax.random.key(0))
        path = paths.orbit_along(group, {n: 0.3 * part for n, part in tangent.items()}, params)
    assert float(paths.largest_change(apply, path, TS, X)) < 1e-12
    moved = sum(float(jnp.abs(path(1.0)[n] - params[n]).max()) for n in params)
    assert moved > 0.1


def test_its_ends_are_the_network_and_the_moved_one_bit_for_bit():
    params = network(0, np.float32)
    group = symmetry.discover(relu, params, X.astype(np.float32))
    element = scaled(group, 3.0)
    path = paths.orbit(group, element, params)
    end = symmetry.act(group, element, params)
    for t, expected in ((0, params), (1, end)):
        jax.tree.map(np.testing.assert_array_equal, path(t), expected)
        jax.tree.map(
            np.testing.assert_array_equal, jax.jit(lambda p, t: p(t))(path, float(t)), expected
        )


def test_half_way_the_element_acts_twice(double):
    params = network(1)
    group = symmetry.discover(relu, params, X)
    half = paths.orbit(group, scaled(group, 4.0), params)(0.5)
    root = {n: p**0.5 if p.dtype == float else p for n, p in scaled(group, 4.0).items()}
    expected = symmetry.act(group, root, params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), half, expected)


def test_an_arc_passes_through_transformations_and_shares_its_program(double):
    at = jax.jit(jax.vmap(lambda path, t: path(t), (None, 0)))
    for seed in range(2):
        params = network(seed)
        group = symmetry.discover(relu, params, X)
        path = paths.orbit(group, scaled(group, 2.0 + seed), params)
        points = at(path, jnp.asarray(TS))
    assert at._cache_size() == 1
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda p: p[0], points), params)
    gradient = jax.grad(lambda p: p(0.5)["second"].sum())(path)
    assert jnp.isfinite(gradient.start["second"]).all()
    assert float(path.length(11)) > 0


def test_elements_without_a_logarithm_are_refused():
    params = network(0, np.float32)
    group = symmetry.discover(relu, params, X.astype(np.float32))
    element = symmetry.identity(group)
    permuted = next(g for g in group.generators if g.kind == "permutation")
    element[permuted.name] = jnp.array([1, 0, 2, 3, 4, 5])
    with pytest.raises(SymmetryError, match=r"the permutation of .* has no real logarithm"):
        paths.orbit(group, element, params)
    with pytest.raises(SymmetryError, match="is no continuous generator of the group"):
        paths.orbit_along(group, {permuted.name: jnp.zeros(6)}, params)
    mirrored = symmetry.discover(linear, params, X.astype(np.float32))
    reflection = {g.name: jnp.diag(jnp.array([-1.0, 1, 1, 1, 1, 1])) for g in mirrored.generators}
    with pytest.raises(SymmetryError, match="has no real logarithm"):
        paths.orbit(mirrored, reflection, params)


def test_a_network_of_another_shape_is_refused():
    params = network(0, np.float32)
    group = symmetry.discover(relu, params, X.astype(np.float32))
    wrong = params | {"second": params["second"][:, :2]}
    with pytest.raises(StructureError, match="leaf 'second' has shape"):
        paths.orbit(group, symmetry.identity(group), wrong)
