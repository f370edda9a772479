"""Hessian, Gauss-Newton and Fisher matrices over a whole data set, and their blocks by layer."""

import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from mconn import trees
from mconn.curvature.operators import LinearMap, OverData, prepared, push_and_pull
from mconn.examples import parts
from mconn.landscape import loss_of, values_of
from mconn.types import ApplyFn, Batch, EvalFn, Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Hessian(OverData):
    """The Hessian of the mean loss; of a piecewise linear network, without its kinks.

    Attributes:
        eval_fn: (params, batch) -> {"loss": (n,), ...}.
    """

    eval_fn: EvalFn = field(metadata={"static": True})

    def sum_of_batch(self, batch: Batch, real: Any) -> LinearMap:
        """Forward over reverse; reverse over forward and reverse over reverse cost the same."""

        def total(leaves: Params) -> Array:
            values = values_of(self.eval_fn, self.moved(leaves), batch)
            return jnp.where(real, loss_of(values), 0).sum()

        return jax.linearize(jax.grad(total), self.template)[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EmpiricalFisher(OverData):
    """The mean of g g^T over examples, with g the gradient of an example's own loss.

    It is not the Fisher matrix, whose labels are the model's own (Kunstner et al. 2019,
    *Limitations of the empirical Fisher approximation*).

    Attributes:
        eval_fn: (params, batch) -> {"loss": (n,), ...}.
    """

    eval_fn: EvalFn = field(metadata={"static": True})

    def sum_of_batch(self, batch: Batch, real: Any) -> LinearMap:
        """J^T J with J the Jacobian of the losses."""

        def losses(leaves: Params) -> Array:
            return jnp.where(real, loss_of(values_of(self.eval_fn, self.moved(leaves), batch)), 0)

        _, push, pull = push_and_pull(losses, self.template)
        return lambda vector: pull(push(vector))


def hessian(
    eval_fn: EvalFn,
    params: Params,
    data: Batch,
    *,
    batch_size: int = 1000,
    leaves: Iterable[str] | None = None,
) -> Hessian:
    """The Hessian of the mean loss over all of ``data``.

    Args:
        eval_fn: (params, batch) -> {"loss": (n,), ...}; hashable.
        params: the network; integers, and leaves called ``batch_stats``, are held.
        data: pytree of arrays with one leading axis of examples.
        batch_size: largest number of examples in one batch. Where one batch holds them all, what
            does not depend on the vector is computed once per program and kept.
        leaves: the names of the leaves that move; all parameters by default.

    Raises:
        DataError: if there is no example, or the leading axes differ.
        ConfigError: if a batch would be empty.
        StructureError: if there is no such leaf; when used, if there is no metric ``loss``.
    """
    return Hessian(*prepared(params, data, batch_size, leaves), eval_fn=eval_fn)


def empirical_fisher(
    eval_fn: EvalFn,
    params: Params,
    data: Batch,
    *,
    batch_size: int = 1000,
    leaves: Iterable[str] | None = None,
) -> EmpiricalFisher:
    """The mean over ``data`` of g g^T, with g the gradient of each example's loss.

    Args:
        eval_fn: as in `hessian`, and so are all arguments.
        params: the network.
        data: the examples.
        batch_size: largest number of examples in one batch.
        leaves: the names of the leaves that move.

    Raises:
        ConfigError, DataError, StructureError: as `hessian`.
    """
    return EmpiricalFisher(*prepared(params, data, batch_size, leaves), eval_fn=eval_fn)


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
        inputs, labels = parts(batch)

        def outputs_of(leaves: Params) -> Any:
            return self.apply(self.moved(leaves), inputs)

        def shown(leaf: Array, like: Array) -> Array:
            return jnp.where(real.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, 0).astype(like.dtype)

        outputs, push, pull = push_and_pull(outputs_of, self.template)

        def multiply(vector: Params) -> Params:
            weighted = self.metric(outputs, labels, push(vector))
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
        data: examples, with labels; whatever `mconn.examples.parts` takes.
        loss: (outputs, labels) -> (n,), convex in the outputs; hashable.
        batch_size: as in `hessian`.
        leaves: as in `hessian`.

    Raises:
        ConfigError, DataError, StructureError: as `hessian`.
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
        ConfigError, DataError, StructureError: as `hessian`.
    """
    return Fisher(*prepared(params, data, batch_size, leaves), apply=apply)


def layers(params: Params) -> dict[str, tuple[str, ...]]:
    """The leaves of every layer: those whose names differ after the last stroke only.

    Args:
        params: a network, or a vector of an operator.

    Returns:
        For ``params/Dense_0`` its leaves, ``params/Dense_0/bias`` and ``params/Dense_0/kernel``;
        a leaf that stands alone is a layer of its own name.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in trees.named_leaves(params):
        layer = name.rpartition("/")[0] or name
        found[layer] = (*found.get(layer, ()), name)
    return found


def layer_blocks(operator: OverData) -> dict[str, OverData]:
    """The diagonal block of every layer, in the network's order.

    A block is the curvature when this layer alone moves. Programs are compiled once for every
    shape of a layer.

    Args:
        operator: of all or some of the leaves.
    """
    return {name: operator.block(leaves) for name, leaves in layers(operator.template).items()}
