"""Every network in training mode: statistics of the batch, and convolutions as in evaluation."""

import jax
import numpy as np
import pytest

from mconn.errors import ConfigError
from mconn.models import CNN, MLP, VGG16, BasicBlock, PreResNet, ResNet
from mconn.trees import named_leaves

INPUTS = np.random.default_rng(1).normal(size=(3, 16, 16, 2))


def shapes(model, inputs=INPUTS):
    return jax.eval_shape(model.init, jax.random.key(0), inputs)


def filled(model, inputs=INPUTS):
    """Numbers of NumPy's, in double precision; a kernel's keep the size of what it reads."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: np.abs(rng.normal(size=leaf.shape)) / np.sqrt(np.prod(leaf.shape[:-1])),
        shapes(model, inputs),
    )


def test_training_moves_the_running_statistics_to_those_of_the_batch():
    model, x = MLP(8, 1, normaliser="batch"), INPUTS.astype(np.float32)
    variables = jax.tree.map(np.float32, filled(model))
    _, updates = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))(
        variables, x
    )
    dense = variables["params"]["Dense_0"]
    hidden = x.reshape(len(x), -1) @ dense["kernel"] + dense["bias"]
    (before,), (after,) = (each["batch_stats"].values() for each in (variables, updates))
    expected = {"mean": hidden.mean(axis=0), "var": hidden.var(axis=0)}
    for name, of_batch in expected.items():
        np.testing.assert_allclose(after[name], 0.9 * before[name] + 0.1 * of_batch, rtol=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        CNN(4, 1, normaliser="batch"),
        ResNet((1, 1), 2, "basic"),
        PreResNet((1, 1), 2),
        VGG16(2, normaliser="batch"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_training_updates_all_running_statistics(model):
    """None is handed on as it came, in the program: which need not be compiled."""

    def updates(variables):
        return model.apply(variables, INPUTS, train=True, mutable=["batch_stats"])[1]

    variables = shapes(model)
    program = jax.make_jaxpr(updates)(variables).jaxpr
    assert len(program.outvars) == len(jax.tree.leaves(variables["batch_stats"])) > 0
    assert not set(program.outvars) & set(program.invars)


@pytest.mark.parametrize(
    "model",
    [
        # Every kind of convolution: 7 x 7, 3 x 3 and 1 x 1, with strides 1 and 2.
        ResNet((1, 1), 2, "bottleneck", normaliser="layer", large_images=True),
        VGG16(2, normaliser="none"),
    ],
    ids=["bottleneck, large images", "VGG16"],
)
def test_a_training_step_convolves_as_evaluation_does(model):
    with jax.enable_x64(True):
        variables, x = filled(model), INPUTS[:, :9, :8] if "Res" in str(type(model)) else INPUTS
        assert set(variables) == {"params"}
        run = jax.jit(lambda v, x, train: model.apply(v, x, train=train), static_argnums=2)
        np.testing.assert_allclose(run(variables, x, True), run(variables, x, False), rtol=1e-9)


def test_gradients_of_a_training_step_are_those_of_evaluation():
    with jax.enable_x64(True):
        model, inputs = CNN(width=4, depth=3), INPUTS[:, :9, :7]
        variables = filled(model, inputs)

        def loss(variables, train):
            return (model.apply(variables, inputs, train=train) ** 2).sum()

        gradients = [jax.jit(jax.grad(loss), static_argnums=1)(variables, t) for t in (False, True)]
        for name, leaf in named_leaves(gradients[0]).items():
            np.testing.assert_allclose(named_leaves(gradients[1])[name], leaf, rtol=1e-10)


@pytest.mark.parametrize("bottleneck", [True, False])
def test_the_input_of_a_block_is_added_as_it_is(bottleneck):
    with jax.enable_x64(True):
        x = INPUTS[:, :9, :8]
        wide = PreResNet((2, 2), 2, bottleneck=bottleneck, normaliser="layer")
        params = filled(wide, x)
        last = "Conv_2" if bottleneck else "Conv_1"
        # The second block of a stage has no convolution beside it: with a last one of zeros it
        # is the identity.
        for stage in (1, 3):
            params["params"][f"PreActivationBlock_{stage}"][last]["kernel"] *= 0
        short = PreResNet((1, 1), 2, bottleneck=bottleneck, normaliser="layer")
        fewer = dict(params["params"])
        second = fewer.pop("PreActivationBlock_2")
        fewer = {**fewer, "PreActivationBlock_1": second}
        del fewer["PreActivationBlock_3"]
        expected = jax.jit(short.apply)({"params": fewer}, x)
        np.testing.assert_allclose(jax.jit(wide.apply)(params, x), expected, rtol=1e-12)


def test_a_block_by_name_is_the_class():
    one, other = (ResNet((1,), 2, block, normaliser="layer") for block in ("basic", BasicBlock))
    programs = [
        jax.jit(model.apply).lower(shapes(model), INPUTS).as_text() for model in (one, other)
    ]
    assert programs[0] == programs[1]


def test_unknown_parts_are_named():
    with pytest.raises(ConfigError, match="block 'basik' is unknown"):
        ResNet((1,), 2, "basik")
    with pytest.raises(ConfigError, match="normaliser 'nothing' is unknown"):
        PreResNet((1,), normaliser="nothing")
