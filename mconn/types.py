"""The function and tree types that every floor shares."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
from jaxtyping import Array, Float

PyTree: TypeAlias = Any
"""Any nest of containers that JAX knows as a pytree."""

Params: TypeAlias = Any
"""A pytree of arrays: a network's weights, and its running statistics where it has some."""

Batch: TypeAlias = Any
"""A pytree of arrays that share their leading axis, one entry per example."""

Key: TypeAlias = jax.Array
"""A typed PRNG key, from ``jax.random.key``."""

ApplyFn: TypeAlias = Callable[..., Any]
"""``apply(params, *inputs) -> output``: a pure function."""

EvalFn: TypeAlias = Callable[[Params, Batch], dict[str, Float[Array, "n"]]]
"""``eval_fn(params, batch) -> {metric: one number per example}``: a pure function."""
