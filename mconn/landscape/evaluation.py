"""Paths and data on their devices, ready to be measured at points."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path as Folder
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mconn import meshes, trees
from mconn.errors import ConfigError, StructureError
from mconn.landscape.batches import fold, fold_whole
from mconn.landscape.budget import Sizes, fitting
from mconn.landscape.cells import Cells, describe
from mconn.landscape.measured import Measured, joined
from mconn.landscape.program import Request, measure
from mconn.landscape.refresh import Refresh
from mconn.paths import Path
from mconn.types import Batch, PyTree

MOST_DEVICES = 8
"""Each device holds a copy of the data; on a CPU, whose cores are devices, all in one memory."""

Finished = Callable[[int], None]
"""Called with the number of finished points, to show progress."""


def ignore(points: int) -> None:
    """Show no progress."""


class Evaluation:
    """Several paths of one family, on the devices with the examples they are measured on.

    It is called with any number of points, all with one compiled program.
    """

    def __init__(
        self,
        request: Request,
        paths: Sequence[Path],
        data: Batch,
        *,
        point_shape: tuple[int, ...] = (),
        batch_size: int = 1000,
        points_per_call: int = 16,
        refresh: Refresh | None = None,
        refresh_data: Batch | None = None,
        mesh: Mesh | None = None,
        memory: int | None = None,
    ) -> None:
        """Move everything to the devices.

        Args:
            request: what to measure.
            paths: of one family and structure.
            data: the examples.
            point_shape: the shape of a point; () on a curve.
            batch_size: largest number of examples in one batch.
            points_per_call: largest number of points between two transfers to the host.
            refresh: see `mconn.landscape.evaluate`, as for the rest.
            refresh_data: the examples that ``refresh`` sees; ``data`` if None.
            mesh: devices with axes among ``pair``, ``t`` and ``data``.
            memory: bytes of a device for temporaries and results; None for no limit.
        """
        for name, size in (("batch_size", batch_size), ("points_per_call", points_per_call)):
            if size < 1:
                raise ConfigError(f"{name} is {size}: it must be at least 1")
        self.request, self.paths = request, list(paths)
        self.count = trees.count_examples(data)
        self.mesh = spread(mesh, len(self.paths))
        if refresh is not None and refresh_data is None:
            refresh_data = data
        self.about = {
            "paths": self.paths,
            "data": data,
            "refresh": refresh,
            "refresh_data": refresh_data,
        }
        if jax.tree_util.all_leaves([refresh]):
            # A function is static, and a pytree's leaves are data: both are a pytree in this way.
            refresh = jax.tree_util.Partial(refresh)
        stacked = stack(self.paths, self.mesh.shape["pair"])

        def arguments(sizes: Sizes, put: Callable[[PyTree, PartitionSpec], PyTree]) -> tuple:
            examples = fold(data, sizes.batch, self.mesh.shape["data"])
            seen = None if refresh_data is None else fold_whole(refresh_data, sizes.batch)
            return (
                put(stacked, PartitionSpec("pair")),
                put(refresh, PartitionSpec()),
                put(examples, PartitionSpec(None, "data")),
                put(seen, PartitionSpec()),
            )

        sizes = Sizes(
            min(batch_size, self.count), math.ceil(points_per_call / self.mesh.shape["t"])
        )
        if memory is not None:
            sizes = fitting(
                lambda sizes: self.lowered(sizes, arguments(sizes, self.shapes), point_shape),
                sizes,
                self.mesh.shape["data"],
                memory,
            )
        self.sizes = sizes
        self.arguments = arguments(sizes, self.put)

    def put(self, tree: PyTree, spec: PartitionSpec) -> PyTree:
        """The tree on the devices."""
        return jax.device_put(tree, NamedSharding(self.mesh, spec))

    def shapes(self, tree: PyTree, spec: PartitionSpec) -> PyTree:
        """The shapes of the tree on the devices."""
        where = NamedSharding(self.mesh, spec)
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                np.shape(leaf), jnp.result_type(leaf), sharding=where
            ),
            tree,
        )

    def lowered(self, sizes: Sizes, arguments: tuple, point_shape: tuple[int, ...]) -> Any:
        """The program compiled for these sizes."""
        points = sizes.points * self.mesh.shape["t"]
        ts, live = self.shapes(
            (np.zeros((points, *point_shape), np.float32), np.zeros(points, bool)),
            PartitionSpec("t"),
        )
        paths, refresh, examples, seen = arguments
        return measure.lower(
            self.request, self.mesh, paths, refresh, ts, live, examples, seen
        ).compile()

    def __call__(
        self, ts: np.ndarray, cells: Folder | None = None, finished: Finished = ignore
    ) -> Measured:
        """Measure at ``ts``, shape (points, ...), call by call.

        Args:
            ts: the points.
            cells: folder of finished points.
            finished: called with the number of finished points of all paths.
        """
        saved = None if cells is None else Cells(cells, self.description(ts))
        done = {} if saved is None else saved.load(len(ts))
        todo = np.array([point for point in range(len(ts)) if point not in done], int)
        if done:
            finished(len(done) * len(self.paths))
        calls = math.ceil(len(todo) / (self.sizes.points * self.mesh.shape["t"]))
        for points in np.array_split(todo, calls) if calls else []:
            measured = self.call(ts[points])
            if saved is not None:
                saved.save(points, measured)
            done |= {
                int(point): measured.at(slice(row, row + 1)) for row, point in enumerate(points)
            }
            finished(len(done) * len(self.paths))
        return joined([done[point] for point in range(len(ts))])

    def call(self, ts: np.ndarray) -> Measured:
        """Measure at no more points than fit into one call."""
        rows, live = [], []
        for share in np.array_split(np.arange(len(ts)), self.mesh.shape["t"]):
            missing = self.sizes.points - len(share)
            rows += [*share, *[0] * missing]
            live += [True] * len(share) + [False] * missing
        mask = np.array(live)
        placed = self.put((ts[rows], mask), PartitionSpec("t"))
        paths, refresh, examples, seen = self.arguments
        found = measure(self.request, self.mesh, paths, refresh, *placed, examples, seen)
        some = partial(self.only_real, mask)
        return Measured(
            {metric: some(values) for metric, values in found.values.items()},
            None if found.gradient_norm is None else some(found.gradient_norm),
        )

    def only_real(self, live: np.ndarray, array: jax.Array) -> np.ndarray:
        """On the host, without the paths, points and examples that fill up."""
        values = meshes.array_on_host(array)[: len(self.paths), live]
        if values.ndim < 4:
            return values
        return values.reshape(*values.shape[:2], -1)[..., : self.count]

    def description(self, ts: np.ndarray) -> dict[str, str]:
        """What distinguishes this evaluation from others."""
        batch = self.sizes.batch if self.about["refresh"] is not None else None
        return describe(
            eval_fn=self.request.eval_fn,
            ts=ts,
            **self.about,
            options=(self.request.slopes, self.request.gradients, self.request.moments, batch),
        )


def spread(mesh: Mesh | None, pairs: int) -> Mesh:
    """The mesh with all three axes; by default the first local devices, over paths or points."""
    if mesh is None:
        devices = jax.local_devices()[:MOST_DEVICES]
        mesh = Mesh(np.array(devices), ("pair" if pairs >= len(devices) > 1 else "t",))
    mesh = meshes.complete(mesh)
    if pairs > 1:
        return mesh
    # One path leaves nothing to spread over pairs: their devices take points.
    data = mesh.shape["data"]
    return meshes.of(mesh.devices, {"t": mesh.size // data, "data": data})


def stack(paths: Sequence[Path], multiple: int) -> Path:
    """The paths along a new axis, filled up with the last one to a multiple.

    Raises:
        StructureError: if there is no path, or two are of different families.
    """
    if not paths:
        raise StructureError("there is no path to evaluate: pass at least one")
    first = jax.tree.structure(paths[0])
    for number, path in enumerate(paths[1:], start=1):
        if jax.tree.structure(path) != first:
            raise StructureError(
                f"path {number} is of another family or structure than path 0: evaluate them one "
                "after the other"
            )
        trees.check_same_structure(paths[0], path, ("path 0", f"path {number}"))
    missing = -len(paths) % multiple
    filled = [*paths, *[paths[-1]] * missing]
    if len(filled) == 1:
        return alone(filled[0])
    # On the host: each shape would compile a program to stack it on a device.
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *filled)


@jax.jit
def alone(path: Path) -> Path:
    """One path, with an axis of paths."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], path)
