"""REPAIR without a forward pass of the interpolated network."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.repair.affine import correction, fold_in, goals, unless_at_end
from mconn.repair.layers import Layers
from mconn.repair.statistics import Ends, Moments
from mconn.types import Params


@partial(jax.jit, static_argnums=0)
def repair_closed_form(
    layers: Layers, params: Params, ends: Ends, mixture: Float[Array | np.ndarray, "ends"]
) -> Params:
    """Repair a mixture of networks from the covariances of their units alone.

    If every pre-activation of the mixture were the mixture of the ends' pre-activations, its mean
    would be the goal's, and its variance that of a sum,

        sum_ij w_i w_j Cov(i, j) = (1 - t)^2 s_0^2 + t^2 s_1^2 + 2 t (1 - t) Cov(0, 1),

    so that the correction is known for all mixtures once the ends have been compared. That is true
    of the first layer of a straight line, and approximate behind it: `repair` measures instead.
    Jordan et al. 2023, appendix; Zhou et al. 2023 on how nearly features are mixed.

    Args:
        layers: what is repaired.
        params: the mixture of the ends' parameters.
        ends: statistics of the ends, from `measure`.
        mixture: weights of the ends.

    Returns:
        Parameters of the same structure; at the ends those given, bit for bit.
    """
    goal = goals(ends, mixture)

    def blended(covariance: Float[Array, "ends ends *units"]) -> Float[Array, "*units"]:
        weights = jnp.asarray(mixture, covariance.dtype)
        return jnp.einsum("i,j,ij...->...", weights, weights, covariance)

    maps = {
        name: correction(each, Moments(each.mean, blended(ends.covariance[name])))
        for name, each in goal.items()
    }
    return unless_at_end(mixture, fold_in(layers, params, maps), params)
