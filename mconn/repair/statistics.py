"""Means and covariances of the pre-activations of networks, unit by unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.errors import StructureError
from mconn.jaxprs import Equation, bind, evaluate, trace
from mconn.repair.additions import Units, uses
from mconn.repair.layers import Layers
from mconn.trees import named_leaves, wide
from mconn.types import ApplyFn, Params

Visit = Callable[[str, Units, Float[Array, "..."]], Float[Array, "..."]]
"""(layer's name, its units, its value) -> what takes the place of the value."""


class Moments(NamedTuple):
    """Mean and variance of every unit of one layer of one network."""

    mean: Float[Array, "*units"]
    variance: Float[Array, "*units"]

    def pooled(self) -> "Moments":
        """Those of all batches together, from those of batches of equal size on a leading axis.

        The law of total variance: an average of the batches' variances alone is too small.
        """
        within, between = self.variance.mean(axis=0), self.mean.var(axis=0)
        return Moments(self.mean.mean(axis=0), within + between)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Ends:
    """Statistics of the same layers of several networks, over the same examples.

    Attributes:
        mean: {layer: means of the units of every network, shape (ends, *units)}.
        covariance: {layer: covariances of the same unit in two networks, (ends, ends, *units)}.
    """

    mean: Mapping[str, Any]
    covariance: Mapping[str, Any]

    @property
    def deviation(self) -> dict[str, Float[Array, "ends *units"]]:
        """{layer: standard deviations, shape (ends, *units)}."""
        return {
            name: jnp.sqrt(jnp.moveaxis(jnp.diagonal(both), -1, 0))
            for name, both in self.covariance.items()
        }


def walk(layers: Layers, apply: ApplyFn, params: Params, inputs: Any, visit: Visit) -> None:
    """Compute the pre-activations in the network's order, each replaced by what ``visit`` returns.

    Raises:
        StructureError: if a layer's bias is not where it was when the layers were found.
    """
    program = trace(apply, params, inputs)
    names = list(named_leaves(params))
    found = {names[each.leaf]: each for each in uses(program, len(names)).additions}
    for layer in layers:
        if layer.bias not in found:
            raise StructureError(
                f"the leaf '{layer.bias}' is not added to anything in this network: "
                "find the layers with the same function"
            )
    visited = {
        found[layer.bias].value: (layer.name, Units(program, found[layer.bias])) for layer in layers
    }

    def apply_and_visit(equation: Equation, operands: Any) -> list[Any]:
        results = bind(equation, operands)
        return [
            visit(*visited[number], result) if number in visited else result
            for number, result in zip(equation.outputs, results, strict=True)
        ]

    arguments = jax.tree.leaves((params, inputs))
    evaluate(program, arguments, list(visited), apply_and_visit)


@partial(jax.jit, static_argnums=(0, 1))
def measure(layers: Layers, apply: ApplyFn, networks: Params, batches: Any) -> Ends:
    """Statistics of the layers of several networks.

    Args:
        layers: the layers.
        apply: the network, ``apply(params, inputs) -> output``.
        networks: the networks' parameters, stacked along a leading axis of ``ends``.
        batches: inputs, shape (batches, size, ...); all batches count alike.
    """

    def of_batch(inputs: Any) -> Ends:
        places: dict[str, Units] = {}

        def one(params: Params) -> dict[str, Float[Array, "..."]]:
            seen: dict[str, Float[Array, ...]] = {}

            def note(name: str, units: Units, value: Float[Array, "..."]) -> Float[Array, "..."]:
                seen[name], places[name] = value, units
                return value

            walk(layers, apply, params, inputs, note)
            return seen

        values = jax.vmap(one)(networks)
        means, covariances = {}, {}
        for name, value in values.items():
            units = places[name]
            means[name] = jax.vmap(units.mean)(value)
            centred = wide(value) - jax.vmap(units.spread)(means[name])
            rows = jax.vmap(units.mean)
            covariances[name] = jax.lax.map(lambda row: rows(row * centred), centred)  # noqa: B023
        return Ends(means, covariances)

    return pooled(jax.lax.map(of_batch, batches))


def pooled(by_batch: Ends) -> Ends:
    """The statistics of all batches together, from those of batches of equal size.

    The law of total covariance: the mean of the batches' covariances, and the covariance of their
    means.
    """

    def total(mean: Float[Array, "b e *u"], within: Float[Array, "b e e *u"]) -> Any:
        between = mean - mean.mean(axis=0)
        return within.mean(axis=0) + (between[:, :, None] * between[:, None]).mean(axis=0)

    return Ends(
        {name: mean.mean(axis=0) for name, mean in by_batch.mean.items()},
        {name: total(by_batch.mean[name], both) for name, both in by_batch.covariance.items()},
    )
