"""Residual networks in training mode."""

import jax
import numpy as np
import pytest

from mconn.errors import ConfigError
from mconn.models import BasicBlock, ResNet

INPUTS = np.random.default_rng(1).normal(size=(3, 9, 8, 2))


def filled(model):
    shapes = jax.eval_shape(model.init, jax.random.key(0), INPUTS)
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: np.abs(random.normal(size=leaf.shape)), shapes)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("large_images", [False, True])
def test_a_training_step_convolves_as_evaluation_does(block, large_images):
    with jax.enable_x64(True):
        model = ResNet((1, 1), 2, block, normaliser="layer", large_images=large_images)
        variables = filled(model)
        evaluated = model.apply(variables, INPUTS)
        trained = jax.jit(lambda v, x: model.apply(v, x, train=True))(variables, INPUTS)
        np.testing.assert_allclose(trained, evaluated, rtol=1e-9)


def test_training_mode_updates_the_running_statistics():
    model = ResNet((1, 1), 2, "basic")
    variables = filled(model)
    _, updates = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))(
        variables, INPUTS
    )
    before = jax.tree.leaves(variables["batch_stats"])
    for new, old in zip(jax.tree.leaves(updates["batch_stats"]), before, strict=True):
        assert not np.allclose(new, old)


def test_a_block_by_name_is_the_class():
    one, other = (ResNet((1,), 2, block, normaliser="layer") for block in ("basic", BasicBlock))
    variables = filled(one)
    np.testing.assert_array_equal(one.apply(variables, INPUTS), other.apply(variables, INPUTS))


def test_an_unknown_block_is_named():
    with pytest.raises(ConfigError, match="block 'basik' is unknown"):
        ResNet((1,), 2, "basik")
