"""Normaliser statistics along a path: the mixture of two networks' statistics fits neither."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn, traverse_util

from mconn.types import Params


@dataclass(frozen=True)
class BatchNormStatistics:
    """Recompute the running statistics of a Flax Linen network's BatchNorms; a ``refresh``.

    One pass over batches of equal size. The mean is the mean of the batches' means and the
    variance follows from the law of total variance, Var = E[Var | batch] + Var(E | batch):
    an average of the batches' variances alone is too small. Later layers see their batch's own
    statistics, as in training. Garipov et al. 2018, section A.2; Jordan et al. 2023.

    Attributes:
        model: the network; called with ``train=True``, it updates ``batch_stats``.
        momentum: the share of the old statistics in its update.
    """

    model: nn.Module
    momentum: float = 0.9

    def __call__(self, params: Params, batches: Any) -> Params:
        """``params`` with statistics of ``batches.inputs``, shape (batches, size, ...)."""
        nothing = jax.tree.map(jnp.zeros_like, params["batch_stats"])

        def of_batch(inputs: Any) -> Params:
            _, updates = self.model.apply(
                {**params, "batch_stats": nothing}, inputs, train=True, mutable=["batch_stats"]
            )
            # From zero statistics one update leaves (1 - momentum) times the batch's own.
            return jax.tree.map(lambda s: s / (1 - self.momentum), updates["batch_stats"])

        by_batch: dict[tuple[str, ...], Any] = dict(
            traverse_util.flatten_dict(jax.lax.map(of_batch, batches.inputs))
        )
        pooled = {
            path: values.mean(axis=0)
            + (by_batch[(*path[:-1], "mean")].var(axis=0) if path[-1] == "var" else 0)
            for path, values in by_batch.items()
        }
        return {**params, "batch_stats": traverse_util.unflatten_dict(pooled)}
