"""Parameters of every framework work as they are given: discover, certify, act and activations."""

import importlib
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from symmetry_zoo import fill, vectors

from mconn import symmetry
from mconn.symmetry import draw_part


def drawn(init):
    """What an initialisation gives, with values drawn by NumPy: nothing is compiled."""
    return fill(jax.eval_shape(init))


def plain():
    def apply(params, x):
        return jnp.tanh(x @ params["hidden"]["w"] + params["hidden"]["b"]) @ params["out"]

    random = np.random.default_rng(0)
    hidden = {"w": random.normal(size=(4, 6)), "b": random.normal(size=6)}
    return apply, {"hidden": hidden, "out": random.normal(size=(6, 3))}, {"hidden": 6}


def linen():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.BatchNorm(use_running_average=True)(nn.Dense(6)(x))
            return nn.Dense(3)(nn.relu(x))

    model = Net()
    return model.apply, drawn(partial(model.init, jax.random.key(0), vectors())), {"Dense_0": 6}


def split_nnx():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.hidden = nnx.Linear(4, 6, rngs=rngs)
            self.norm = nnx.BatchNorm(6, use_running_average=True, rngs=rngs)
            self.out = nnx.Linear(6, 3, rngs=rngs)

        def __call__(self, x):
            return self.out(nnx.gelu(self.norm(self.hidden(x))))

    graph, state = nnx.split(Net(nnx.Rngs(0)))
    return lambda state, x: nnx.merge(graph, state)(x), state, {"hidden": 6}


def equinox():
    eqx = importlib.import_module("equinox")
    model = eqx.nn.MLP(4, 3, 6, depth=2, activation=jax.nn.silu, key=jax.random.key(0))
    params, static = eqx.partition(model, eqx.is_array)
    return (
        lambda params, x: jax.vmap(eqx.combine(params, static))(x),
        params,
        {"layers/0": 6, "layers/1": 6},
    )


def haiku():
    hk = importlib.import_module("haiku")
    model = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([6, 7, 3])(x)))
    params = drawn(partial(model.init, jax.random.key(0), vectors()))
    return model.apply, params, {"mlp/~/linear_0": 6, "mlp/~/linear_1": 7}


NETWORKS = {
    "plain": (None, plain),
    "linen": (None, linen),
    "nnx": (None, split_nnx),
    "equinox": ("equinox", equinox),
    "haiku": ("haiku", haiku),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_as_given(name, key):
    module, make = NETWORKS[name]
    if module is not None:
        pytest.importorskip(module)
    apply, params, sizes = make()
    x = vectors()
    group = symmetry.discover(apply, params, x)
    assert symmetry.permutations(group).sizes == sizes
    assert group.log_order > 0
    symmetry.certify(group, apply, params, x, key=key).check()
    assert symmetry.from_json(symmetry.to_json(group)) == group
    permutations, rng = group.permutations(), np.random.default_rng(0)
    element, order = (
        {each.name: draw_part(each, rng) for each in some.generators}
        for some in (group, permutations)
    )

    @jax.jit
    def computed(params, element, order):
        moved = symmetry.act(permutations, order, params)
        networks = [params, symmetry.act(group, element, params), moved]
        read = [symmetry.activations(permutations, apply, each, x) for each in (params, moved)]
        return moved, [apply(each, x) for each in networks], read

    moved, (expected, *outputs), (here, there) = computed(params, element, order)
    assert jax.tree.structure(moved) == jax.tree.structure(params)
    assert type(moved) is type(params)
    for found in outputs:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for unit, size in sizes.items():
        assert here[unit][0].shape == (5, size)
        np.testing.assert_allclose(
            here[unit][0][:, order[unit]], there[unit][0], rtol=1e-4, atol=1e-5
        )
