"""Gauss-Newton and Fisher matrix: curvature through the outputs of a network, never negative."""

import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from mconn import trees
from mconn.curvature.operator import LinearMap
from mconn.curvature.over_data import OverData, prepared, push_and_pull
from mconn.types import ApplyFn, Batch, Params

OutputLoss = Callable[[Any, Any], Float[Array, "n"]]
"""(outputs, labels) -> the loss of each example, convex in the outputs; hashable."""


def cross_entropy(
    logits: Float[Array, "n classes"], labels: Float[Array, "n"] | Any
) -> Float[Array, "n"]:
    """The cross-entropy of each example, in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(trees.wide(logits), labels)


@dataclass(frozen=True)
class ThroughOutputs(OverData):
    """The mean of J^T M J over examples, with J the Jacobian of the outputs."""

    apply: ApplyFn = field(metadata={"static": True})

    @abc.abstractmethod
    def metric(self, outputs: Any, labels: Any, rates: Any) -> Any:
        """M times the rates of change of the outputs, example by example."""

    def sum_of_batch(self, batch: Batch, real: Any) -> LinearMap:
        """One product with J, one with M, one with J^T."""

        def outputs_of(leaves: Params) -> Any:
            return self.apply(self.moved(leaves), batch.inputs)

        def shown(leaf: Array, like: Array) -> Array:
            return jnp.where(real.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, 0).astype(like.dtype)

        outputs, push, pull = push_and_pull(outputs_of, self.template)

        def multiply(vector: Params) -> Params:
            weighted = self.metric(outputs, batch.labels, push(vector))
            return pull(jax.tree.map(shown, weighted, outputs))

        return multiply


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GaussNewton(ThroughOutputs):
    """The generalised Gauss-Newton matrix: M is the Hessian of the loss by the outputs.

    Positive semi-definite, as the loss is convex in the outputs (Schraudolph 2002).

    Attributes:
        apply: (params, inputs) -> outputs.
        loss: (outputs, labels) -> (n,).
    """

    loss: OutputLoss = field(metadata={"static": True})

    def metric(self, outputs: Any, labels: Any, rates: Any) -> Any:
        """The loss differentiated twice by the outputs."""
        slope = jax.grad(lambda outputs: self.loss(outputs, labels).sum())
        return jax.jvp(slope, (outputs,), (rates,))[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Fisher(ThroughOutputs):
    """The Fisher matrix of a softmax classifier, in full: every label by its probability.

    M is the mean of s s^T over the model's own labels y, with s the gradient of log p(y) by the
    logits. It equals the Gauss-Newton matrix of the cross-entropy (Martens 2020).

    Attributes:
        apply: (params, inputs) -> logits, shape (n, classes).
    """

    def metric(self, outputs: Any, labels: Any, rates: Any) -> Any:
        """The sum over labels of p(y) s (s . rates)."""
        logits = trees.wide(outputs)
        probabilities = jax.nn.softmax(logits)
        scores = jnp.eye(logits.shape[-1], dtype=logits.dtype) - probabilities[:, None, :]
        along = jnp.einsum("nyc,nc->ny", scores, trees.wide(rates))
        return jnp.einsum("ny,nyc->nc", probabilities * along, scores)


def gauss_newton(
    apply: ApplyFn,
    params: Params,
    data: Batch,
    *,
    loss: OutputLoss = cross_entropy,
    batch_size: int = 1000,
    leaves: Iterable[str] | None = None,
) -> GaussNewton:
    """The generalised Gauss-Newton matrix of the mean loss over all of ``data``.

    Args:
        apply: (params, inputs) -> outputs; hashable.
        params: as in `hessian`.
        data: examples with fields ``inputs`` and ``labels``.
        loss: (outputs, labels) -> (n,), convex in the outputs; hashable.
        batch_size: as in `hessian`.
        leaves: as in `hessian`.

    Raises:
        DataError: as `hessian`.
        ConfigError: as `hessian`.
        StructureError: as `hessian`.
    """
    return GaussNewton(*prepared(params, data, batch_size, leaves), apply=apply, loss=loss)


def fisher(
    apply: ApplyFn,
    params: Params,
    data: Batch,
    *,
    batch_size: int = 1000,
    leaves: Iterable[str] | None = None,
) -> Fisher:
    """The Fisher matrix of a softmax classifier on the inputs of ``data``; labels are not used.

    Args:
        apply: (params, inputs) -> logits, shape (n, classes); hashable.
        params: as in `hessian`.
        data: as in `gauss_newton`.
        batch_size: as in `hessian`.
        leaves: as in `hessian`.

    Raises:
        DataError: as `hessian`.
        ConfigError: as `hessian`.
        StructureError: as `hessian`.
    """
    return Fisher(*prepared(params, data, batch_size, leaves), apply=apply)
