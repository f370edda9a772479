"""How much of the variance of the ends' activations an interpolated network keeps."""

from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.repair.statistics import Moments
from mconn.symmetry import Group, activations
from mconn.trees import wide
from mconn.types import ApplyFn, Params

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
