"""Normaliser statistics along a path: the mixture of two networks' statistics fits neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn, traverse_util
from jaxtyping import Array, Float

from mconn.examples import parts
from mconn.types import Params

Statistics = Mapping[tuple[str, ...], Float[Array, "..."]]


@dataclass(frozen=True)
class TrainingMode:
    """A Flax Linen network as in training: a hashable :data:`mconn.types.ApplyFn`.

    Every BatchNorm normalises by the statistics of the batch at hand, so that the running ones do
    not matter. A path is fitted in this mode, as its points have no running statistics of their
    own (Garipov et al. 2018, section A.2); it is measured with :class:`BatchNormStatistics`.

    Attributes:
        model: the network; called with ``train=True``. Its updates of statistics are dropped.
    """

    model: nn.Module

    def __call__(self, params: Params, inputs: Any) -> Array:
        """The logits of a batch, shape (n, classes)."""
        logits, _ = self.model.apply(params, inputs, train=True, mutable=["batch_stats"])
        return logits


@dataclass(frozen=True)
class BatchNormStatistics:
    """Recompute the running statistics of a Flax Linen network's BatchNorms; a ``refresh``.

    One pass over batches of equal size. The mean is the mean of the batches' means and the
    variance follows from the law of total variance, Var = E[Var | batch] + Var(E | batch):
    an average of the batches' variances alone is too small. Later layers see their batch's own
    statistics, as in training. Garipov et al. 2018, section A.2; Jordan et al. 2023.

    The network runs as it is used: without dropout, and with the convolutions of inference, which
    are twice as fast as those of training on a CPU.

    Attributes:
        model: the network; its BatchNorms keep ``mean`` and ``var`` in ``batch_stats``.
    """

    model: nn.Module

    def __call__(self, params: Params, batches: Any) -> Params:
        """``params`` with statistics of the batches' inputs, shape (batches, size, ...)."""
        inputs, _ = parts(batches)
        by_batch = jax.lax.map(lambda inputs: self._of_batch(params, inputs), inputs)
        pooled = {
            path: values.mean(axis=0)
            + (by_batch[(*path[:-1], "mean")].var(axis=0) if path[-1] == "var" else 0)
            for path, values in by_batch.items()
        }
        return {**params, "batch_stats": traverse_util.unflatten_dict(pooled)}

    def _of_batch(self, params: Params, inputs: Any) -> Statistics:
        """Mean and variance of one batch at every BatchNorm."""

        def use_own_statistics(call: Any, arguments: Any, options: Any, context: Any) -> Any:
            module = context.module
            if isinstance(module, nn.BatchNorm) and context.method_name == "__call__":
                mean, variance = _moments(arguments[0], module.axis)
                module.put_variable("batch_stats", "mean", mean)
                module.put_variable("batch_stats", "var", variance)
            return call(*arguments, **options)

        with nn.intercept_methods(use_own_statistics):
            _, updates = self.model.apply(params, inputs, mutable=["batch_stats"])
        found: dict[tuple[str, ...], Any] = dict(traverse_util.flatten_dict(updates["batch_stats"]))
        return found


def _moments(
    x: Float[Array, "..."], features: int | tuple[int, ...]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Mean and variance over all axes but those of the features."""
    kept = np.atleast_1d(features) % x.ndim
    axes = tuple(axis for axis in range(x.ndim) if axis not in kept)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return wide.mean(axes), wide.var(axes)
