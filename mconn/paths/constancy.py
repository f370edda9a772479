"""Whether the function of a network stays the same along a path."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.paths.path import Path
from mconn.types import ApplyFn


def largest_change(
    apply: ApplyFn, path: Path, ts: Float[np.ndarray | Array, "points ..."], *inputs: Any
) -> Float[Array, ""]:
    """The largest change of an output along a path, over the largest output at its first point.

    It is a rounding error on an orbit arc, and on an arc through a spare unit where no normaliser
    runs over the units.

    Args:
        apply: (params, *inputs) -> outputs.
        path: the path.
        ts: parameters of the points, of which the first is the one to compare with.
        inputs: of the network.

    Raises:
        StructureError: if a point lies outside the path's domain.
    """
    ts = np.asarray(ts)
    path.domain.check(ts)
    return changes(apply, path, jnp.asarray(ts), inputs)


@partial(jax.jit, static_argnums=0)
def changes(apply: ApplyFn, path: Path, ts: Array, inputs: Any) -> Float[Array, ""]:
    """The largest relative change over all points."""
    expected = apply(path(ts[0]), *inputs)

    def at(t: Array) -> Array:
        return largest(jax.tree.map(jnp.subtract, apply(path(t), *inputs), expected))

    return jnp.max(jax.lax.map(at, ts)) / largest(expected)


def largest(outputs: Any) -> Float[Array, ""]:
    """The largest absolute value."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(outputs)]))
