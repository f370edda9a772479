"""Features of networks: read layer by layer, and reduced in one pass over the examples."""

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn import trees
from mconn.errors import ConfigError, DivergenceError, StructureError
from mconn.measure import Examples, Refresh, fold, fold_whole, network_at, points_of
from mconn.paths import Path
from mconn.symmetry import Group, activations
from mconn.types import ApplyFn, Batch, Params, PyTree

Features: TypeAlias = Mapping[str, Float[Array, "samples units"]]
"""The features of one batch by layer: a row per example (and position), a column per unit."""

FeatureFn: TypeAlias = Callable[[Params, Any], Features]
"""``features(params, inputs)``: a pure function, hashable, so that calls share a program.

The rows of an example follow each other, so that all layers have a multiple of the examples.
"""

Shapes: TypeAlias = tuple[Mapping[str, jax.ShapeDtypeStruct], ...]
"""The shapes of one batch of features, for every network."""


@dataclass(frozen=True)
class Units:
    """The units of a network, found through its symmetry; a hashable :data:`FeatureFn`.

    Attributes:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
        moment: "after" the nonlinearity (what the next layer reads), or "before" it.
    """

    group: Group
    apply: ApplyFn
    moment: str = "after"

    def __call__(self, params: Params, inputs: Any) -> dict[str, Float[Array, "samples units"]]:
        """The units of a batch, by the name of the generator that moves them.

        A generator that has several values, as a residual stream, has one entry for each:
        "name/0", "name/1" and so on. The rows are examples and positions.
        """
        found = activations(self.group, self.apply, params, inputs, moment=self.moment)
        return {
            name if len(values) == 1 else f"{name}/{place}": value
            for name, values in found.items()
            for place, value in enumerate(values)
        }


@dataclass(frozen=True)
class Averaged:
    """The mean over the positions of every example; a hashable :data:`FeatureFn`.

    Layers of a convolutional network have different numbers of positions, and can be compared with
    each other in this way only.

    Attributes:
        features: whose rows are examples and positions.
    """

    features: FeatureFn

    def __call__(self, params: Params, inputs: Any) -> dict[str, Float[Array, "examples units"]]:
        """One row for each example of the batch."""
        count = trees.count_examples(inputs)
        return {
            layer: value.reshape(count, -1, value.shape[-1]).mean(axis=1)
            for layer, value in self.features(params, inputs).items()
        }


def capture(
    features: FeatureFn, params: Params, inputs: Any, *, batch_size: int = 1000
) -> dict[str, Float[np.ndarray, "samples units"]]:
    """The features of all examples, on the host; one batch at a time on the device.

    Args:
        features: (params, inputs) -> features by layer.
        params: of the network.
        inputs: examples, a pytree of arrays with one leading axis.
        batch_size: largest number of examples in one batch.

    Raises:
        DataError: if there is no example.
        ConfigError: if a batch would be empty.
        DivergenceError: if a feature is not finite; names the layer.
    """
    inputs = on_host(inputs)
    count = trees.count_examples(inputs)
    folded, real = folded_examples(inputs, batch_size)
    found: dict[str, np.ndarray] = {}
    for number in range(len(real)):
        start = number * real.shape[1]
        values = batch_features(features, params, trees.index(folded, number))
        for layer, value in values.items():
            rows = len(value) // real.shape[1]
            if layer not in found:
                found[layer] = np.empty((count * rows, value.shape[1]), value.dtype)
            here = found[layer][start * rows : (start + real.shape[1]) * rows]
            here[:] = np.asarray(value)[: len(here)]
    for layer, value in found.items():
        if not np.isfinite(value).all():
            raise not_finite(layer, "of the network")
    return found


@partial(jax.jit, static_argnums=0)
def batch_features(features: FeatureFn, params: Params, inputs: Any) -> Features:
    """The features of one batch, checked."""
    return checked(features, params, inputs)


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
        real: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> PyTree:
        """The state after one more batch, of the same shapes and dtypes.

        Args:
            state: before.
            features: of the batch, for every network: those at t, at end 0 and at end 1 under
                `along`; all given ones under `between`.
            real: for every layer which rows are real; the others fill up the last batch with copies
                of a real one, and must not count.
            t: the point of the path; None under `between`.
        """

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
    *,
    batch_size: int = 1000,
    points_per_call: int = 32,
    refresh: Refresh | None = None,
    refresh_data: Batch | None = None,
) -> PyTree:
    """Reduce the features at every point of a curve, together with those of its ends.

    One compiled program scans over batches, and for each batch over the points, so that the
    features of the ends are computed once. The networks and the states of ``points_per_call``
    points, the inputs, and the features of one batch are in memory.

    Args:
        reduction: gets the features (at t, at end 0, at end 1) of every batch.
        features: (params, inputs) -> features by layer.
        path: a curve; its control points are arguments of the program.
        ts: the points, shape (points,).
        inputs: examples, a pytree of arrays with one leading axis.
        batch_size: largest number of examples in one batch.
        points_per_call: largest number of points that are reduced together: the memory of their
            states. Each call computes the features of the ends again.
        refresh: recomputes the normaliser statistics at every point, or repairs the network, as in
            `mconn.landscape.evaluate`; the ends are as they were given.
        refresh_data: the examples that ``refresh`` sees.

    Returns:
        What the reduction gives, on the host, with a leading axis of points.

    Raises:
        StructureError: if a point lies outside the path, or a layer is no matrix of samples.
        ConfigError: if a batch or a call would be empty, or statistics are to be recomputed from
            no data.
        DataError: if there is no example.
        DivergenceError: if a feature is not finite; names the layer and t.
    """
    ts = points_of([path], ts)
    if ts.ndim != 1:
        raise StructureError("features are followed along a curve, and this path is a surface")
    if points_per_call < 1:
        raise ConfigError(f"points_per_call is {points_per_call}: it must be at least 1")
    if refresh is not None and refresh_data is None:
        raise ConfigError("refresh recomputes statistics from refresh_data: pass training examples")
    if jax.tree_util.all_leaves([refresh]):
        # A function is static, and a pytree's leaves are data: both are a pytree in this way.
        refresh = jax.tree_util.Partial(refresh)
    seen = None if refresh_data is None else fold_whole(refresh_data, batch_size)
    examples = folded_examples(on_host(inputs), batch_size)
    calls = math.ceil(len(ts) / points_per_call)
    size = math.ceil(len(ts) / calls)
    # Every call has as many points: the last one is filled up, and the rest left away.
    filled = np.concatenate([ts, np.repeat(ts[-1:], calls * size - len(ts))])
    parts = []
    for some in filled.reshape(calls, size):
        result, finite = reduce_along(reduction, features, path, refresh, seen, some, examples)
        check_finite(finite, [f"at t = {t:g}" for t in some])
        parts.append(trees.to_numpy(result))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(ts)], *parts)


def between(
    reduction: Reduction,
    features: FeatureFn | Sequence[FeatureFn],
    networks: Sequence[Params],
    inputs: Any,
    *,
    batch_size: int = 1000,
) -> PyTree:
    """Reduce the features of given networks, which see the same examples in the same order.

    Args:
        reduction: gets the features of every network, for every batch.
        features: (params, inputs) -> features by layer; one for all networks, or one for each.
        networks: their parameters.
        inputs: examples, a pytree of arrays with one leading axis.
        batch_size: largest number of examples in one batch.

    Returns:
        What the reduction gives, on the host.

    Raises:
        StructureError: if there is no network, or not one function for each.
        ConfigError: if a batch would be empty.
        DataError: if there is no example.
        DivergenceError: if a feature is not finite; names the layer and the network.
    """
    each = (features,) * len(networks) if callable(features) else tuple(features)
    if not networks or len(each) != len(networks):
        raise StructureError(
            f"{len(networks)} networks with {len(each)} functions of features cannot be compared: "
            "pass at least one network, and one function for all or one for each"
        )
    examples = folded_examples(on_host(inputs), batch_size)
    result, finite = reduce_between(reduction, each, tuple(networks), examples)
    for number, layers in enumerate(finite):
        check_finite(layers, f"of network {number}")
    return trees.to_numpy(result)


@partial(jax.jit, static_argnums=(0, 1))
def reduce_along(
    reduction: Reduction,
    features: FeatureFn,
    path: Path,
    refresh: Any,
    seen: Any,
    ts: Float[Array, "points"],
    examples: Examples,
) -> tuple[PyTree, dict[str, Bool[Array, "points"]]]:
    """The reduction at every point, and which layers were finite."""
    ends = path(jnp.zeros_like(ts[0])), path(jnp.ones_like(ts[0]))
    points = jax.lax.map(lambda t: network_at(path, t, refresh, seen).params, ts)
    shapes = jax.eval_shape(
        lambda *networks: tuple(checked(features, each, first_of(examples)) for each in networks),
        *(ends[0], *ends),
    )
    state = reduction.start(shapes)
    states = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], len(ts), axis=0), state)
    finite = {layer: jnp.ones(len(ts), bool) for layer in shapes[0]}

    def on_batch(carry: PyTree, here: Examples) -> tuple[PyTree, None]:
        batch, real = here
        of_ends = tuple(checked(features, end, batch) for end in ends)

        def at_point(number: Any, carry: PyTree) -> PyTree:
            states, finite = carry
            found = checked(features, trees.index(points, number), batch)
            everything = (found, *of_ends)
            state = reduction.update(
                trees.index(states, number), everything, rows(everything, real), ts[number]
            )
            # In place: a map would write the states of all points anew for every batch.
            return (
                jax.tree.map(lambda all_, one: all_.at[number].set(one), states, state),
                {
                    layer: finite[layer].at[number].min(jnp.isfinite(value).all())
                    for layer, value in found.items()
                },
            )

        return jax.lax.fori_loop(0, len(ts), at_point, carry), None

    (states, finite), _ = jax.lax.scan(on_batch, (states, finite), examples)
    return jax.lax.map(lambda here: reduction.finish(*here), (states, ts)), finite


@partial(jax.jit, static_argnums=(0, 1))
def reduce_between(
    reduction: Reduction,
    features: tuple[FeatureFn, ...],
    networks: tuple[Params, ...],
    examples: Examples,
) -> tuple[PyTree, tuple[dict[str, Bool[Array, ""]], ...]]:
    """The reduction, and which layers were finite."""

    def of(batch: Any) -> tuple[Features, ...]:
        return tuple(
            checked(each, params, batch) for each, params in zip(features, networks, strict=True)
        )

    shapes = jax.eval_shape(of, first_of(examples))
    finite = tuple({layer: jnp.ones((), bool) for layer in layers} for layers in shapes)

    def on_batch(carry: PyTree, here: Examples) -> tuple[PyTree, None]:
        (state, finite), (batch, real) = carry, here
        found = of(batch)
        finite = jax.tree.map(lambda so_far, x: so_far & jnp.isfinite(x).all(), finite, found)
        return (reduction.update(state, found, rows(found, real), None), finite), None

    (state, finite), _ = jax.lax.scan(on_batch, (reduction.start(shapes), finite), examples)
    return reduction.finish(state, None), finite


def checked(features: FeatureFn, params: Params, inputs: Any) -> dict[str, Array]:
    """The features of a batch, in single precision or wider.

    Raises:
        StructureError: if there is none, or a layer is no matrix with some rows for each example.
    """
    found = {layer: trees.wide(value) for layer, value in features(params, inputs).items()}
    count = trees.count_examples(inputs)
    if not found:
        raise StructureError(
            "there are no features: the symmetry has no generator that moves units, or the "
            "function returns none"
        )
    for layer, value in found.items():
        if value.ndim != 2 or len(value) % count:
            raise StructureError(
                f"the features of layer '{layer}' of {count} examples have the shape "
                f"{value.shape}: return a matrix with as many rows for every example"
            )
    return found


def rows(
    features: tuple[Features, ...], real: Array | np.ndarray
) -> dict[str, Bool[Array, "samples"]]:
    """Which rows of every layer are those of real examples."""
    return {
        layer: jnp.repeat(real, len(value) // len(real))
        for layers in features
        for layer, value in layers.items()
    }


def on_host(inputs: Any) -> Any:
    """The examples as NumPy arrays."""
    return jax.tree.map(np.asarray, inputs)


def folded_examples(inputs: Any, batch_size: int) -> Examples:
    """The examples in batches.

    Raises:
        ConfigError: if a batch would be empty.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}: it must be at least 1")
    return fold(inputs, batch_size)


def first_of(examples: Examples) -> Any:
    """The first batch."""
    return trees.index(examples.batches, 0)


def check_finite(finite: Mapping[str, Any], where: str | list[str]) -> None:
    """Refuse features that are not finite."""
    for layer, flags in trees.to_numpy(dict(finite)).items():
        if not flags.all():
            place = where if isinstance(where, str) else where[int(np.argmin(flags))]
            raise not_finite(layer, place)


def not_finite(layer: str, where: str) -> DivergenceError:
    """The error that names the layer."""
    return DivergenceError(
        f"the features of layer '{layer}' are not finite {where}: look at the parameters and the "
        "inputs there"
    )
