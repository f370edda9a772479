"""The compiled program of an evaluation: what is measured at points of paths, over devices."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float

from mconn import trees
from mconn.errors import StructureError
from mconn.landscape.refresh import MixtureRefresh
from mconn.paths import Path
from mconn.types import Batch, EvalFn, Params

SLOPE = "slope"
"""The metric dL/dt."""

STATISTICS = "batch_stats"
"""Leaves whose names begin so are no parameters: the gradient is not taken by them."""


@dataclass(frozen=True)
class Request:
    """What is measured at every point; static.

    Attributes:
        eval_fn: (params, batch) -> {metric: (n,)}.
        slopes: whether to add dL/dt of every example.
        gradients: whether to add the norm of the gradient of the mean loss.
        moments: whether to keep means and standard errors over the examples, not the values.
    """

    eval_fn: EvalFn
    slopes: bool = False
    gradients: bool = False
    moments: bool = False


class Results(NamedTuple):
    """What was measured.

    Attributes:
        values: per metric (pairs, points, batches, size), or with ``moments`` the mean and its
            standard error (pairs, points, 2).
        gradient_norm: shape (pairs, points), or None.
    """

    values: dict[str, Array]
    gradient_norm: Array | None


class Examples(NamedTuple):
    """Examples in batches of equal size.

    Attributes:
        batches: their arrays, shape (batches, size, ...).
        real: False for those that only fill up the last batch, shape (batches, size).
    """

    batches: Batch
    real: Bool[Array | np.ndarray, "batches size"]


@partial(jax.jit, static_argnums=(0, 1))
def measure(
    request: Request,
    mesh: Mesh,
    paths: Path,
    refresh: Any,
    ts: Float[Array, "points ..."],
    live: Bool[Array, "points"],
    examples: Examples,
    refresh_batches: Any,
) -> Results:
    """Measure at every point of every path.

    A device holds one network at a time: it maps over its paths and points one by one and scans
    over batches. A point that only fills up a call is skipped and costs nothing.

    Args:
        request: what to measure.
        mesh: devices with axes ``pair``, ``t`` and ``data``.
        paths: stacked, spread over ``pair``.
        refresh: None, or a pytree that is called at every point.
        ts: the points, spread over ``t``.
        live: False for points that only fill up.
        examples: each batch spread over ``data``.
        refresh_batches: what ``refresh`` sees, whole on every device, so that statistics do not
            depend on the mesh.
    """

    def on_one_device(
        paths: Path, refresh: Any, ts: Any, live: Any, examples: Examples, refresh_batches: Any
    ) -> tuple[dict[str, Array], Array | None]:
        @jax.jit  # so that one trace serves the shapes and the values
        def at_point(path: Path, t: Any) -> Results:
            params, motion = network(path, refresh, refresh_batches, t, request.slopes)
            return at_network(request, params, motion, examples)

        def at_live_point(path: Path, t: Any, is_live: Any) -> Results:
            shapes = jax.eval_shape(at_point, path, t)
            nothing = partial(jax.tree.map, lambda kind: jnp.zeros(kind.shape, kind.dtype), shapes)
            return jax.lax.cond(is_live, lambda: at_point(path, t), nothing)

        def along(path: Path) -> Results:
            return jax.lax.map(lambda here: at_live_point(path, *here), (ts, live))

        return tuple(jax.lax.map(along, paths))

    whole, per_point = PartitionSpec(), PartitionSpec("pair", "t")
    per_example = PartitionSpec("pair", "t", None, "data")
    spread = jax.shard_map(
        on_one_device,
        mesh=mesh,
        in_specs=(
            PartitionSpec("pair"),
            whole,
            PartitionSpec("t"),
            PartitionSpec("t"),
            PartitionSpec(None, "data"),
            whole,
        ),
        out_specs=(per_point if request.moments else per_example, per_point),
        check_vma=False,
    )
    return Results(*spread(paths, refresh, ts, live, examples, refresh_batches))


def network(
    path: Path, refresh: Any, refresh_batches: Any, t: Any, moving: bool
) -> tuple[Params, Params | None]:
    """The network at a point, and its derivative by t if it is asked for."""

    def refreshed(params: Params, mixture: Array) -> Params:
        if isinstance(refresh, MixtureRefresh):
            return refresh(params, refresh_batches, mixture)
        return params if refresh is None else refresh(params, refresh_batches)

    params, mixture = path(t), path.mixture(t)
    if not moving:
        return refreshed(params, mixture), None
    _, turning = jax.jvp(path.mixture, (t,), (jnp.ones_like(t),))
    return jax.jvp(refreshed, (params, mixture), (velocity(path, t), turning))


def velocity(path: Path, t: Array) -> Params:
    """The derivative of a curve by its parameter; at a bend of a chain the mean of both sides."""
    # An end is returned as it was given, which can hide how the path leaves it.
    inside = jnp.clip(t, 1e-6, 1 - 1e-6)
    return jax.jvp(path, (inside,), (jnp.ones_like(t),))[1]


def at_network(
    request: Request, params: Params, motion: Params | None, examples: Examples
) -> Results:
    """The results of one network, on this device's part of every batch."""

    def losses(params: Params, batch: Batch, real: Array) -> tuple[Array, dict[str, Array]]:
        values = values_of(request.eval_fn, params, batch)
        return jnp.where(real, loss_of(values), 0).sum(), values

    def on_batch(gradient: Params | None, here: Examples) -> tuple[Params | None, Any]:
        batch, real = here
        if request.gradients:
            (_, values), more = jax.value_and_grad(losses, has_aux=True)(params, batch, real)
            gradient = jax.tree.map(jnp.add, gradient, more)
        else:
            values = values_of(request.eval_fn, params, batch)
        if request.slopes:
            _, rates = jax.jvp(
                lambda params: values_of(request.eval_fn, params, batch), (params,), (motion,)
            )
            values = {**values, SLOPE: loss_of(rates)}
        if request.moments:
            values = {metric: summary(value, real) for metric, value in values.items()}
        return gradient, values

    nothing = jax.tree.map(jnp.zeros_like, params) if request.gradients else None
    gradient, values = jax.lax.scan(on_batch, nothing, examples)
    if request.moments:
        values = {metric: pooled(*parts) for metric, parts in values.items()}
    if request.gradients:
        count = jax.lax.psum(examples.real.sum(), "data")
        gradient = norm(jax.lax.psum(gradient, "data")) / count
    return Results(values, gradient)


def values_of(eval_fn: EvalFn, params: Params, batch: Batch) -> dict[str, Array]:
    """The metrics of a batch, each with one value per example."""
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
    """The metric that derivatives are taken of."""
    if "loss" not in values:
        raise StructureError(
            f"eval_fn has no metric 'loss' to differentiate, only {', '.join(sorted(values))}: "
            "add one, or ask for neither slopes nor gradients"
        )
    return values["loss"]


def summary(value: Array, real: Any) -> tuple[Array, Array, Array]:
    """Number, mean and sum of squared deviations of a batch's real examples."""
    number = real.sum()
    mean = jnp.where(real, value, 0).sum() / jnp.maximum(number, 1)
    return number, mean, jnp.where(real, (value - mean) ** 2, 0).sum()


def pooled(numbers: Array, means: Array, squares: Array) -> Float[Array, "2"]:
    """Mean and standard error over all batches and devices (law of total variance)."""
    number = jax.lax.psum(numbers.sum(), "data")
    mean = jax.lax.psum((numbers * means).sum(), "data") / number
    total = jax.lax.psum((squares + numbers * (means - mean) ** 2).sum(), "data")
    return jnp.stack([mean, jnp.sqrt(total / (number - 1) / number)])


def norm(gradient: Params) -> Float[Array, ""]:
    """|gradient| over the leaves that are parameters."""
    parts = [
        trees.wide(leaf)
        for name, leaf in trees.named_leaves(gradient).items()
        if not name.startswith(STATISTICS)
    ]
    return jnp.sqrt(sum((jnp.vdot(leaf, leaf) for leaf in parts), jnp.zeros(())))
