"""Networks whose pre-activations are known in closed form."""

import jax
import numpy as np

from mconn import repair, symmetry

INPUTS, WIDTH, OUTPUTS = 5, 7, 3


def apply(params, x):
    """Two hidden layers."""
    return before(params, x)[1].clip(0) @ params["out"]["kernel"] + params["out"]["bias"]


def before(params, x):
    """The pre-activations of both hidden layers."""
    first = x @ params["first"]["kernel"] + params["first"]["bias"]
    return first, first.clip(0) @ params["second"]["kernel"] + params["second"]["bias"]


def network(seed):
    random = np.random.default_rng(seed)
    sizes = {"first": (INPUTS, WIDTH), "second": (WIDTH, WIDTH), "out": (WIDTH, OUTPUTS)}
    return {
        name: {"kernel": random.normal(size=shape), "bias": random.normal(size=shape[1])}
        for name, shape in sizes.items()
    }


def examples(batches=1, size=64, seed=9):
    return np.random.default_rng(seed).normal(1, 2, size=(batches, size, INPUTS))


def mix(weights, networks):
    return jax.tree.map(
        lambda *leaves: sum(w * x for w, x in zip(weights, leaves, strict=True)), *networks
    )


def stacked(networks):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *networks)


def layers_of(function, params, inputs):
    group = symmetry.discover(function, params, inputs)
    return repair.layers(group, function, params, inputs)


def moments(params, x):
    """Mean and standard deviation of the units of both hidden layers."""
    return [
        (z.mean(axis=0), z.std(axis=0))
        for z in before(jax.tree.map(np.asarray, params), np.asarray(x))
    ]
