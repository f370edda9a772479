"""Networks with normalisers: what REPAIR does to BatchNorm, and that it reaches every LayerNorm."""

import jax
import numpy as np
import pytest
import zoo
from two_layers import layers_of, mix, stacked

from mconn import landscape, repair
from mconn.data import Split
from mconn.models import CNN, ResNet

INPUTS = np.random.default_rng(3).normal(size=(1, 48, 4, 4, 3)).astype(np.float32)
HALF = np.array([0.5, 0.5], np.float32)


def drawn(model, seed):
    """Random weights; scales and variances are positive."""
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(model.init, jax.random.key(0), INPUTS[0])

    def draw(path, leaf):
        entries = random.normal(size=leaf.shape).astype(np.float32)
        is_positive = any(name in jax.tree_util.keystr(path) for name in ("scale", "var"))
        return abs(entries) + 0.5 if is_positive else entries

    return jax.tree_util.tree_map_with_path(draw, shapes)


def test_batch_norm_is_repaired_by_new_statistics():
    model = CNN(4, 2, normaliser="batch")
    reset = jax.jit(landscape.BatchNormStatistics(model))
    data = Split(INPUTS, np.zeros(INPUTS.shape[:2], np.int32))
    networks = [reset(drawn(model, seed), data) for seed in range(2)]
    layers = layers_of(model.apply, networks[0], INPUTS[0, :2])
    ends = repair.measure(layers, model.apply, stacked(networks), INPUTS)
    middle = mix(HALF, networks)
    repaired = repair.repair(layers, model.apply, middle, ends, HALF, INPUTS)
    apply = jax.jit(model.apply)
    expected, found, before = (
        apply(params, INPUTS[0]) for params in (reset(middle, data), repaired, middle)
    )
    scale = abs(expected).max()
    assert abs(found - expected).max() < 1e-3 * scale
    assert abs(before - expected).max() > 0.1 * scale


@pytest.mark.parametrize(
    "model",
    [CNN(4, 1, normaliser="layer"), ResNet((1, 1), 2, "basic", normaliser="layer")],
    ids=["CNN", "ResNet"],
)
def test_units_behind_layer_norm_get_the_statistics_of_the_ends(model):
    networks = [drawn(model, seed) for seed in range(2)]
    layers = layers_of(model.apply, networks[0], INPUTS[0, :2])
    ends = repair.measure(layers, model.apply, stacked(networks), INPUTS)
    repaired = repair.repair(layers, model.apply, mix(HALF, networks), ends, HALF, INPUTS)
    found = repair.measure(layers, model.apply, stacked([repaired] * 2), INPUTS)  # one program
    for layer in layers:
        deviation = ends.deviation[layer.name].mean(axis=0)
        np.testing.assert_allclose(found.deviation[layer.name][0], deviation, rtol=1e-3)
        shift = found.mean[layer.name][0] - ends.mean[layer.name].mean(axis=0)
        assert abs(shift / deviation).max() < 1e-3


def test_a_residual_stream_has_one_ratio_per_reader():
    params = zoo.draw(zoo.residual)
    ratio = repair.variance_ratio(
        zoo.permutations(zoo.residual),
        zoo.residual,
        params,
        stacked([params] * 2),
        HALF,
        zoo.examples().inputs[None],
    )
    assert {name: len(values) for name, values in ratio.items()} == {"Dense_0": 2, "Dense_1": 1}
    for values in ratio.values():
        np.testing.assert_allclose(values, 1, rtol=2e-3)
