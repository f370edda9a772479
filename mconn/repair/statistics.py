"""Means and covariances of the pre-activations of networks, unit by unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.errors import StructureError
from mconn.jaxprs import Equation, bind, evaluate, trace
from mconn.repair.additions import Units, uses
from mconn.repair.layers import Layers
from mconn.symmetry import Group, activations
from mconn.trees import named_leaves, wide
from mconn.types import ApplyFn, Params

_Visit = Callable[[str, Units, Float[Array, "..."]], Float[Array, "..."]]
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


def walk(layers: Layers, apply: ApplyFn, params: Params, inputs: Any, visit: _Visit) -> None:
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

    return _pooled(jax.lax.map(of_batch, batches))


def _pooled(by_batch: Ends) -> Ends:
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


Mixed = Literal["variances", "deviations"]


@partial(jax.jit, static_argnums=(0, 1), static_argnames=("moment", "mixed"))
def variance_ratio(
    group: Group,
    apply: ApplyFn,
    params: Params,
    networks: Params,
    mixture: Float[Array | np.ndarray, "ends"],
    batches: Any,
    *,
    moment: str = "before",
    mixed: Mixed = "variances",
) -> dict[str, Float[Array, "values"]]:
    """Variance of a network's activations over the mixture of the ends' variances, layer by layer.

    Variances are summed over the units of a layer. One means that nothing is lost; between networks
    whose units do not agree it falls towards zero with depth, layer after layer (Jordan et al.
    2023, figure 3). A repaired network has slightly less than one, for its deviations and not its
    variances are the mixture of the ends'; over the squares of mixed deviations it has one.

    Args:
        group: the group of the network; says where the units of each generator are active.
        apply: the network, ``apply(params, inputs) -> output``.
        params: the interpolated network.
        networks: the ends, stacked along a leading axis.
        mixture: weights of the ends.
        batches: inputs, shape (batches, size, ...).
        moment: "before" the nonlinearity, or "after" it.
        mixed: what of the ends is mixed: their "variances", or their standard "deviations", which
            are squared then.

    Returns:
        For every generator one ratio per value in which its units are active: several for the
        stream of a residual network. It is not a number where the ends are constant.
    """
    check_choice("mixed", mixed, get_args(Mixed))

    def moments(values: Float[Array, "samples units"]) -> Moments:
        values = wide(values)
        return Moments(values.mean(axis=0), values.var(axis=0))

    def of_network(params: Params, inputs: Any) -> dict[str, tuple[Moments, ...]]:
        units = activations(group, apply, params, inputs, moment=moment)
        return jax.tree.map(moments, units)

    def of_batch(inputs: Any) -> Any:
        ends = jax.vmap(of_network, in_axes=(0, None))(networks, inputs)
        return of_network(params, inputs), ends

    def variances(each: Moments) -> Float[Array, "*ends units"]:
        return each.pooled().variance

    def mix(theirs: Float[Array, "ends units"]) -> Float[Array, "units"]:
        if mixed == "variances":
            return jnp.dot(mixture, theirs)
        return jnp.dot(mixture, jnp.sqrt(theirs)) ** 2

    by_batch = jax.lax.map(of_batch, batches)
    own, ends = jax.tree.map(variances, by_batch, is_leaf=lambda node: isinstance(node, Moments))
    return {
        name: jnp.stack(
            [one.sum() / mix(theirs).sum() for one, theirs in zip(values, ends[name], strict=True)]
        )
        for name, values in own.items()
        if values
    }
