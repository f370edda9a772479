"""Features reduced batch by batch, along a path or of given networks, by the one kernel."""

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from mconn import measure, trees
from mconn.checks import check_kind
from mconn.errors import ConfigError, StructureError
from mconn.features.capture import FeatureFn, Features, checked, not_finite
from mconn.measure import Execution, Point
from mconn.paths import Path
from mconn.types import Batch, Params, PyTree

Shapes: TypeAlias = tuple[Mapping[str, jax.ShapeDtypeStruct], ...]
"""The shapes of one batch of features, for every network."""


class Reduction(abc.ABC):
    """What is computed from the features of several networks, batch by batch.

    A frozen dataclass, hashable: it is a static part of the compiled program. All networks see the
    same examples in the same order.
    """

    @abc.abstractmethod
    def start(self, shapes: Shapes) -> PyTree:
        """The state before the first batch, a pytree of arrays.

        Args:
            shapes: of one batch of features, for every network.

        Raises:
            StructureError: if the layers do not fit together.
        """

    @abc.abstractmethod
    def update(
        self,
        state: PyTree,
        features: tuple[Features, ...],
        mask: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> PyTree:
        """The state after one more batch, of the same shapes and dtypes.

        Args:
            state: before.
            features: of the batch, for every network: those at t, at end 0 and at end 1 under
                `along`; all given ones under `between`.
            mask: by layer, False for rows that fill up the last batch with copies of another, and
                must not count.
            t: the point of the path; 0 under `between`.
        """

    def combine(self, state: PyTree) -> PyTree:
        """The state of all devices that share the batches; see `mconn.measure.Streamed.combine`."""
        return jax.lax.psum(state, "data")

    def finish(self, state: PyTree, t: Any) -> PyTree:
        """What is handed out after the last batch, a pytree of arrays; the state itself."""
        del t
        return state


def along(
    reduction: Reduction,
    features: FeatureFn,
    path: Path,
    ts: Any,
    inputs: Any,
    execution: Execution = Execution(),
) -> PyTree:
    """Reduce the features at every point of a curve, together with those of its ends.

    The program scans over batches, and for each batch over the points, so that the features of the
    ends are computed once. The networks and the states of the points of a call, the inputs, and the
    features of one batch are in memory; each call computes the features of the ends again.

    Args:
        reduction: gets the features (at t, at end 0, at end 1) of every batch.
        features: (params, inputs) -> features by layer.
        path: a curve; its control points are arguments of the program.
        ts: the points, shape (points,); or how many equispaced ones.
        inputs: examples, a pytree of arrays with one leading axis.
        execution: batches, devices, memory, refreshed statistics, and finished points on disk;
            statistics are refreshed at the points, and the ends are as they were given.

    Returns:
        What the reduction gives, on the host, with a leading axis of points.

    Raises:
        StructureError: if a point lies outside the path, or a layer is no matrix of samples.
        DataError: if there is no example.
        DivergenceError: if a feature is not finite; names the layer and t.
        ConfigError: as `mconn.measure.along`.
    """
    ts = measure.points_of([path], ts)
    # Calls of one size, none of which is filled up by more points than there are calls.
    most = execution.points_per_call or measure.Compared.points
    points = math.ceil(len(ts) / math.ceil(len(ts) / most))
    execution = replace(execution, points_per_call=points)
    return _reduced(_WithEnds(reduction, features), path, ts, inputs, execution)


def between(
    reduction: Reduction,
    features: FeatureFn | Sequence[FeatureFn],
    networks: Sequence[Params],
    inputs: Any,
    execution: Execution = Execution(),
) -> PyTree:
    """Reduce the features of given networks, which see the same examples in the same order.

    Args:
        reduction: gets the features of every network, for every batch.
        features: (params, inputs) -> features by layer; one for all networks, or one for each.
        networks: their parameters.
        inputs: examples, a pytree of arrays with one leading axis.
        execution: batches, devices, memory, and what is kept on disk.

    Returns:
        What the reduction gives, on the host.

    Raises:
        StructureError: if there is no network, or not one function for each.
        ConfigError: if statistics are to be refreshed: the networks are taken as they are.
        DataError: if there is no example.
        DivergenceError: if a feature is not finite; names the layer and the network.
    """
    each = (features,) * len(networks) if callable(features) else tuple(features)
    if not networks or len(each) != len(networks):
        raise StructureError(
            f"{len(networks)} networks with {len(each)} functions of features cannot be compared: "
            "pass at least one network, and one function for all or one for each"
        )
    alone = jax.tree.map(lambda leaf: np.asarray(leaf)[None], tuple(networks))
    return trees.index(together(reduction, each, measure.Networks(alone), inputs, execution), 0)


def together(
    reduction: Reduction,
    features: tuple[FeatureFn, ...],
    path: Path,
    inputs: Any,
    execution: Execution,
    ts: Any = None,
) -> PyTree:
    """`between` for every point of a path whose points are tuples of networks."""
    if execution.refresh is not None:
        raise ConfigError(
            "given networks are compared as they are: refresh their statistics before, and leave "
            "out refresh"
        )
    return _reduced(_Together(reduction, features), path, ts, inputs, execution)


def as_given(execution: Execution) -> Execution:
    """The options for the ends of a path beside its points: not refreshed, and not kept."""
    plain = Execution()
    return replace(
        execution,
        refresh=None,
        refresh_data=None,
        cells=None,
        points_per_call=None,
        finished=plain.finished,
    )


@dataclass(frozen=True)
class _Reducing(measure.Streamed):
    """A reduction as a measure; its state counts the batches that are not finite, by layer."""

    reduction: Reduction

    @abc.abstractmethod
    def place(self, number: int, t: Any) -> str:
        """The network whose features are not finite, for the error."""

    def begun(self, shapes: Shapes, own: Shapes) -> PyTree:
        broken = tuple({layer: jnp.zeros((), int) for layer in layers} for layers in own)
        return self.reduction.start(shapes), broken

    def added(
        self,
        state: PyTree,
        found: tuple[Features, ...],
        own: tuple[Features, ...],
        mask: Array,
        t: Any,
    ) -> tuple[PyTree, None]:
        rows = {
            layer: jnp.repeat(mask, len(value) // len(mask))
            for layers in found
            for layer, value in layers.items()
        }
        reduced, broken = state
        broken = jax.tree.map(lambda count, x: count + (~jnp.isfinite(x)).any(), broken, own)
        return (self.reduction.update(reduced, found, rows, t), broken), None

    def combine(self, state: PyTree) -> PyTree:
        if jax.lax.axis_size("data") == 1:
            return state
        return self.reduction.combine(state[0]), jax.lax.psum(state[1], "data")

    def finish(self, state: PyTree, point: Point) -> PyTree:
        return self.reduction.finish(state[0], point.t), state[1]


@dataclass(frozen=True)
class _WithEnds(_Reducing, measure.Compared):
    features: FeatureFn

    def place(self, number: int, t: Any) -> str:
        return f"at t = {t:g}"

    def shared(self, ends: tuple[Params, Params], batch: Batch) -> tuple[Features, ...]:
        return tuple(checked(self.features, end, batch) for end in ends)

    def start(self, point: Point, batch: Batch) -> PyTree:
        here = jax.eval_shape(partial(checked, self.features), point.params, batch)
        return self.begun((here, *point.shared), (here,))

    def update(self, state: PyTree, point: Point, batch: Batch, mask: Array) -> tuple[PyTree, None]:
        here = checked(self.features, point.params, batch)
        return self.added(state, (here, *point.shared), (here,), mask, point.t)


@dataclass(frozen=True)
class _Together(_Reducing):
    features: tuple[FeatureFn, ...]

    def place(self, number: int, t: Any) -> str:
        return f"of network {number}"

    def read(self, networks: tuple[Params, ...], batch: Batch) -> tuple[Features, ...]:
        each = zip(self.features, networks, strict=True)
        return tuple(checked(features, params, batch) for features, params in each)

    def start(self, point: Point, batch: Batch) -> PyTree:
        shapes = jax.eval_shape(self.read, point.params, batch)
        return self.begun(shapes, shapes)

    def update(self, state: PyTree, point: Point, batch: Batch, mask: Array) -> tuple[PyTree, None]:
        found = self.read(point.params, batch)
        return self.added(state, found, found, mask, point.t)


def _reduced(reducing: _Reducing, path: Path, ts: Any, inputs: Any, execution: Execution) -> PyTree:
    check_kind(
        "reduction", reducing.reduction, Reduction, "derive it from mconn.features.Reduction"
    )
    inputs = jax.tree.map(np.asarray, inputs)
    result, broken = measure.along(reducing, path, ts, inputs, execution).result
    for number, layers in enumerate(broken):
        for layer, counts in layers.items():
            if counts.any():
                t = None if ts is None else ts[int(np.argmax(counts > 0))]
                raise not_finite(layer, reducing.place(number, t))
    return result
