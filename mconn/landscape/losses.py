"""Losses per example, and what is measured of them: a mean over examples is taken last."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from mconn import trees
from mconn.errors import StructureError
from mconn.examples import parts
from mconn.measure import STATISTICS, Point, Streamed
from mconn.types import ApplyFn, Batch, EvalFn, Params, PyTree

SLOPE = "slope"
"""The metric dL/dt."""


@dataclass(frozen=True)
class Classification:
    """Cross-entropy ``loss`` (nats) and 0/1 ``error`` of each example of a classifier.

    A hashable :data:`mconn.types.EvalFn`: two of one ``apply`` share a compiled evaluation.

    Attributes:
        apply: (params, inputs) -> logits, shape (n, classes).
    """

    apply: ApplyFn

    def __call__(self, params: Params, batch: Any) -> dict[str, Float[Array, "n"]]:
        """Metrics of a batch: inputs (n, ...) and labels (n,), as fields, a mapping or a pair."""
        inputs, labels = parts(batch)
        logits = trees.wide(self.apply(params, inputs))
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        error = (jnp.argmax(logits, axis=-1) != labels).astype(loss.dtype)
        return {"loss": loss, "error": error}


def values_of(eval_fn: EvalFn, params: Params, batch: Batch) -> dict[str, Array]:
    """The metrics of a batch, each with one value per example.

    Raises:
        StructureError: if one has another shape.
    """
    values = eval_fn(params, batch)
    size = len(jax.tree.leaves(batch)[0])
    for metric, value in values.items():
        if value.shape != (size,):
            raise StructureError(
                f"metric '{metric}' of {size} examples has the shape {value.shape}, not ({size},): "
                "return one number per example, and leave the mean to the profile"
            )
    return values


def loss_of(values: dict[str, Array]) -> Array:
    """The metric that derivatives are taken of.

    Raises:
        StructureError: if there is none.
    """
    if "loss" not in values:
        raise StructureError(
            f"eval_fn has no metric 'loss' to differentiate, only {', '.join(sorted(values))}: "
            "add one, or ask for neither slopes nor gradients"
        )
    return values["loss"]


@dataclass(frozen=True)
class Losses(Streamed):
    """The metrics of every example; the result is the norm of the mean loss's gradient, or None.

    Attributes:
        eval_fn: (params, batch) -> {metric: (n,)}.
        slopes: whether to add dL/dt of every example.
        gradients: whether to measure the gradient.
    """

    eval_fn: EvalFn
    slopes: bool = False
    gradients: bool = False

    @property
    def moving(self) -> bool:
        """For slopes."""
        return self.slopes

    def start(self, point: Point, batch: Batch) -> PyTree:
        """No gradient, of no examples."""
        del batch
        if not self.gradients:
            return None
        return jax.tree.map(jnp.zeros_like, point.params), jnp.zeros((), jnp.int32)

    def update(
        self, state: PyTree, point: Point, batch: Batch, mask: Any
    ) -> tuple[PyTree, dict[str, Array]]:
        """The sum of gradients, and the metrics."""

        def losses(params: Params) -> tuple[Array, dict[str, Array]]:
            values = values_of(self.eval_fn, params, batch)
            return jnp.where(mask, loss_of(values), 0).sum(), values

        if self.gradients:
            gradient, count = state
            (_, values), more = jax.value_and_grad(losses, has_aux=True)(point.params)
            state = jax.tree.map(jnp.add, gradient, more), count + mask.sum()
        else:
            values = values_of(self.eval_fn, point.params, batch)
        if self.slopes:
            _, rates = jax.jvp(
                lambda params: values_of(self.eval_fn, params, batch),
                (point.params,),
                (point.motion,),
            )
            values = {**values, SLOPE: loss_of(rates)}
        return state, values

    def finish(self, state: PyTree, point: Point) -> PyTree:
        """The norm over the leaves that are parameters."""
        del point
        if not self.gradients:
            return None
        gradient, count = state
        squares = [
            jnp.vdot(leaf, leaf)
            for leaf in (
                trees.wide(leaf)
                for name, leaf in trees.named_leaves(gradient).items()
                if not name.startswith(STATISTICS)
            )
        ]
        return jnp.sqrt(sum(squares, jnp.zeros(()))) / count


@dataclass(frozen=True)
class Moments(Streamed):
    """The mean of every metric and its standard error; no value of an example is kept.

    Attributes:
        eval_fn: (params, batch) -> {metric: (n,)}.
    """

    points: ClassVar[int] = 32

    eval_fn: EvalFn

    def start(self, point: Point, batch: Batch) -> dict[str, Array]:
        """Number, mean and sum of squared deviations."""
        values = jax.eval_shape(self.eval_fn, point.params, batch)
        return {metric: jnp.zeros(3, value.dtype) for metric, value in values.items()}

    def update(
        self, state: dict[str, Array], point: Point, batch: Batch, mask: Any
    ) -> tuple[dict[str, Array], None]:
        """Merged with those of the batch (Chan, Golub and LeVeque 1979)."""
        values = values_of(self.eval_fn, point.params, batch)
        return {
            metric: _merged(jnp.stack([state[metric], _summary(value, mask)]))
            for metric, value in values.items()
        }, None

    def combine(self, state: dict[str, Array]) -> dict[str, Array]:
        """Merged over devices."""
        return {metric: _merged(jax.lax.all_gather(part, "data")) for metric, part in state.items()}

    def finish(self, state: dict[str, Array], point: Point) -> dict[str, Float[Array, "2"]]:
        """Mean and standard error."""
        del point
        return {
            metric: jnp.stack([mean, jnp.sqrt(squares / (number - 1) / number)])
            for metric, (number, mean, squares) in state.items()
        }


def _summary(value: Array, mask: Any) -> Float[Array, "3"]:
    number = mask.sum().astype(value.dtype)
    mean = jnp.where(mask, value, 0).sum() / jnp.maximum(number, 1)
    return jnp.stack([number, mean, jnp.where(mask, (value - mean) ** 2, 0).sum()])


def _merged(parts: Float[Array, "parts 3"]) -> Float[Array, "3"]:
    """The law of total variance."""
    numbers, means, squares = parts.T
    number = numbers.sum()
    mean = (numbers * means).sum() / number
    return jnp.stack([number, mean, (squares + numbers * (means - mean) ** 2).sum()])
