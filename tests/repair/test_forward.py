"""After the repair the statistics are the goal's, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from two_layers import apply, examples, layers_of, mix, moments, network, stacked

from mconn import repair
from mconn.errors import ConfigError, StructureError


@pytest.fixture(scope="module")
def layers():
    return layers_of(apply, network(0), examples()[0, :2])


def repaired(layers, networks, weights, data, params=None, **options):
    ends = repair.measure(layers, apply, stacked(networks), data)
    params = mix(weights, networks) if params is None else params
    return repair.repair(layers, apply, params, ends, np.array(weights), data, **options)


def goal(networks, weights, data):
    inputs = data.reshape(-1, data.shape[-1])
    found = [moments(params, inputs) for params in networks]
    return [
        tuple(sum(w * f[layer][i] for w, f in zip(weights, found, strict=True)) for i in range(2))
        for layer in range(2)
    ]


def furthest(networks, weights, data, params):
    """How far the statistics of a network are from the goal, relative to the deviations."""
    found = moments(params, data.reshape(-1, data.shape[-1]))
    return [
        max(float(abs((a - b) / wanted[1]).max()) for a, b in zip(have, wanted, strict=True))
        for have, wanted in zip(found, goal(networks, weights, data), strict=True)
    ]


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.5, 0.3)])
def test_every_unit_gets_the_mixed_mean_and_deviation(layers, weights):
    with jax.enable_x64(True):
        networks = [network(seed) for seed in range(len(weights))]
        data = examples()
        found = repaired(layers, networks, weights, data)
        assert max(furthest(networks, weights, data, found)) < 1e-12
        assert max(furthest(networks, weights, data, mix(weights, networks))) > 0.1


def test_any_point_is_repaired_whatever_path_it_lies_on(layers):
    with jax.enable_x64(True):
        networks, data = [network(0), network(1)], examples()
        found = repaired(layers, networks, (0.4, 0.6), data, params=network(2))
        assert max(furthest(networks, (0.4, 0.6), data, found)) < 1e-12


def test_every_pass_makes_one_more_layer_exact_over_batches_that_differ(layers):
    with jax.enable_x64(True):
        networks, weights = [network(0), network(1)], (0.5, 0.5)
        data = examples(4) + np.arange(4)[:, None, None]
        one, two = (
            furthest(
                networks, weights, data, repaired(layers, networks, weights, data, passes=passes)
            )
            for passes in (1, 2)
        )
        assert one[0] < 1e-12 < 1e-3 < one[1]
        assert max(two) < 1e-12


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0)])
def test_the_ends_are_left_as_they_are(layers, weights):
    networks = [jax.tree.map(np.float32, network(seed)) for seed in range(2)]
    data = examples().astype(np.float32)
    params = networks[int(weights[1])]
    found = repaired(layers, networks, weights, data, params=params)
    assert jax.tree.structure(found) == jax.tree.structure(params)
    for have, expected in zip(jax.tree.leaves(found), jax.tree.leaves(params), strict=True):
        assert have.dtype == expected.dtype
        np.testing.assert_array_equal(have, expected)


def test_identical_networks_are_left_as_they_are(layers):
    with jax.enable_x64(True):
        found = repaired(layers, [network(0)] * 2, (0.3, 0.7), examples())
        for have, expected in zip(jax.tree.leaves(found), jax.tree.leaves(network(0)), strict=True):
            np.testing.assert_allclose(have, expected, rtol=1e-12)


def test_the_outputs_are_not_repaired(layers):
    networks = [network(0), network(1)]
    found = repaired(layers, networks, (0.5, 0.5), examples())
    expected = mix((0.5, 0.5), networks)["out"]
    for leaf in expected:
        np.testing.assert_allclose(found["out"][leaf], expected[leaf], rtol=1e-6)


def test_constant_units_are_left_as_they_are(layers):
    networks = [network(0), network(1)]
    for params in networks:
        params["first"]["kernel"][:, 2] = 0
    middle = mix((0.5, 0.5), networks)
    found = repaired(layers, networks, (0.5, 0.5), examples())
    for leaf in ("kernel", "bias"):
        have, expected = found["first"][leaf], middle["first"][leaf]
        np.testing.assert_array_equal(have[..., 2], np.float32(expected[..., 2]))
        assert abs(have[..., 3] - expected[..., 3]).max() > 1e-3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_many_points_are_repaired_at_once(layers):
    networks, data = [network(0), network(1)], examples()
    ends = repair.measure(layers, apply, stacked(networks), data)
    mixtures = np.array([[0.5, 0.5], [0.1, 0.9]])
    points = stacked([mix(weights, networks) for weights in mixtures])
    found = jax.vmap(
        lambda params, mixture: repair.repair(layers, apply, params, ends, mixture, data)
    )(points, mixtures)
    for i, mixture in enumerate(mixtures):
        one = repaired(layers, networks, mixture, data)
        for have, expected in zip(jax.tree.leaves(found), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(have[i], expected, rtol=1e-4, atol=1e-5)


def test_half_precision_stays_half_precision(layers):
    def half(tree):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), tree)

    networks, data = [half(network(0)), half(network(1))], half(examples())
    ends = repair.measure(layers, apply, jax.tree.map(lambda *x: jnp.stack(x), *networks), data)
    assert {leaf.dtype for leaf in jax.tree.leaves(ends)} == {np.dtype(np.float32)}
    found = repair.repair(layers, apply, networks[0], ends, np.array([0.5, 0.5]), data)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(jnp.bfloat16)}


def test_no_pass_is_refused(layers):
    with pytest.raises(ConfigError, match="passes is 0"):
        repaired(layers, [network(0), network(1)], (0.5, 0.5), examples(), passes=0)


def test_layers_of_another_function_are_refused(layers):
    def other(params, x):
        return x @ params["first"]["kernel"] @ params["second"]["kernel"]

    with pytest.raises(StructureError, match="'first/bias' is not added"):
        repair.measure(layers, other, stacked([network(0)]), examples())
