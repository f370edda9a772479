"""The networks that curves were published for: VGG16 with any normaliser, and PreResNet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn.errors import ConfigError
from mconn.models import VGG16, PreResNet
from mconn.trees import named_leaves

IMAGES = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)


def shapes(model, inputs=IMAGES):
    return jax.eval_shape(model.init, jax.random.key(0), inputs)


def filled(model, inputs):
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: np.abs(random.normal(size=leaf.shape)) / np.sqrt(np.prod(leaf.shape[:-1])),
        shapes(model, inputs),
    )


def test_164_layers_have_the_published_size():
    leaves = named_leaves(shapes(PreResNet((18, 18, 18)))["params"])
    kernels = [name for name in leaves if name.endswith("kernel") and "shortcut" not in name]
    assert len(kernels) == 164
    assert sum(leaf.size for leaf in leaves.values()) / 1e6 == pytest.approx(1.7, rel=0.02)


@pytest.mark.parametrize("bottleneck", [True, False])
def test_the_input_of_a_block_is_added_as_it_is(bottleneck):
    with jax.enable_x64(True):
        x = np.random.default_rng(1).normal(size=(3, 9, 8, 2))
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
        np.testing.assert_allclose(
            wide.apply(params, x), short.apply({"params": fewer}, x), rtol=1e-12
        )


@pytest.mark.parametrize(
    "model",
    [PreResNet((1, 1), 2), VGG16(2, normaliser="batch")],
    ids=["PreResNet", "VGG16"],
)
def test_training_updates_the_running_statistics(model):
    x = np.random.default_rng(1).normal(size=(3, 16, 16, 3)).astype(np.float32)
    variables = jax.tree.map(np.float32, filled(model, x))
    _, updates = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))(
        variables, x
    )
    before = jax.tree.leaves(variables["batch_stats"])
    for new, old in zip(jax.tree.leaves(updates["batch_stats"]), before, strict=True):
        assert not np.allclose(new, old)


def test_training_without_normaliser_computes_the_same():
    with jax.enable_x64(True):
        model = VGG16(2, normaliser="none")
        x = np.random.default_rng(1).normal(size=(2, 16, 16, 3))
        variables = filled(model, x)
        assert set(variables) == {"params"}
        trained = jax.jit(lambda v, x: model.apply(v, x, train=True))(variables, x)
        np.testing.assert_allclose(trained, model.apply(variables, x), rtol=1e-9)


def test_an_unknown_normaliser_is_named():
    with pytest.raises(ConfigError, match="normaliser 'nothing' is unknown"):
        PreResNet((1,), normaliser="nothing")
