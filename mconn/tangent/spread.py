"""How much the kernel differs between seeds."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.errors import ConfigError
from mconn.tangent.budget import MEMORY, Blocks, into_blocks
from mconn.tangent.gram import Request, gram
from mconn.tangent.kernel import check_finite
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class Moments:
    """The mean and the spread of the kernels of several networks, such as seeds.

    Attributes:
        mean: of every entry over networks.
        variance: of every entry over networks, without bias (n - 1).
        count: the number of networks.
    """

    mean: Float[np.ndarray, "n n"]
    variance: Float[np.ndarray, "n n"]
    count: int

    @property
    def relative_variance(self) -> float:
        """E |K - E K|^2 / |E K|^2, Frobenius: 1/m times a constant at width m.

        The squared norm of the mean is corrected for what the spread adds to it.
        """
        spread = self.variance.sum(dtype=np.float64)
        square = (self.mean.astype(np.float64) ** 2).sum() - spread / self.count
        return float(spread / square)


def moments(
    apply: ApplyFn,
    networks: Params,
    inputs: Any,
    *,
    outputs: str = "mean",
    memory: int = MEMORY,
) -> Moments:
    """The mean and variance of every entry of the kernel over networks, one network at a time.

    Args:
        apply: as in `mconn.tangent.kernel`.
        networks: stacked along the leading axis of every leaf.
        inputs: the examples.
        outputs: ``mean`` or ``sum`` over outputs.
        memory: as in `kernel`.

    Raises:
        ConfigError: if there are fewer than two networks, or the kernel would be full.
        DivergenceError: if a kernel is not finite.
    """
    count = len(jax.tree.leaves(networks)[0])
    if count < 2 or outputs == "full":
        raise ConfigError(
            f"the variance of {count} networks' kernels ({outputs}) is not defined: take two or "
            "more networks, and the mean or sum over outputs"
        )
    first = jax.tree.map(lambda leaf: leaf[0], networks)
    blocks = into_blocks(apply, first, inputs, outputs, memory)
    examples = trees.count_examples(inputs)
    mean, variance = (
        np.asarray(each)[:examples, :examples]
        for each in pooled(Request(apply, outputs), networks, blocks)
    )
    check_finite(mean, "the mean kernel")
    return Moments(mean, variance, count)


@partial(jax.jit, static_argnums=0)
def pooled(request: Request, networks: Params, blocks: Blocks) -> tuple[Array, Array]:
    """Mean and variance over networks (Welford 1962)."""

    def add(state: tuple[Array, Array, Array], network: Params) -> tuple[Any, None]:
        number, mean, squares = state
        kernel = gram(request, network, blocks, None)
        change = kernel - mean
        mean = mean + change / (number + 1)
        return (number + 1, mean, squares + change * (kernel - mean)), None

    first = trees.index(networks, 0)
    kind = jax.eval_shape(lambda: gram(request, first, blocks, None))
    empty = jnp.zeros(kind.shape, kind.dtype)
    (number, mean, squares), _ = jax.lax.scan(add, (jnp.zeros(()), empty, empty), networks)
    return mean, squares / (number - 1)
