"""The closed form is that of a mixture of variables that covary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from two_layers import apply, before, examples, layers_of, mix, moments, network, stacked

from mconn import repair


@pytest.fixture(scope="module")
def layers():
    return layers_of(apply, network(0), examples()[0, :2])


def test_means_and_covariances_of_the_first_layer_follow_from_those_of_the_inputs(layers):
    with jax.enable_x64(True):
        data, networks = examples(3), [network(0), network(1)]
        inputs = data.reshape(-1, data.shape[-1])
        spread = np.cov(inputs.T, bias=True)
        ends = repair.measure(layers, apply, stacked(networks), data)
        for i, a in enumerate(networks):
            mean = inputs.mean(axis=0) @ a["first"]["kernel"] + a["first"]["bias"]
            np.testing.assert_allclose(ends.mean["first"][i], mean, rtol=1e-12)
            for j, b in enumerate(networks):
                both = np.einsum("iu,ij,ju->u", a["first"]["kernel"], spread, b["first"]["kernel"])
                np.testing.assert_allclose(ends.covariance["first"][i, j], both, rtol=1e-10)


def test_statistics_of_all_layers_are_pooled_over_batches(layers):
    with jax.enable_x64(True):
        data = examples(3) + 5 * np.arange(3)[:, None, None]
        ends = repair.measure(layers, apply, stacked([network(0)]), data)
        for name, (mean, deviation) in zip(
            ("first", "second"), moments(network(0), data.reshape(-1, 5)), strict=True
        ):
            np.testing.assert_allclose(ends.mean[name][0], mean, rtol=1e-12)
            np.testing.assert_allclose(ends.deviation[name][0], deviation, rtol=1e-12)


@pytest.mark.parametrize("t", [0.5, 0.2])
def test_a_pair_is_corrected_by_the_formula_of_the_paper(layers, t):
    with jax.enable_x64(True):
        networks, data = [network(0), network(1)], examples()
        ends = repair.measure(layers, apply, stacked(networks), data)
        weights = np.array([1 - t, t])
        middle = mix(weights, networks)
        found = repair.repair_closed_form(layers, middle, ends, weights)
        for i, name in enumerate(("first", "second")):
            a, b = (before(params, data[0])[i] for params in networks)
            covariance = ((a - a.mean(axis=0)) * (b - b.mean(axis=0))).mean(axis=0)
            own = (1 - t) ** 2 * a.var(axis=0) + t**2 * b.var(axis=0)
            blend = own + 2 * t * (1 - t) * covariance
            scale = ((1 - t) * a.std(axis=0) + t * b.std(axis=0)) / jnp.sqrt(blend)
            np.testing.assert_allclose(
                found[name]["kernel"], middle[name]["kernel"] * scale, rtol=1e-12
            )


def test_the_first_layer_of_a_mixture_agrees_with_the_forward_pass(layers):
    with jax.enable_x64(True):
        networks, data = [network(seed) for seed in range(3)], examples(2)
        weights = np.array([0.2, 0.3, 0.5])
        ends = repair.measure(layers, apply, stacked(networks), data)
        middle = mix(weights, networks)
        closed = repair.repair_closed_form(layers, middle, ends, weights)
        measured = repair.repair(layers, apply, middle, ends, weights, data)
        for leaf in ("kernel", "bias"):
            np.testing.assert_allclose(
                closed["first"][leaf], measured["first"][leaf], rtol=1e-10, atol=1e-12
            )
        assert abs(closed["second"]["kernel"] - measured["second"]["kernel"]).max() > 1e-3


def test_the_ends_are_left_as_they_are(layers):
    params = jax.tree.map(np.float32, network(0))
    ends = repair.measure(layers, apply, stacked([params, network(1)]), examples())
    found = repair.repair_closed_form(layers, params, ends, np.array([1.0, 0.0]))
    jax.tree.map(np.testing.assert_array_equal, found, params)
