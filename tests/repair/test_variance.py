"""The variance that mixtures of networks lose, against closed forms."""

import jax
import numpy as np
import pytest
from two_layers import apply, before, examples, layers_of, mix, network, stacked

from mconn import repair, symmetry

HALF = np.array([0.5, 0.5])


@pytest.fixture(scope="module")
def group():
    return symmetry.permutations(symmetry.discover(apply, network(0), examples()[0, :2]))


def test_identical_networks_lose_nothing(group):
    with jax.enable_x64(True):
        ratio = repair.variance_ratio(
            group, apply, network(0), stacked([network(0)] * 2), HALF, examples(2)
        )
        assert list(ratio) == ["first", "second"]
        for values in ratio.values():
            np.testing.assert_allclose(values, [1], rtol=1e-12)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_it_is_the_variance_over_the_mixture_of_the_ends(group, moment):
    with jax.enable_x64(True):
        networks, data, weights = [network(0), network(1)], examples(3), np.array([0.3, 0.7])
        middle = mix(weights, networks)
        found = repair.variance_ratio(
            group, apply, middle, stacked(networks), weights, data, moment=moment
        )
        for layer, name in enumerate(("first", "second")):

            def variance(params, layer=layer):
                values = before(params, data.reshape(-1, data.shape[-1]))[layer]
                return (values.clip(0) if moment == "after" else values).var(axis=0).sum()

            expected = variance(middle) / (weights @ np.array(list(map(variance, networks))))
            np.testing.assert_allclose(found[name], [expected], rtol=1e-12)


def test_opposite_networks_cancel(group):
    network_a = network(0)
    opposite = jax.tree.map(np.negative, network_a)
    ratio = repair.variance_ratio(
        group,
        apply,
        mix(HALF, [network_a, opposite]),
        stacked([network_a, opposite]),
        HALF,
        examples(),
    )
    np.testing.assert_array_equal(ratio["first"], [0])


def test_a_repaired_network_has_that_of_the_mixed_deviations(group):
    with jax.enable_x64(True):
        networks, data = [network(0), network(1)], examples()
        layers = layers_of(apply, networks[0], data[0, :2])
        ends = repair.measure(layers, apply, stacked(networks), data)
        found = repair.repair(layers, apply, mix(HALF, networks), ends, HALF, data)
        ratio = repair.variance_ratio(group, apply, found, stacked(networks), HALF, data)
        for name, values in ratio.items():
            deviation = ends.deviation[name]
            expected = (deviation.mean(axis=0) ** 2).sum() / (deviation**2).mean(axis=0).sum()
            np.testing.assert_allclose(values, [expected], rtol=1e-10)
            assert 0.8 < expected < 1
        exact = repair.variance_ratio(
            group, apply, found, stacked(networks), HALF, data, mixed="deviations"
        )
        for values in exact.values():
            np.testing.assert_allclose(values, [1], rtol=1e-10)
