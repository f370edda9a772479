"""Hessian and empirical Fisher matrix of a mean loss over a whole data set."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from mconn.curvature.operator import LinearMap
from mconn.curvature.over_data import OverData, prepared, push_and_pull
from mconn.landscape.program import loss_of, values_of
from mconn.types import Batch, EvalFn, Params


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
        DataError: as `hessian`.
        ConfigError: as `hessian`.
        StructureError: as `hessian`.
    """
    return EmpiricalFisher(*prepared(params, data, batch_size, leaves), eval_fn=eval_fn)
