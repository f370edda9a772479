"""Networks of several architectures in double precision, and kernels by explicit Jacobians."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mconn.data import Split
from tests import zoo

COUNT = 11
SMOOTH, KINKED = zoo.tanh_mlp, zoo.mlp
SMALL = 30_000
"""Bytes that hold only a few examples of the small networks at a time."""


def layer_norm(params, inputs):
    """The network with stored statistics, with its layers' own in their place."""
    x = inputs
    for number in range(2):
        dense, norm = (params["params"][f"{name}_{number}"] for name in ("Dense", "BatchNorm"))
        x = x @ dense["kernel"] + dense["bias"]
        x = (x - x.mean(axis=1, keepdims=True)) / jnp.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        x = jax.nn.gelu(x * norm["scale"] + norm["bias"])
    return x @ params["params"]["Dense_2"]["kernel"] + params["params"]["Dense_2"]["bias"]


class Mixed(nn.Module):
    """What the other networks do not have: shared, tied, grouped and unusual weights."""

    @nn.compact
    def __call__(self, x):
        padding = [(1, 0), (0, 2)]
        first = nn.Conv(4, (2, 3), strides=(1, 2), padding=padding, kernel_dilation=(2, 1))(x)
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


MIXED = Mixed()
mixed = MIXED.apply
NETWORKS = {
    "mlp": zoo.mlp,
    "tanh": zoo.tanh_mlp,
    "stored statistics": zoo.normalised,
    "layer norm": layer_norm,
    "convolution": zoo.convolution,
    "attention": zoo.attention,
    "mixed": mixed,
}


@functools.cache
def _kinds():
    return jax.eval_shape(lambda key: MIXED.init(key, jnp.zeros((1, 4, 6, 2))), jax.random.key(0))


def network(apply=SMOOTH, seed=0, dtype=np.float64):
    if apply == mixed:
        rng = np.random.default_rng(seed)
        return jax.tree.map(lambda kind: 0.6 * rng.normal(size=kind.shape).astype(dtype), _kinds())
    drawn = zoo.draw(zoo.normalised if apply is layer_norm else apply, seed)
    return jax.tree.map(lambda leaf: leaf.astype(dtype), drawn)


def examples(apply=SMOOTH, count=COUNT, seed=0, dtype=np.float64):
    drawn = zoo.examples(count, seed)
    if apply == mixed:
        inputs = np.random.default_rng([seed, 2]).normal(size=(count, 4, 6, 2))
        return Split(inputs.astype(dtype), drawn.labels)
    return Split(drawn.inputs.astype(dtype), drawn.labels)


@functools.partial(jax.jit, static_argnums=0)
def _derivatives(apply, variables, example):
    def outputs(params):
        return apply({**variables, "params": params}, example[None])[0]

    leaves = jax.tree.leaves(jax.jacobian(outputs)(variables["params"]))
    return jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def jacobian(apply, variables, inputs):
    """The derivative of every output by all parameters, shape (n, classes, parameters)."""
    # One example at a time: the same small program serves any number of them.
    return np.stack([_derivatives(apply, variables, example) for example in inputs])


def explicit(apply, variables, inputs, others=None):
    """The full kernel by explicit Jacobians."""
    first = jacobian(apply, variables, inputs)
    second = first if others is None else jacobian(apply, variables, others)
    return np.einsum("icp,jdp->ijcd", first, second)


def contracted(full, outputs="mean"):
    return full if outputs == "full" else np.einsum("ijcc->ij", full) / (1, 3)[outputs == "mean"]


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


def moved(params, direction, step):
    return jax.tree.map(lambda leaf, move: leaf + step * move, params, direction)


def difference(apply, params, direction, inputs, step=1e-3):
    """The derivative of the full kernel, by differences of the sixth order."""
    weights = {1: 45, 2: -9, 3: 1}
    return sum(
        sign * weight * explicit(apply, moved(params, direction, sign * number * step), inputs)
        for number, weight in weights.items()
        for sign in (1, -1)
    ) / (60 * step)
