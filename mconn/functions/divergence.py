"""The Jensen-Shannon divergence of two outputs, precise also where they are nearly the same."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.trees import wide

NEAR = 8.0
"""The largest ratio of two probabilities, as a logarithm, at which the series form is used."""


def jensen_shannon(
    logits: Float[Array | np.ndarray, "*n classes"],
    others: Float[Array | np.ndarray, "*n classes"],
) -> Float[Array, "*n"]:
    """The Jensen-Shannon divergence of the softmax of two outputs, in nats.

    JSD(p, q) = (KL(p | m) + KL(q | m)) / 2 with m = (p + q) / 2. It lies between 0 and log 2, and
    is 1/8 of the squared Fisher-Rao distance where the two are close. With r = log q - log p it is
    a sum over classes of (q - p) r / 4 - (p + q) log cosh(r / 2) / 2, whose terms are both of
    second order in r: nothing cancels, so that the divergence of close outputs keeps its digits.

    Args:
        logits: of one network; -inf for a class that is excluded.
        others: of the other network.
    """
    first, second = (jax.nn.log_softmax(wide(each), axis=-1) for each in (logits, others))
    p, q = jnp.exp(first), jnp.exp(second)
    excluded = jnp.isneginf(first) & jnp.isneginf(second)
    ratio = jnp.where(excluded, 0, second - first)
    near = jnp.clip(ratio, -NEAR, NEAR)
    # q - p = p (e^r - 1) and log cosh(r / 2) = log(1 + 2 sinh(r / 4)^2).
    small = p * jnp.expm1(near) * near / 4 - (p + q) * jnp.log1p(2 * jnp.sinh(near / 4) ** 2) / 2
    far = jnp.clip(abs(ratio), 0, 1000)
    large = (p + q) * (jnp.log(2) - jnp.log1p(jnp.exp(-far))) / 2 - jnp.minimum(p, q) * far / 2
    return jnp.where(abs(ratio) > NEAR, large, small).sum(axis=-1)
