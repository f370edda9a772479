"""Small networks of several architectures, and their kernels by explicit Jacobians."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mconn.models import CNN, MLP


class Examples(NamedTuple):
    inputs: np.ndarray
    labels: np.ndarray


class Case(NamedTuple):
    model: object
    shape: tuple[int, ...]
    classes: int = 3

    @property
    def apply(self):
        return self.model.apply

    def network(self, seed=0, dtype=np.float64):
        generator = np.random.default_rng(seed)
        kinds = jax.eval_shape(
            lambda key: self.model.init(key, jnp.zeros((1, *self.shape))), jax.random.key(0)
        )

        def draw(path, kind):
            values = 0.6 * generator.normal(size=kind.shape)
            return (abs(values) + 0.3 if "var" in jax.tree_util.keystr(path) else values).astype(
                dtype
            )

        return jax.tree_util.tree_map_with_path(draw, kinds)

    def examples(self, count, seed=9, dtype=np.float64):
        generator = np.random.default_rng(seed)
        inputs = generator.normal(size=(count, *self.shape)).astype(dtype)
        return Examples(inputs, generator.integers(0, self.classes, count).astype(np.int32))


class Mixed(nn.Module):
    """What the other networks do not have: shared, tied, grouped and unusual weights."""

    @nn.compact
    def __call__(self, x):
        first = nn.Conv(4, (2, 3), strides=(1, 2), padding="VALID", kernel_dilation=(2, 1))(x)
        grouped = nn.Conv(4, (2, 2), feature_group_count=2)(jnp.tanh(first))
        tokens = jnp.tanh(grouped).reshape(len(x), -1, 4)
        shared = nn.Dense(5, use_bias=False)
        hidden = shared(jnp.sin(shared(tokens)[..., :4]))
        few = nn.Dense(7)(hidden.reshape(len(x), 3, -1))  # three positions
        table = self.param("table", nn.initializers.normal(), (7, 6))
        tied = jnp.tanh(few @ (table / np.sqrt(7.0))) @ (-2 * table.T)
        turned = self.param("turned", nn.initializers.normal(), (3, 7))
        offset = self.param("offset", nn.initializers.normal(), (3,))
        return jnp.einsum("oi,ni->no", 0.5 * turned, tied.mean(axis=1)) + 3 * offset


CASES = {
    "mlp": Case(MLP(width=7, depth=2, classes=3), (5,)),
    "mlp gelu": Case(MLP(width=7, depth=2, classes=3, activation="gelu"), (5,)),
    "batch norm": Case(MLP(width=7, depth=2, classes=3, normaliser="batch"), (5,)),
    "layer norm": Case(MLP(width=6, depth=1, classes=3, normaliser="layer"), (5,)),
    "cnn": Case(CNN(width=3, depth=2, classes=3), (6, 5, 2)),
    "cnn batch norm": Case(
        CNN(width=3, depth=2, classes=3, normaliser="batch", head="average"), (6, 6, 1)
    ),
    "mixed": Case(Mixed(), (5, 8, 2)),
}


def jacobian(apply, variables, inputs):
    """The derivative of every output by all parameters, shape (n, classes, parameters)."""

    # One example at a time: the same small program serves any number of them.
    @jax.jit
    def derivatives(variables, example):
        def outputs(params):
            return apply({**variables, "params": params}, example[None])[0]

        leaves = jax.tree.leaves(jax.jacobian(outputs)(variables["params"]))
        return jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)

    return np.stack([derivatives(variables, example) for example in inputs])


def explicit(apply, variables, inputs, others=None):
    """The full kernel by explicit Jacobians."""
    first = jacobian(apply, variables, inputs)
    second = first if others is None else jacobian(apply, variables, others)
    return np.einsum("icp,jdp->ijcd", first, second)
