"""The layers that are found, and those that are left out with a reason."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from two_layers import layers_of

from mconn import repair, symmetry
from mconn.errors import StructureError
from mconn.models import CNN, GPT2, MLP, ResNet

VECTORS = jax.ShapeDtypeStruct((2, 5), jnp.float32)
IMAGES = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)


def found_in(model, inputs):
    params = jax.eval_shape(model.init, jax.random.key(0), inputs)
    found = layers_of(model.apply, params, inputs)
    names = [layer.name.removeprefix("params/") for layer in found]
    return found, names, {each.leaf: each.reason for each in found.skipped}


def shapes(**leaves):
    return {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in leaves.items()}


def test_hidden_layers_are_found_and_the_outputs_left_out():
    found, names, skipped = found_in(MLP(6, 2), VECTORS)
    assert names == ["Dense_0", "Dense_1"]
    first = found.found[0]
    assert (first.weight, first.bias) == ("params/Dense_0/kernel", "params/Dense_0/bias")
    assert (first.axes, first.generators) == ((1,), ("Dense_0",))
    assert skipped == {"params/Dense_2/bias": "has units that nothing moves (an output)"}
    assert "left out: params/Dense_2/bias has units that nothing moves" in found.describe()


@pytest.mark.parametrize("normaliser", ["layer", "batch"])
def test_normalisers_are_layers_of_their_own(normaliser):
    found, names, _ = found_in(CNN(4, 2, normaliser=normaliser), IMAGES)
    name = {"layer": "LayerNorm", "batch": "BatchNorm"}[normaliser]
    assert names == ["Conv_0", f"{name}_0", "Conv_1", f"{name}_1"]
    assert [layer.axes for layer in found] == [(3,), (0,), (3,), (0,)]
    assert found.found[1].weight == f"params/{name}_0/scale"


def test_layers_without_a_bias_are_named():
    _, names, skipped = found_in(ResNet((1, 1), 4, "basic", normaliser="layer"), IMAGES)
    assert len(names) == 1 + 2 * 2 + 1
    assert all("LayerNorm" in name for name in names)
    missing = [leaf for leaf, reason in skipped.items() if reason.startswith("has no bias")]
    assert len(missing) == len(names)
    assert "params/BasicBlock_1/shortcut/kernel" in missing


def test_joined_projections_and_branches_of_a_transformer():
    found, names, skipped = found_in(
        GPT2(depth=1, width=8, heads=2, vocabulary=11, context=4),
        jax.ShapeDtypeStruct((2, 4), jnp.int32),
    )
    block = ["LayerNorm_0", "Dense_0", "Dense_1", "LayerNorm_1", "Dense_3", "Dense_2"]
    assert names == [*(f"GPT2Block_0/{name}" for name in block), "LayerNorm_0"]
    assert len(found.found[1].generators) == 3
    assert set(skipped) == {"params/positions", "params/Embed_0/embedding"}


def test_biases_of_several_axes():
    class Heads(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.relu(nn.DenseGeneral((2, 4))(x)).reshape(-1, 8))

    found, _, _ = found_in(Heads(), VECTORS)
    assert found.found[0].axes == (1, 2)


def test_leaves_without_modules_are_told_apart_by_what_they_do():
    def apply(params, x):
        hidden = jax.nn.relu(x @ params["w1"] + params["b1"])
        hidden = jax.nn.relu(params["w2"] @ hidden.T + params["b2"][:, None])
        return params["w3"] @ hidden

    leaves = shapes(w1=(4, 4), b1=(4,), w2=(4, 4), b2=(4,), w3=(3, 4))
    found = layers_of(apply, leaves, jax.ShapeDtypeStruct((2, 4), jnp.float32))
    assert [(each.name, each.weight, each.axes) for each in found] == [
        ("b1", "w1", (1,)),
        ("b2", "w2", (0,)),
    ]


def test_shared_layers_cannot_be_repaired():
    def apply(params, x):
        hidden = x
        for _ in range(2):
            hidden = jax.nn.relu(hidden @ params["h"]["w"] + params["h"]["b"])
        return hidden @ params["out"]

    leaves = {"h": shapes(w=(4, 4), b=(4,)), **shapes(out=(4, 3))}
    group = symmetry.permutations(
        symmetry.discover(apply, leaves, jax.ShapeDtypeStruct((2, 4), jnp.float32))
    )
    found = repair.layers(group, apply, leaves, jax.ShapeDtypeStruct((2, 4), jnp.float32))
    assert not found.found
    reasons = {each.leaf: each.reason for each in found.skipped}
    assert reasons["h/b"] == "is added in several places"
    assert len(reasons) == len(found.skipped)


def test_a_weight_that_is_used_elsewhere_is_no_weight_of_the_layer():
    def apply(params, x):
        hidden = jax.nn.relu(x @ params["tied"]["w"] + params["tied"]["b"])
        return hidden @ params["tied"]["w"].T

    leaves = {"tied": shapes(w=(4, 6), b=(6,))}
    found = layers_of(apply, leaves, jax.ShapeDtypeStruct((2, 4), jnp.float32))
    reasons = {each.leaf: each.reason for each in found.skipped}
    assert not found.found
    assert reasons["tied/b"] == "has no sibling leaf that multiplies what it is added to"


def test_a_normalised_weight_is_not_proportional_but_its_scale_is():
    def apply(params, x):
        weight = params["h"]["v"] / jnp.linalg.norm(params["h"]["v"], axis=0)
        hidden = jax.nn.relu(x @ (weight * params["h"]["g"]) + params["h"]["b"])
        return hidden @ params["out"]

    leaves = {"h": shapes(v=(4, 6), g=(6,), b=(6,)), **shapes(out=(6, 3))}
    found = layers_of(apply, leaves, jax.ShapeDtypeStruct((2, 4), jnp.float32))
    assert [(each.weight, each.axes) for each in found] == [("h/g", (0,))]


def test_layers_under_a_loop_are_named():
    def apply(params, x):
        def step(hidden, layer):
            return jax.nn.relu(hidden @ layer["w"] + layer["b"]), None

        hidden = x @ params["in"]["w"] + params["in"]["b"]
        hidden, _ = jax.lax.scan(step, hidden, params["loop"])
        return hidden @ params["out"]

    leaves = {
        "in": shapes(w=(4, 6), b=(6,)),
        "loop": shapes(w=(3, 6, 6), b=(3, 6)),
        **shapes(out=(6, 3)),
    }
    found = layers_of(apply, leaves, jax.ShapeDtypeStruct((2, 4), jnp.float32))
    assert [layer.name for layer in found] == ["in"]
    reasons = {each.leaf: each.reason for each in found.skipped}
    assert reasons["loop/w"] == reasons["loop/b"] == "is used inside a loop or a branch"


def test_parameters_of_another_network_are_refused():
    params = jax.eval_shape(MLP(6, 2).init, jax.random.key(0), VECTORS)
    group = symmetry.discover(MLP(6, 2).apply, params, VECTORS)
    other = jax.eval_shape(MLP(7, 2).init, jax.random.key(0), VECTORS)
    with pytest.raises(StructureError, match="params/Dense_0/bias"):
        repair.layers(group, MLP(7, 2).apply, other, VECTORS)


def test_they_are_a_key_of_compiled_programs():
    one, two = (found_in(MLP(6, 2), VECTORS)[0] for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert np.asarray(len(one)) == 2
