import flax.linen as nn
import jax
import numpy as np
import pytest

from mconn import landscape
from mconn.data import Split
from mconn.models import CNN, MLP

GENERATOR = np.random.default_rng(0)


def variables(model, inputs):
    """Parameters with wrong running statistics."""
    drawn = jax.jit(model.init)(jax.random.key(0), inputs[:1])
    return {**drawn, "batch_stats": jax.tree.map(lambda s: s + 3.0, drawn["batch_stats"])}


def in_training(model, params, inputs):
    apply = jax.jit(lambda *given: model.apply(*given, train=True, mutable=["batch_stats"])[0])
    return np.asarray(apply(params, inputs))


def batches(shape):
    inputs = GENERATOR.normal(1, 2, size=shape).astype(np.float32)
    return Split(inputs, np.zeros(shape[:2], np.int32))


@pytest.mark.parametrize("momentum", [0.9, 0.99, 0.0])
def test_variance_is_pooled_over_batches_that_differ(momentum):
    class Normaliser(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            return nn.BatchNorm(use_running_average=not train, momentum=momentum)(x)

    data = batches((5, 8, 3))
    data.inputs[:] += 10 * np.arange(5)[:, None, None]
    params = variables(Normaliser(), data.inputs[0])
    found = landscape.BatchNormStatistics(Normaliser())(params, data)["batch_stats"]
    everything = data.inputs.reshape(-1, 3)
    np.testing.assert_allclose(found["BatchNorm_0"]["mean"], everything.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found["BatchNorm_0"]["var"], everything.var(axis=0), rtol=1e-3)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (MLP(8, 2, normaliser="batch"), (1, 64, 5)),
        (CNN(4, 2, normaliser="batch"), (1, 32, 8, 8, 1)),
    ],
)
def test_one_batch_gives_what_training_mode_computes(model, shape):
    data = batches(shape)
    params = variables(model, data.inputs[0])
    refreshed = landscape.BatchNormStatistics(model)(params, data)
    apply = jax.jit(model.apply)
    expected = in_training(model, params, data.inputs[0])
    np.testing.assert_allclose(apply(refreshed, data.inputs[0]), expected, rtol=1e-3, atol=1e-4)
    assert abs(np.asarray(apply(params, data.inputs[0])) - expected).max() > 0.1


def test_training_mode_is_the_network_that_training_sees():
    model = CNN(4, 2, normaliser="batch")
    inputs = batches((1, 32, 8, 8, 1)).inputs[0]
    params = variables(model, inputs)
    before = jax.tree.map(np.array, params)
    found = jax.jit(landscape.TrainingMode(model))(params, inputs)
    expected = in_training(model, params, inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    elsewhere = {**params, "batch_stats": jax.tree.map(lambda s: s + 1, params["batch_stats"])}
    np.testing.assert_array_equal(jax.jit(landscape.TrainingMode(model))(elsewhere, inputs), found)
    jax.tree.map(np.testing.assert_array_equal, params, before)


def test_training_mode_is_hashable_and_without_normalisers_the_network_itself():
    model = MLP(8, 2)
    mode = landscape.TrainingMode(model)
    assert mode == landscape.TrainingMode(MLP(8, 2))
    assert len({mode, landscape.TrainingMode(MLP(8, 2))}) == 1
    inputs = GENERATOR.normal(size=(6, 5)).astype(np.float32)
    params = jax.jit(model.init)(jax.random.key(0), inputs)
    np.testing.assert_allclose(mode(params, inputs), model.apply(params, inputs), rtol=1e-6)
