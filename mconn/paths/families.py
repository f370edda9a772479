"""The families of paths. Each is a basis over control points."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.errors import StructureError
from mconn.paths.path import Path, stack_controls
from mconn.types import Params


def _linear(t: Any) -> Float[Array, "2"]:
    t = jnp.asarray(t, float)
    return jnp.stack([1 - t, t])


def _barycentric(t: Any) -> Float[Array, "k"]:
    return jnp.asarray(t, float)


def line(a: Params, b: Params) -> Path:
    """The segment (1 - t) a + t b, for t in [0, 1]; ``line(a, b)(0)`` is ``a``, bit for bit.

    Raises:
        StructureError: naming the first leaf in which the two networks differ.
    """
    return Path(stack_controls([a, b], ["a", "b"]), basis=_linear, mixture=_linear)


def simplex(networks: Sequence[Params]) -> Path:
    """All mixtures of k networks; its parameter is the vector of k weights, which sums to one.

    Raises:
        StructureError: with fewer than two networks, or naming the first leaf that differs.
    """
    if len(networks) < 2:
        raise StructureError(f"a simplex needs at least two networks, got {len(networks)}")
    names = [f"network {i}" for i in range(len(networks))]
    controls = stack_controls(list(networks), names)
    return Path(controls, basis=_barycentric, mixture=_barycentric)
