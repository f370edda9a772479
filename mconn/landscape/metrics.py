"""Metrics per example. A mean over examples is taken last, so that comparisons can be paired."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from mconn import trees
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class Classification:
    """Cross-entropy ``loss`` (nats) and 0/1 ``error`` of each example of a classifier.

    A hashable :data:`mconn.types.EvalFn`: two of one ``apply`` share a compiled evaluation.

    Attributes:
        apply: (params, inputs) -> logits, shape (n, classes).
    """

    apply: ApplyFn

    def __call__(self, params: Params, batch: Any) -> dict[str, Float[Array, "n"]]:
        """Metrics of a batch with fields ``inputs`` (n, ...) and ``labels`` (n,)."""
        logits = trees.wide(self.apply(params, batch.inputs))
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
        error = (jnp.argmax(logits, axis=-1) != batch.labels).astype(loss.dtype)
        return {"loss": loss, "error": error}
