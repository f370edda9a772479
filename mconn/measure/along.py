"""Paths and data on their devices, and a measure at any number of their points."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mconn import meshes, trees
from mconn.checks import check_kind
from mconn.errors import ConfigError, StructureError
from mconn.measure.execution import Execution
from mconn.measure.measures import Compared, Measure, Streamed, Whole, fold, fold_whole
from mconn.measure.points import Networks, is_curve, points_of
from mconn.measure.program import SPECS, Arguments, as_argument, begin, measure_points
from mconn.paths import Path
from mconn.saving import flat, open_keeper, restored
from mconn.types import Batch, PyTree

MOST_DEVICES = 8
"""Each device holds a copy of the data; on a CPU, whose cores are devices, all in one memory."""


class Measured(NamedTuple):
    """What was measured, on the host.

    Attributes:
        result: what the measure gives at every point, shape (paths, points, ...) of every leaf.
        values: what it keeps of every example, shape (paths, points, examples, ...).
    """

    result: PyTree
    values: PyTree

    def at(self, rows: slice | np.ndarray) -> "Measured":
        """The results of some points, or of all in another order."""
        return jax.tree.map(lambda leaf: leaf[:, rows], self)

    def of_path(self, number: int) -> "Measured":
        """The results of one path, without the axis of paths."""
        return jax.tree.map(lambda leaf: leaf[number], self)


def joined(parts: Sequence[Measured]) -> Measured:
    """The results of all points, in the order given."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)


def along(
    measure: Measure,
    path: Path | Sequence[Path],
    ts: Any,
    data: Batch | None = None,
    execution: Execution = Execution(),
) -> Measured:
    """Measure at points of a path, or of several of one family, in one compiled program.

    Other weights, points and data of the same shapes run the same program.

    Args:
        measure: what is computed at a point.
        path: one; or several of one family and structure, all at the same points.
        ts: parameters of the points; or how many equispaced ones of a curve; or None for all of
            `Networks`.
        data: pytree of arrays with one leading axis of examples; None where the measure brings its
            own.
        execution: batches, devices, memory, refreshed statistics, and finished points on disk.

    Returns:
        The results, on the host; of a single path without the axis of paths.

    Raises:
        DataError: if there is no example, or the leading axes differ.
        StructureError: if there is no path, two differ in family or structure, or a point lies
            outside the domain.
        ConfigError: if one example does not fit the memory, a measure that is compared with the
            ends meets a surface, or statistics are to be recomputed from no data.
        CheckpointError: if the folder of cells belongs to something else.
    """
    several = [path] if isinstance(path, Path) else list(path)
    run = Run(measure, several, ts, data, execution)
    found = run(run.ts)
    return found.of_path(0) if isinstance(path, Path) else found


class Sizes(NamedTuple):
    """How the work is cut.

    Attributes:
        batch: examples in one batch, over all devices.
        points: points that a device works off in one call.
    """

    batch: int
    points: int


class Run:
    """A measure, several paths of one family and the examples, on their devices.

    It is called with any number of points, all with one compiled program.

    Attributes:
        paths: that are measured.
        ts: the points that it was made for.
        count: number of examples; None if the measure brings its own.
    """

    def __init__(
        self,
        measure: Measure,
        paths: Sequence[Path],
        ts: Any,
        data: Batch | None,
        execution: Execution,
    ) -> None:
        """Move everything to the devices.

        Args:
            measure: as in `along`, which also says what is raised.
            paths: of one family and structure.
            ts: points as `along` takes them; those of all calls have their shape and dtype.
            data: the examples.
            execution: the options.
        """
        check_kind("measure", measure, Measure, "derive it from mconn.measure.Streamed")
        check_kind("execution", execution, Execution, "pass mconn.measure.Execution(...)")
        self.paths = _checked(paths)
        self.ts = points_of(self.paths, ts)
        self._measure, self._execution = measure, execution
        self.count = None if data is None else trees.count_examples(data)
        refresh, seen = execution.refresh, execution.refresh_data
        if refresh is not None and seen is None:
            seen = data
        self._check(seen)
        self._mesh = _spread(measure, execution.mesh, len(self.paths))
        stacked = _stack(self.paths, self._mesh.shape["pair"])
        shares = self._mesh.shape["data"]

        def arguments(sizes: Sizes) -> Arguments:
            return Arguments(
                as_argument(measure),
                stacked,
                as_argument(refresh),
                None if data is None else fold(data, sizes.batch, shares),
                None if refresh is None else fold_whole(seen, sizes.batch),
            )

        points = execution.points_per_call or measure.points
        batch = min(execution.batch_size, self.count or execution.batch_size)
        sizes = Sizes(batch, math.ceil(points / self._mesh.shape["t"]))
        if execution.memory is not None:
            smallest = shares if self.count else batch
            compiled = partial(self._compiled, arguments)
            sizes = _fitting(compiled, sizes, smallest, execution.memory)
        self._sizes = sizes
        self._arguments = _each(self._put, arguments(sizes))
        self._begun: tuple[PyTree, PyTree] | None = None
        self._keeper = open_keeper(
            execution.cells,
            "measurement",
            measure=measure,
            paths=self.paths,
            data=data,
            refresh=refresh,
            refresh_data=None if refresh is None else seen,
            batch=sizes.batch if refresh is not None or measure.whole_batches else None,
        )

    @property
    def normaliser(self) -> str:
        """How normaliser statistics are treated: ``recompute`` or ``interpolate``."""
        return "interpolate" if self._execution.refresh is None else "recompute"

    def __call__(self, ts: np.ndarray, finished: Callable[[int], None] | None = None) -> Measured:
        """Measure at ``ts``, shape (points, ...), call by call.

        Args:
            ts: the points.
            finished: called with the number of finished points of all paths; by default what the
                execution says.
        """
        finished = finished or self._execution.finished
        kept = self._load()
        done = {row: kept[key] for row, key in enumerate(map(_key, ts)) if key in kept}
        todo = np.array([row for row in range(len(ts)) if row not in done], int)
        if done:
            finished(len(done) * len(self.paths))
        calls = math.ceil(len(todo) / (self._sizes.points * self._mesh.shape["t"]))
        for rows in np.array_split(todo, calls) if calls else []:
            measured = self._call(ts[rows])
            done |= {row: measured.at(slice(i, i + 1)) for i, row in enumerate(rows.tolist())}
            finished(len(done) * len(self.paths))
        return joined([done[row] for row in range(len(ts))])

    def _call(self, ts: np.ndarray) -> Measured:
        rows, mask = [], []
        for share in np.array_split(np.arange(len(ts)), self._mesh.shape["t"]):
            missing = self._sizes.points - len(share)
            rows += [*share, *[0] * missing]
            mask += [True] * len(share) + [False] * missing
        mask = np.array(mask)
        placed = self._put((ts[rows], mask), PartitionSpec("t"))
        shared, carry = self._begin(placed[0])
        found = measure_points(self._mesh, *placed, shared, carry, self._arguments)
        self._begun = shared, found.carry

        def on_host(leaf: jax.Array) -> np.ndarray:
            return meshes.array_on_host(leaf)[: len(self.paths), mask]

        def of_examples(leaf: jax.Array) -> np.ndarray:
            values = on_host(leaf)
            values = values.reshape(*values.shape[:2], -1, *values.shape[4:])
            return values[:, :, : self.count]

        measured = Measured(
            jax.tree.map(on_host, found.result), jax.tree.map(of_examples, found.values)
        )
        self._save(ts, measured)
        return measured

    def _begin(self, ts: jax.Array) -> tuple[PyTree, PyTree]:
        if self._begun is None:
            self._begun = (None, None)
            if isinstance(self._measure, Whole):
                shared, carry = begin(self._mesh, ts, self._arguments)
                self._begun = shared, self._load_carry(carry)
        return self._begun

    def _check(self, seen: Batch | None) -> None:
        measure, path = self._measure, self.paths[0]
        if self.count is None and isinstance(measure, Streamed):
            raise ConfigError(f"{type(measure).__name__} is measured on examples: pass data")
        if isinstance(measure, Compared) and not is_curve(path):
            raise ConfigError(
                f"{type(measure).__name__} compares points with both ends of a curve, not on "
                f"{path.domain.name}"
            )
        if measure.moving and (self.ts.ndim != 1 or isinstance(path, Networks)):
            raise ConfigError(
                f"slopes are defined on curves, not on {path.domain.name}: leave them out"
            )
        if self._execution.refresh is not None and seen is None:
            raise ConfigError(
                "refresh recomputes statistics from refresh_data: pass training examples"
            )

    def _put(self, tree: PyTree, spec: PartitionSpec) -> PyTree:
        return jax.device_put(tree, NamedSharding(self._mesh, spec))

    def _shapes(self, tree: PyTree, spec: PartitionSpec) -> PyTree:
        where = NamedSharding(self._mesh, spec)
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                np.shape(leaf), jnp.result_type(leaf), sharding=where
            ),
            tree,
        )

    def _call_shapes(self, arguments: Arguments, sizes: Sizes) -> tuple[Any, ...]:
        points = sizes.points * self._mesh.shape["t"]
        ts = np.zeros((points, *self.ts.shape[1:]), self.ts.dtype)
        ts, mask = self._shapes((ts, np.zeros(points, bool)), PartitionSpec("t"))
        given = _each(self._shapes, arguments)
        begun = (None, None)
        if isinstance(self._measure, Whole):
            begun = jax.eval_shape(partial(begin, self._mesh), ts, given)
        return ts, mask, *begun, given

    def _compiled(self, arguments: Callable[[Sizes], Arguments], sizes: Sizes) -> Any:
        shapes = self._call_shapes(arguments(sizes), sizes)
        return measure_points.lower(self._mesh, *shapes).compile()

    def _save(self, ts: np.ndarray, measured: Measured) -> None:
        if self._keeper is not None:
            parts = [name for name in self._keeper.names() if name != "carry"]
            number = max((int(name.removeprefix("points-")) + 1 for name in parts), default=0)
            self._keeper.save(f"points-{number:06d}", {"t": ts, **flat(measured)})
            carry = self._begun[1] if self._begun else None
            if jax.tree.leaves(carry):
                self._keeper.save("carry", flat(meshes.on_host(carry)))

    def _load(self) -> dict[bytes, Measured]:
        if self._keeper is None:
            return {}
        found: dict[bytes, Measured] = {}
        for part in self._keeper.names():
            arrays = self._keeper.load(part) or {}
            if part != "carry":
                measured = restored(arrays, self._like())
                found |= {
                    _key(t): measured.at(slice(row, row + 1)) for row, t in enumerate(arrays["t"])
                }
        return found

    def _like(self) -> Measured:
        shapes = self._call_shapes(self._arguments, self._sizes)
        found = jax.eval_shape(partial(measure_points, self._mesh), *shapes)
        return Measured(found.result, found.values)

    def _load_carry(self, carry: PyTree) -> PyTree:
        arrays = None if self._keeper is None else self._keeper.load("carry")
        if not arrays:
            return carry
        kept = restored(arrays, carry)
        fits = jax.tree.map(lambda a, b: a.shape == b.shape, kept, carry)
        return self._put(kept, PartitionSpec("pair", "t")) if all(jax.tree.leaves(fits)) else carry


def _key(t: Any) -> bytes:
    return np.asarray(t).tobytes()


def _each(put: Callable[[PyTree, Any], PyTree], arguments: Arguments) -> Arguments:
    return Arguments(*(put(part, spec) for part, spec in zip(arguments, SPECS, strict=True)))


def _fitting(compiled: Callable[[Sizes], Any], sizes: Sizes, fewest: int, memory: int) -> Sizes:
    """Sizes whose program's temporaries and results fit; each try compiles it once."""
    while True:
        found = compiled(sizes).memory_analysis()
        temporaries, results = found.temp_size_in_bytes, found.output_size_in_bytes
        if temporaries + results <= memory:
            return sizes
        if sizes.points > 1 and 2 * results > memory:
            sizes = sizes._replace(points=max(1, int(sizes.points * memory / (2 * results))))
        elif sizes.batch > fewest:
            share = max(0, memory - results) / temporaries
            fewer = min(sizes.batch // 2, int(sizes.batch * share))
            sizes = sizes._replace(batch=max(fewest, fewer))
        elif sizes.points > 1:
            sizes = sizes._replace(points=1)
        else:
            raise ConfigError(
                f"memory is {memory:,} bytes, and one example at one point needs "
                f"{temporaries + results:,} on a device: raise memory to that"
            )


def _spread(measure: Measure, mesh: Mesh | None, pairs: int) -> Mesh:
    """The mesh with all three axes; devices of an axis that cannot be used take points."""
    if mesh is None:
        devices = jax.local_devices()[:MOST_DEVICES]
        mesh = Mesh(np.array(devices), ("pair" if pairs >= len(devices) > 1 else "t",))
    mesh = meshes.complete(mesh)
    pair = mesh.shape["pair"] if pairs > 1 else 1
    splits = isinstance(measure, Streamed) and not measure.whole_batches
    data = mesh.shape["data"] if splits else 1
    if (pair, data) == (mesh.shape["pair"], mesh.shape["data"]):
        return mesh
    return meshes.of(mesh.devices, {"pair": pair, "t": mesh.size // (pair * data), "data": data})


def _checked(paths: Sequence[Path]) -> list[Path]:
    if not paths:
        raise StructureError("there is no path to evaluate: pass at least one")
    for path in paths:
        check_kind("path", path, Path, "make it with paths.line, or stack networks by Networks")
    structure = jax.tree.structure(paths[0])
    for number, path in enumerate(paths[1:], start=1):
        if jax.tree.structure(path) != structure:
            raise StructureError(
                f"path {number} is of another family or structure than path 0: evaluate them one "
                "after the other"
            )
        trees.check_same_structure(paths[0], path, ("path 0", f"path {number}"))
    return list(paths)


def _stack(paths: Sequence[Path], multiple: int) -> Path:
    filled = [*paths, *[paths[-1]] * (-len(paths) % multiple)]
    if len(filled) == 1:
        return _alone(filled[0])
    # On the host: each shape would compile a program to stack it on a device.
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *filled)


@jax.jit
def _alone(path: Path) -> Path:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], path)
