from functools import partial

import jax
import numpy as np
import pytest
from curves import A, B, C, D

from mconn import paths, trees
from mconn.errors import StructureError
from mconn.paths.sampling import Uniform, UniformLength

PATHS = {
    "interval": paths.bezier(A, B),
    "square": paths.surface([A, B, C, D]),
    "simplex": paths.simplex([A, B, C, D]),
    "triangle": paths.triangle([A, B, C]),
}
KEY = jax.random.key(0)


@partial(jax.jit, static_argnums=(0, 3, 4))
def drawn(sampler, key, path, points, repeats):
    return jax.vmap(lambda key: sampler(key, path, points))(jax.random.split(key, repeats))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_every_point_is_uniform_and_strata_lower_the_variance_of_a_mean(path):
    variances = []
    for stratified in (True, False):
        ts = np.asarray(drawn(Uniform(stratified), KEY, path, 8, 4000))
        assert (ts[0] != ts[1]).any()
        variances.append((ts.reshape(4000, 8, -1)[..., 0] ** 2).mean(axis=1).var())
        path.domain.check(ts.reshape(32000, *ts.shape[2:]))
        ts = ts.reshape(32000, -1)
        dimension = ts.shape[1]
        if path.domain == paths.SIMPLEX:
            # Moments of a flat Dirichlet law of k weights.
            first, second, product = 1 / dimension, 2, 1
            second, product = (m / (dimension * (dimension + 1)) for m in (second, product))
        else:
            first, second, product = 1 / 2, 1 / 3, 1 / 4
        np.testing.assert_allclose(ts.mean(axis=0), first, atol=0.008)
        expected = np.where(np.eye(dimension) == 1, second, product)
        np.testing.assert_allclose(ts.T @ ts / len(ts), expected, atol=0.01)
    assert variances[0] < 0.25 * variances[1]


def test_there_is_one_point_in_every_stratum():
    ts = np.asarray(drawn(Uniform(), KEY, PATHS["interval"], 10, 5))
    np.testing.assert_array_equal(np.floor(ts * 10), np.broadcast_to(np.arange(10), (5, 10)))
    uv = np.asarray(drawn(Uniform(), KEY, PATHS["square"], 10, 5))
    np.testing.assert_array_equal(
        np.sort(np.floor(uv * 10), axis=1), np.broadcast_to(np.arange(10)[:, None], (5, 10, 2))
    )


def test_length_is_uniform_along_a_curve_whose_speed_varies():
    near = jax.tree.map(lambda a, b: a + 0.05 * (b - a), A, B)
    path = paths.through([A, near, B])
    ts = np.asarray(drawn(UniformLength(), KEY, path, 20, 200)).reshape(-1)
    slow = np.mean(ts < 0.5)
    assert slow == pytest.approx(0.05, abs=0.005)
    shares = np.where(ts < 0.5, 0.1 * ts, 0.05 + 1.9 * (ts - 0.5))
    np.testing.assert_allclose(np.quantile(shares, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.01)


def test_on_a_line_and_on_a_point_length_is_the_parameter():
    for path in (paths.line(A, B), paths.line(A, A)):
        length, parameter = (
            drawn(sampler, KEY, path, 5, 3) for sampler in (UniformLength(), Uniform())
        )
        np.testing.assert_allclose(length, parameter, atol=1e-5)


def test_no_gradient_flows_through_the_length():
    def place(path):
        return UniformLength()(KEY, path, 3).sum()

    gradient = jax.jit(jax.grad(place))(paths.through([A, C, B]))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(trees.to_numpy(gradient)))


def test_samplers_that_do_not_fit_the_domain_are_refused():
    with pytest.raises(StructureError, match="cannot be drawn uniformly from the plane"):
        Uniform()(KEY, paths.plane(A, B, C), 3)
    with pytest.raises(StructureError, match="the square has no arc length"):
        UniformLength()(KEY, PATHS["square"], 3)


def test_samplers_are_equal_so_that_programs_are_shared():
    assert hash(Uniform()) == hash(Uniform())
    assert Uniform() == Uniform() != Uniform(stratified=False)
    # The sizes of this call are its own.
    drawn(Uniform(), KEY, paths.bezier(A, B), 3, 11)
    before = drawn._cache_size()
    drawn(Uniform(), KEY, paths.bezier(C, D), 3, 11)
    assert drawn._cache_size() == before
