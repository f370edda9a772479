"""The compiled program: a measure at points of paths, over devices."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Shaped

from mconn import trees
from mconn.measure.measures import Compared, Examples, Point, Streamed, Whole
from mconn.measure.points import ends_of, moving_at, network_at
from mconn.paths import Path
from mconn.types import PyTree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Static:
    value: Any = field(metadata={"static": True})


def as_argument(thing: Any) -> PyTree:
    """A function or a hashable dataclass as a static part, a pytree as it is."""
    return _Static(thing) if jax.tree_util.all_leaves([thing]) else thing


def _opened(thing: PyTree) -> Any:
    return thing.value if isinstance(thing, _Static) else thing


class Arguments(NamedTuple):
    """What the program is given beside the points.

    Attributes:
        measure: from `as_argument`.
        paths: stacked, spread over ``pair``.
        refresh: from `as_argument`.
        examples: each batch spread over ``data``; None if the measure brings its own.
        seen: what ``refresh`` sees, whole on every device, so that statistics do not depend on the
            mesh.
    """

    measure: PyTree
    paths: Path
    refresh: PyTree
    examples: Examples | None
    seen: Any


_SPECS: dict[str, Any] = {
    "measure": PartitionSpec(),
    "paths": PartitionSpec("pair"),
    "refresh": PartitionSpec(),
    "examples": PartitionSpec(None, "data"),
    "seen": PartitionSpec(),
}
SPECS = Arguments(**_SPECS)
"""How the arguments are spread."""


class Results(NamedTuple):
    """What was measured.

    Attributes:
        result: a pytree, shape (paths, points, ...).
        values: of every example, shape (paths, points, batches, size, ...).
        carry: what the last points left, shape (paths, devices of ``t``, ...).
    """

    result: PyTree
    values: PyTree
    carry: PyTree


@partial(jax.jit, static_argnums=0)
def begin(mesh: Mesh, ts: Array, arguments: Arguments) -> tuple[PyTree, PyTree]:
    """What the points of every path share, and what the first point of each device begins with."""

    def on_one_device(ts: Array, arguments: Arguments) -> tuple[PyTree, PyTree]:
        measure, paths = _opened(arguments.measure), arguments.paths
        one = jax.eval_shape(lambda: trees.index(paths, 0)(ts[0]))
        carry = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (len(jax.tree.leaves(paths)[0]), 1, *leaf.shape)),
            measure.first(one),
        )
        shared = jax.lax.map(lambda path: measure.shared(ends_of(path), arguments.examples), paths)
        return shared, carry

    return jax.shard_map(
        on_one_device,
        mesh=mesh,
        in_specs=(PartitionSpec("t"), SPECS),
        out_specs=(PartitionSpec("pair"), PartitionSpec("pair", "t")),
        check_vma=False,
    )(ts, arguments)


@partial(jax.jit, static_argnums=0)
def measure_points(
    mesh: Mesh,
    ts: Shaped[Array, "points ..."],
    mask: Bool[Array, "points"],
    shared: PyTree,
    carry: PyTree,
    arguments: Arguments,
) -> Results:
    """Measure at every point of every path.

    A device maps over its paths and points one by one and, at each, scans over batches, so that it
    holds one network at a time; with a `Compared` measure it scans over batches and, for each, over
    points. A point that only fills up a call is skipped and costs nothing.

    Args:
        mesh: devices with axes ``pair``, ``t`` and ``data``.
        ts: the points, spread over ``t``.
        mask: False for points that only fill up.
        shared: from `begin`, spread over ``pair``; None for streamed measures.
        carry: from `begin` or the call before, spread over ``pair`` and ``t``; likewise.
        arguments: spread as `SPECS` says.
    """

    def on_one_device(
        ts: Array, mask: Array, shared: PyTree, carry: PyTree, arguments: Arguments
    ) -> tuple[PyTree, PyTree, PyTree]:
        measure, refresh = _opened(arguments.measure), _opened(arguments.refresh)

        def point_at(path: Path, t: Any) -> Point:
            find = moving_at if measure.moving else network_at
            return find(path, t, refresh, arguments.seen)

        along = next(along for kind, along in _ALONG.items() if isinstance(measure, kind))

        def on_path(here: tuple[Path, PyTree, PyTree]) -> tuple[PyTree, PyTree, PyTree]:
            path, shared, carry = here
            carry = jax.tree.map(lambda leaf: leaf[0], carry)
            each = _Path(measure, partial(point_at, path), ends_of(path), shared, carry)
            *found, carry = along(each, (ts, mask), arguments.examples)
            return *found, jax.tree.map(lambda leaf: leaf[None], carry)

        return jax.lax.map(on_path, (arguments.paths, shared, carry))

    per_point = PartitionSpec("pair", "t")
    spread = jax.shard_map(
        on_one_device,
        mesh=mesh,
        in_specs=(
            PartitionSpec("t"),
            PartitionSpec("t"),
            PartitionSpec("pair"),
            per_point,
            SPECS,
        ),
        out_specs=(per_point, PartitionSpec("pair", "t", None, "data"), per_point),
        check_vma=False,
    )
    return Results(*spread(ts, mask, shared, carry, arguments))


class _Path(NamedTuple):
    measure: Any
    point_at: Callable[[Any], Point]
    ends: Any
    shared: PyTree
    carry: PyTree


_Points = tuple[Array, Array]


def _stream(path: _Path, points: _Points, examples: Examples) -> tuple[PyTree, PyTree, PyTree]:
    measure: Streamed = path.measure

    @jax.jit  # so that one trace serves the shapes and the values
    def at_point(t: Array) -> tuple[PyTree, PyTree]:
        point = path.point_at(t)
        state, values = jax.lax.scan(
            lambda state, here: measure.update(state, point, *here),
            measure.start(*_shapes((point, trees.index(examples.batches, 0)))),
            examples,
        )
        return measure.finish(measure.combine(state), point), values

    (result, values), _ = _in_turn(lambda carry, t: (at_point(t), carry), points, None)
    return result, values, path.carry


def _compare(path: _Path, points: _Points, examples: Examples) -> tuple[PyTree, PyTree, PyTree]:
    measure: Compared = path.measure
    # So that one trace serves the shapes and the values.
    shared_of, update = jax.jit(measure.shared), jax.jit(measure.update)
    ts, mask = points
    networks, _ = _in_turn(lambda carry, t: (path.point_at(t), carry), points, None)

    def first() -> tuple[Point, Any]:
        batch = trees.index(examples.batches, 0)
        return trees.index(networks, 0)._replace(shared=shared_of(path.ends, batch)), batch

    states = jax.tree.map(
        lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], len(ts), axis=0),
        measure.start(*_shapes(first)),
    )

    def on_batch(states: PyTree, here: Examples) -> tuple[PyTree, PyTree]:
        shared = shared_of(path.ends, here.batches)

        def one(states: PyTree, number: Any) -> tuple[PyTree, PyTree]:
            point = trees.index(networks, number)._replace(shared=shared)
            return update(trees.index(states, number), point, *here)

        def at_point(number: Any, carry: PyTree) -> PyTree:
            # In place: a map would write the states of all points anew for every batch.
            found = one(carry[0], number)
            return jax.tree.map(lambda all_, new: all_.at[number].set(new), carry, found)

        values = jax.tree.map(
            lambda kind: jnp.zeros((len(ts), *kind.shape), kind.dtype),
            _shapes(lambda: one(states, 0)[1]),
        )
        # Points that only fill up come last, as in `_in_turn`.
        return jax.lax.fori_loop(0, mask.sum(), at_point, (states, values))

    states, values = jax.lax.scan(on_batch, states, examples)
    result = jax.lax.map(
        lambda here: measure.finish(measure.combine(here[0]), here[1]), (states, networks)
    )
    return result, jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), values), path.carry


def _pass_on(
    path: _Path, points: _Points, examples: Examples | None
) -> tuple[PyTree, PyTree, PyTree]:
    measure: Whole = path.measure

    @jax.jit  # so that one trace serves the shapes and the values
    def at_point(carry: PyTree, t: Array) -> tuple[PyTree, PyTree]:
        point = path.point_at(t)._replace(shared=path.shared)
        return measure.at_point(point, examples, carry)

    result, carry = _in_turn(at_point, points, path.carry)
    return result, None, carry


_ALONG = {Compared: _compare, Streamed: _stream, Whole: _pass_on}


def _in_turn(
    compute: Callable[[PyTree, Array], tuple[PyTree, PyTree]], points: _Points, carry: PyTree
) -> tuple[PyTree, PyTree]:
    """The results of ``compute(carry, t)`` at one point after the other, and the last carry.

    Points that only fill up come last, and the loop ends before them: they cost nothing, and no
    branch keeps XLA from moving what does not depend on t out of the loop.
    """
    ts, mask = points
    results = jax.tree.map(
        lambda kind: jnp.zeros((len(ts), *kind.shape), kind.dtype),
        _shapes(lambda: compute(carry, ts[0])[0]),
    )

    def at_point(number: Any, state: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
        found, carry = compute(state[1], ts[number])
        return jax.tree.map(lambda all_, new: all_.at[number].set(new), state[0], found), carry

    return jax.lax.fori_loop(0, mask.sum(), at_point, (results, carry))


def _shapes(tree: Any) -> Any:
    return jax.eval_shape(tree if callable(tree) else lambda: tree)
