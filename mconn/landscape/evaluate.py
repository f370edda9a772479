"""One evaluation kernel: every metric of every example at every point of a path."""

import abc
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from mconn.errors import ConfigError, DataError, StructureError
from mconn.landscape.profile import Profile
from mconn.paths import Path
from mconn.types import Batch, EvalFn, Params

MOST_DEVICES = 8
"""Each device holds a copy of the data; on a CPU, whose cores are devices, all in one memory."""


class MixtureRefresh(abc.ABC):
    """A refresh that depends on where a point lies between the ends.

    If it is a registered pytree, its leaves are arguments of the compiled program.
    """

    @abc.abstractmethod
    def __call__(
        self, params: Params, batches: Any, mixture: Float[Array | np.ndarray, "ends"]
    ) -> Params:
        """``params`` of the point at which the ends have the weights ``mixture``, refreshed."""


Refresh: TypeAlias = Callable[[Params, Any], Params] | MixtureRefresh
"""(params, batches) -> params with normaliser statistics recomputed on those batches."""


def evaluate(
    eval_fn: EvalFn,
    path: Path,
    ts: Any,
    data: Batch,
    *,
    batch_size: int = 1000,
    points_per_call: int = 16,
    refresh: Refresh | None = None,
    refresh_data: Batch | None = None,
    devices: Sequence[Any] | None = None,
    finished: Callable[[int], None] = lambda points: None,
) -> Profile:
    """Evaluate ``eval_fn`` at every point of ``ts`` on every example of ``data``.

    One compiled program maps over points one at a time and scans over batches, so that device
    memory holds one network and one batch of activations whatever the number of points; results
    leave the device every ``points_per_call`` points. Points are spread over ``devices``.

    Args:
        eval_fn: (params, batch) -> {metric: (n,)}; hashable, so that calls share the program.
        path: the path; its control points are arguments of the program.
        ts: parameters of the points, shape (points,) or (points, k) on a simplex.
        data: pytree of arrays with one leading axis of examples.
        batch_size: largest number of examples in one batch.
        points_per_call: points between two transfers to the host: the memory of the results.
        refresh: recomputes normaliser statistics at every point, or repairs the network; hashable
            or a pytree. None mixes the ends' statistics.
        refresh_data: the examples that ``refresh`` sees: training data, whatever the split.
        devices: devices to spread the points over; the first eight local ones by default.
        finished: called with the number of finished points, to show progress.

    Returns:
        The values of every metric, per point and example, on the host.

    Raises:
        DataError: if there is no example, or the leading axes differ.
        StructureError: if a point lies outside the path's domain, or a metric is not one number
            per example.
        ConfigError: if a batch or a call would be empty.
    """
    for name, size in (("batch_size", batch_size), ("points_per_call", points_per_call)):
        if size < 1:
            raise ConfigError(f"{name} is {size}: it must be at least 1")
    ts = np.atleast_1d(np.asarray(ts, np.float32))
    path.domain.check(ts)
    count = _example_count(data)
    devices = list(jax.local_devices()[:MOST_DEVICES] if devices is None else devices)[: len(ts)]
    mesh = Mesh(np.array(devices), ("point",))
    everywhere = NamedSharding(mesh, PartitionSpec())

    # Calls of equal size: 25 points are two calls of 13, not one of 16 and one of 9 filled up.
    per_call = math.ceil(len(ts) / math.ceil(len(ts) / points_per_call))
    per_call = math.ceil(per_call / len(devices)) * len(devices)
    if jax.tree_util.all_leaves([refresh]):
        # A function is static, and a pytree's leaves are data: both are a pytree in this way.
        refresh = jax.tree_util.Partial(refresh)
    path, refresh, batches, refresh_batches = jax.device_put(
        (
            path,
            refresh,
            _batches(data, count, batch_size),
            None
            if refresh is None
            else _whole_batches(data if refresh_data is None else refresh_data, batch_size),
        ),
        everywhere,
    )
    pieces = []
    for start in range(0, len(ts), per_call):
        chunk = ts[start : start + per_call]
        # The last call repeats its last point, so that one program serves every call.
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], per_call - len(chunk), axis=0)])
        values = _evaluate_points(eval_fn, mesh, path, refresh, padded, batches, refresh_batches)
        pieces.append(
            {
                metric: np.asarray(v)[: len(chunk)].reshape(len(chunk), -1)[:, :count]
                for metric, v in values.items()
            }
        )
        finished(start + len(chunk))
    return Profile(
        t=ts,
        mixture=np.asarray(jax.vmap(path.mixture)(jnp.asarray(ts))),
        arc_length=np.asarray(path.arc_length(ts)),
        values={metric: np.concatenate([p[metric] for p in pieces]) for metric in pieces[0]},
        normaliser="interpolate" if refresh is None else "recompute",
    )


@partial(jax.jit, static_argnums=(0, 1))
def _evaluate_points(
    eval_fn: EvalFn,
    mesh: Mesh,
    path: Path,
    refresh: Any,
    ts: jax.Array,
    batches: Any,
    refresh_batches: Any,
) -> dict[str, jax.Array]:
    def on_one_device(path: Path, refresh: Any, ts: Any, batches: Any, refresh_batches: Any) -> Any:
        def at_point(t: Any) -> Any:
            params = path(t)
            if isinstance(refresh, MixtureRefresh):
                params = refresh(params, refresh_batches, path.mixture(t))
            elif refresh is not None:
                params = refresh(params, refresh_batches)
            return jax.lax.map(lambda batch: _values(eval_fn, params, batch), batches)

        return jax.lax.map(at_point, ts)

    everywhere, by_point = PartitionSpec(), PartitionSpec("point")
    return jax.shard_map(
        on_one_device,
        mesh=mesh,
        in_specs=(everywhere, everywhere, by_point, everywhere, everywhere),
        out_specs=by_point,
        check_vma=False,
    )(path, refresh, ts, batches, refresh_batches)


def _values(eval_fn: EvalFn, params: Params, batch: Batch) -> dict[str, jax.Array]:
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


def _example_count(data: Batch) -> int:
    counts = {len(leaf) for leaf in jax.tree.leaves(data)}
    if len(counts) != 1 or counts == {0}:
        raise DataError(
            f"the data's arrays must share one non-zero number of examples, got {sorted(counts)}"
        )
    return counts.pop()


def _batches(data: Batch, count: int, batch_size: int) -> Batch:
    """Fold the examples into equal batches; the last one is filled up with the last example."""
    number = math.ceil(count / batch_size)
    size = math.ceil(count / number)

    def fold(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        filling = np.repeat(leaf[-1:], number * size - count, axis=0)
        return np.concatenate([leaf, filling]).reshape(number, size, *leaf.shape[1:])

    return jax.tree.map(fold, data)


def _whole_batches(data: Batch, batch_size: int) -> Batch:
    """Fold the examples into full batches, without the few that are left over."""
    count = _example_count(data)
    size = min(batch_size, count)
    number = count // size

    def fold(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)[: number * size]
        return leaf.reshape(number, size, *leaf.shape[1:])

    return jax.tree.map(fold, data)
