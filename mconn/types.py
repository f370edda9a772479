"""The function and tree types that every floor shares."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

PyTree = Any
"""Any nest of containers that JAX knows as a pytree."""

Params = Any
"""A pytree of arrays: a network's weights, and its running statistics where it has some."""

Batch = Any
"""A pytree of arrays that share their leading axis, one entry per example."""

Key = jax.Array
"""A typed PRNG key, from ``jax.random.key``."""

ApplyFn = Callable[..., Any]
"""``apply(params, *inputs) -> output``: a pure function."""

EvalFn = Callable[[Params, Batch], dict[str, Float[Array, "n"]]]
"""``eval_fn(params, batch) -> {metric: one number per example}``: a pure function."""
