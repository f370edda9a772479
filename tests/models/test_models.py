from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn.errors import ConfigError
from mconn.models import (
    CNN,
    GPT2,
    MLP,
    VGG16,
    Llama,
    PreResNet,
    resnet20,
    resnet50,
    resnet152,
)
from mconn.models.parts import ACTIVATIONS, check_parts
from mconn.trees import named_leaves

IMAGES = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)


def shapes(model, inputs=IMAGES):
    variables = jax.eval_shape(model.init, jax.random.key(0), inputs)
    return {name: leaf.shape for name, leaf in named_leaves(variables).items()}


def filled(model, inputs=IMAGES, seed=0):
    """Variables with numbers of NumPy's, which need no compilation."""
    random = np.random.default_rng(seed)
    variables = jax.eval_shape(model.init, jax.random.key(0), inputs)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.uniform(0.05, 0.3, leaf.shape), leaf.dtype), variables
    )


def test_an_mlp_has_the_layers_it_was_asked_for():
    assert shapes(MLP(width=32, depth=2, classes=7)) == {
        "params/Dense_0/bias": (32,),
        "params/Dense_0/kernel": (64, 32),
        "params/Dense_1/bias": (32,),
        "params/Dense_1/kernel": (32, 32),
        "params/Dense_2/bias": (7,),
        "params/Dense_2/kernel": (32, 7),
    }


def test_a_cnn_doubles_its_channels_and_stops_pooling_at_one_pixel():
    found = shapes(CNN(width=4, depth=4))
    kernels = {name: shape for name, shape in found.items() if name.endswith("kernel")}
    assert kernels == {
        "params/Conv_0/kernel": (3, 3, 1, 4),
        "params/Conv_1/kernel": (3, 3, 4, 8),
        "params/Conv_2/kernel": (3, 3, 8, 16),
        "params/Conv_3/kernel": (3, 3, 16, 32),
        "params/Dense_0/kernel": (32, 10),
    }
    flat, average = (shapes(CNN(width=4, depth=1, head=head)) for head in ("flatten", "average"))
    assert flat["params/Dense_0/kernel"] == (4 * 4 * 4, 10)
    assert average["params/Dense_0/kernel"] == (4, 10)


@pytest.mark.parametrize(
    ("model", "normaliser"),
    [(MLP(8, 2), "none"), (MLP(8, 2), "batch"), (CNN(4, 2), "layer"), (CNN(4, 2), "batch")],
)
def test_evaluation_maps_a_batch_to_logits_and_examples_do_not_mix(model, normaliser):
    model = model.clone(normaliser=normaliser)
    variables = filled(model)
    inputs = np.random.default_rng(1).random((5, 8, 8, 1), np.float32)
    apply = jax.jit(model.apply)
    logits = apply(variables, inputs)
    assert logits.shape == (5, 10)
    np.testing.assert_allclose(apply(variables, inputs[::-1])[::-1], logits, rtol=1e-5)
    assert ("batch_stats" in variables) == (normaliser == "batch")
    names = [name for name in named_leaves(variables) if "Norm" in name]
    assert len(names) == {"none": 0, "layer": 4, "batch": 8}[normaliser]


@pytest.mark.parametrize(
    ("initialiser", "gain", "fan"), [("lecun", 1, 64), ("he", 2, 64), ("glorot", 2, 264)]
)
def test_kernels_have_the_variance_of_their_initialiser(initialiser, gain, fan):
    model = MLP(width=200, depth=1, initialiser=initialiser)
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 8, 8, 1), np.float32))
    kernel = np.asarray(variables["params"]["Dense_0"]["kernel"])
    assert abs(kernel.var() / (gain / fan) - 1) < 0.05


def test_an_mlp_is_the_formula_it_says():
    model = MLP(width=6, depth=2, activation="tanh")
    variables = filled(model)
    inputs = np.random.default_rng(1).random((3, 8, 8, 1), np.float32)
    layers = [variables["params"][f"Dense_{i}"] for i in range(3)]
    hidden = inputs.reshape(3, 64)
    for layer in layers[:2]:
        hidden = np.tanh(hidden @ layer["kernel"] + layer["bias"])
    expected = hidden @ layers[2]["kernel"] + layers[2]["bias"]
    np.testing.assert_allclose(model.apply(variables, inputs), expected, rtol=1e-5)


@pytest.mark.parametrize("model", [MLP, CNN])
@pytest.mark.parametrize("argument", ["width", "depth", "classes"])
def test_a_size_below_one_is_refused(model, argument):
    with pytest.raises(ConfigError, match=f"{argument} is 0"):
        model(**{argument: 0})


def test_an_unknown_part_names_the_nearest_and_all():
    # Not a network itself, whose annotations the tests would check before the network does.
    sizes = {"width": 1, "depth": 1, "classes": 1}
    named = {**sizes, "activation": "relu", "normaliser": "none", "initialiser": "he"}
    check_parts(SimpleNamespace(**named))
    with pytest.raises(ConfigError, match=r"'rleu' is unknown \(did you mean 'relu'\?\): .* gelu,"):
        check_parts(SimpleNamespace(**named | {"activation": "rleu"}))
    with pytest.raises(
        ConfigError, match=r"'group' is unknown.*: choose one of none, layer, batch"
    ):
        check_parts(SimpleNamespace(**named | {"normaliser": "group"}))
    with pytest.raises(ConfigError, match=r"initialiser 'hee' is unknown \(did you mean 'he'\?\)"):
        check_parts(SimpleNamespace(**named | {"initialiser": "hee"}))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_makes_a_network(activation):
    assert jax.eval_shape(
        MLP(4, 1, activation=activation).init_with_output, jax.random.key(0), IMAGES
    )[0].shape == (2, 10)


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
        (GPT2(), TOKENS, 124.4),
        (Llama(), TOKENS, 6738),
        (PreResNet((18, 18, 18)), SMALL, 1.7),
    ],
    ids=["VGG16", "ResNet-20", "ResNet-50", "GPT-2", "Llama", "PreResNet-164"],
)
def test_they_have_as_many_parameters(model, inputs, millions):
    leaves = parameters(model, inputs)
    assert sum(leaf.size for leaf in leaves.values()) / 1e6 == pytest.approx(millions, rel=0.02)
    if isinstance(model, PreResNet):
        kernels = [name for name in leaves if name.endswith("kernel") and "shortcut" not in name]
        assert len(kernels) == 164


def test_152_layers_are_those_of_50_with_more_blocks_in_two_stages():
    """Nothing that has 152 layers need be traced: one block more tells what each of them adds."""
    assert resnet152() == resnet50().clone(blocks=(3, 8, 36, 3))

    def size(*blocks):
        leaves = parameters(resnet50().clone(blocks=blocks), LARGE)
        return sum(leaf.size for leaf in leaves.values())

    least = size(1, 1, 1, 1)
    more = [size(*row) for row in (1 + np.eye(4, dtype=int)).tolist()]
    assert (np.subtract(more, least) @ [2, 7, 35, 2] + least) / 1e6 == pytest.approx(60.2, rel=0.02)


@pytest.mark.parametrize(("shortcut", "number"), [("projection", 2), ("padding", 0), ("none", 0)])
def test_only_projections_have_weights_of_their_own(shortcut, number):
    leaves = parameters(resnet20(2, shortcut=shortcut), SMALL)
    assert sum("shortcut/kernel" in name for name in leaves) == number


@pytest.mark.parametrize("option", ["normaliser", "shortcut"])
def test_an_unknown_part_is_named(option):
    with pytest.raises(ConfigError, match="'nothing'"):
        resnet20(2, **{option: "nothing"})
