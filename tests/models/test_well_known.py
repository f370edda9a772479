"""The well-known networks have the sizes that their papers give."""

import jax
import jax.numpy as jnp
import pytest

from mconn.errors import ConfigError
from mconn.models import GPT2, VGG16, Llama, resnet20, resnet50, resnet152
from mconn.trees import named_leaves

SMALL = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
LARGE = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
TOKENS = jax.ShapeDtypeStruct((2, 8), jnp.int32)


def parameters(model, inputs):
    return named_leaves(jax.eval_shape(model.init, jax.random.key(0), inputs)["params"])


@pytest.mark.parametrize(
    ("model", "inputs", "millions"),
    [
        (VGG16(), SMALL, 15.3),
        (resnet20(), SMALL, 0.27),
        (resnet50(), LARGE, 25.6),
        (resnet152(), LARGE, 60.2),
        (GPT2(), TOKENS, 124.4),
        (Llama(), TOKENS, 6738),
    ],
    ids=["VGG16", "ResNet-20", "ResNet-50", "ResNet-152", "GPT-2", "Llama"],
)
def test_they_have_as_many_parameters(model, inputs, millions):
    count = sum(leaf.size for leaf in parameters(model, inputs).values())
    assert count / 1e6 == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize(("shortcut", "number"), [("projection", 2), ("padding", 0), ("none", 0)])
def test_only_projections_have_weights_of_their_own(shortcut, number):
    leaves = parameters(resnet20(2, shortcut=shortcut), SMALL)
    assert sum("shortcut/kernel" in name for name in leaves) == number


@pytest.mark.parametrize("option", ["normaliser", "shortcut"])
def test_an_unknown_part_is_named(option):
    with pytest.raises(ConfigError, match="'nothing'"):
        resnet20(2, **{option: "nothing"})
