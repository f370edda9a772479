"""Affine maps of pre-activations: which one corrects the statistics, and how it is folded in."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.repair.layers import Layers
from mconn.repair.scaling import along
from mconn.repair.statistics import Ends, Moments
from mconn.trees import leaf_name
from mconn.types import Params

ROUNDING = 16
"""Deviations of fewer units in the last place of the mean are those of a constant."""


class Goal(NamedTuple):
    """The mean and the standard deviation that every unit of a layer should have."""

    mean: Float[Array, "*units"]
    deviation: Float[Array, "*units"]


class Affine(NamedTuple):
    """The map ``scale * value + shift`` of the units of one layer."""

    scale: Float[Array, "*units"]
    shift: Float[Array, "*units"]


def goals(ends: Ends, mixture: Float[Array | np.ndarray, "ends"]) -> dict[str, Goal]:
    """The mixture of the ends' means and of their standard deviations (not of their variances).

    Jordan et al. 2023, section 3.2: an interpolation has too little variance, because the ends' own
    units are not perfectly correlated.
    """

    def mixed(values: Float[Array, "ends *units"]) -> Float[Array, "*units"]:
        return jnp.tensordot(jnp.asarray(mixture, values.dtype), values, axes=1)

    return {
        name: Goal(mixed(ends.mean[name]), mixed(deviation))
        for name, deviation in ends.deviation.items()
    }


def correction(goal: Goal, found: Moments) -> Affine:
    """The map to the goal; the identity for a unit that is constant.

    What is constant to working precision has no scale that could be corrected.
    """
    noise = ROUNDING * jnp.finfo(found.variance.dtype).eps * jnp.abs(found.mean)
    varies = (found.variance > 0) & (found.variance > noise**2)
    deviation = jnp.sqrt(jnp.where(varies, found.variance, 1))
    scale = jnp.where(varies, goal.deviation / deviation, 1)
    return Affine(scale, jnp.where(varies, goal.mean - scale * found.mean, 0))


def fold_in(layers: Layers, params: Params, maps: Mapping[str, Affine]) -> Params:
    """The parameters of the network whose layers are followed by these maps."""
    biases = {layer.bias: maps[layer.name] for layer in layers}
    weights = {layer.weight: (layer.axes, maps[layer.name]) for layer in layers}

    def fold(path: tuple[Any, ...], leaf: Any) -> Any:
        name = leaf_name(path)
        if name in biases:
            scale, shift = biases[name]
            return (scale * leaf + shift).astype(leaf.dtype)
        if name in weights:
            axes, (scale, _) = weights[name]
            return (along(scale, axes, leaf.ndim) * leaf).astype(leaf.dtype)
        return leaf

    return jax.tree_util.tree_map_with_path(fold, params)


def unless_at_end(
    mixture: Float[Array | np.ndarray, "ends"], repaired: Params, params: Params
) -> Params:
    """The repaired parameters, or the given ones bit for bit where these are an end."""
    at_end = jnp.max(mixture) == 1
    return jax.tree.map(lambda new, old: jnp.where(at_end, old, new), repaired, params)
