"""Every metric of every example at every point of a path."""

from collections.abc import Sequence
from pathlib import Path as Folder
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.landscape.evaluation import Evaluation, Finished, ignore
from mconn.landscape.measured import Measured
from mconn.landscape.profile import Profile
from mconn.landscape.program import Request
from mconn.landscape.refresh import Refresh
from mconn.paths import Path
from mconn.types import Batch, EvalFn


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
    mesh: Mesh | None = None,
    memory: int | None = None,
    slopes: bool = False,
    gradients: bool = False,
    cells: Folder | None = None,
    finished: Finished = ignore,
) -> Profile:
    """Evaluate ``eval_fn`` at every point of ``ts`` on every example of ``data``.

    One compiled program maps over points one at a time and scans over batches, so that device
    memory holds one network and one batch of activations whatever the number of points; results
    leave the device every ``points_per_call`` points.

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
        mesh: devices with axes among ``pair``, ``t`` and ``data``: points are spread over the
            first two, the examples of a batch over the last. The first eight local devices over
            ``t`` by default. Over the devices of several processes (`jax.distributed`) each
            passes the same arguments and gets the whole profile.
        memory: bytes of one device that the program's temporaries and results may take; batches
            and calls are made as small as that needs. Data and control points come on top.
        slopes: whether to add the metric ``slope``: dL/dt of every example, on a curve.
        gradients: whether to add the slopes and, at every point, the norm of the gradient of the
            mean loss by the parameters, at fixed normaliser statistics.
        cells: folder in which finished points are kept; called again, only the rest is measured.
        finished: called with the number of finished points, to show progress.

    Returns:
        The values of every metric, per point and example, on the host. Values that are not finite
        are kept; see `Profile.not_finite`.

    Raises:
        DataError: if there is no example, or the leading axes differ.
        StructureError: if a point lies outside the path's domain, or a metric is not one number
            per example, or there is no metric ``loss`` to differentiate.
        ConfigError: if a batch or a call would be empty, one example does not fit the memory, or
            slopes are asked for on a surface.
        CheckpointError: if ``cells`` belongs to another evaluation.
    """
    (profile,) = evaluate_many(
        eval_fn,
        [path],
        ts,
        data,
        batch_size=batch_size,
        points_per_call=points_per_call,
        refresh=refresh,
        refresh_data=refresh_data,
        mesh=mesh,
        memory=memory,
        slopes=slopes,
        gradients=gradients,
        cells=cells,
        finished=finished,
    )
    return profile


def evaluate_many(
    eval_fn: EvalFn,
    paths: Sequence[Path],
    ts: Any,
    data: Batch,
    *,
    batch_size: int = 1000,
    points_per_call: int = 16,
    refresh: Refresh | None = None,
    refresh_data: Batch | None = None,
    mesh: Mesh | None = None,
    memory: int | None = None,
    slopes: bool = False,
    gradients: bool = False,
    cells: Folder | None = None,
    finished: Finished = ignore,
) -> list[Profile]:
    """Evaluate several paths of one family at the same points, in one compiled program.

    Args:
        eval_fn: as in `evaluate`, and so are all arguments that are not named here.
        paths: of one family and structure; a device holds one network at a time.
        ts: parameters of the points, the same on every path.
        data: the examples.
        batch_size: as in `evaluate`.
        points_per_call: points of each path between two transfers to the host.
        refresh: as in `evaluate`, the same for all paths.
        refresh_data: as in `evaluate`.
        mesh: paths are spread over ``pair``, points over ``t``, examples over ``data``. By
            default the first eight local devices over the paths, or over the points where there
            are fewer paths than devices.
        memory: as in `evaluate`.
        slopes: as in `evaluate`.
        gradients: as in `evaluate`.
        cells: as in `evaluate`.
        finished: called with the number of finished points of all paths together.

    Raises:
        StructureError: if there is no path, or two differ in family or structure; and as
            `evaluate`.
    """
    ts = checked_points(paths, ts)
    if (slopes or gradients) and ts.ndim != 1:
        raise ConfigError("slopes are defined on curves, and this path is a surface: leave them")
    evaluation = Evaluation(
        Request(eval_fn, slopes or gradients, gradients),
        paths,
        data,
        point_shape=ts.shape[1:],
        batch_size=batch_size,
        points_per_call=points_per_call,
        refresh=refresh,
        refresh_data=refresh_data,
        mesh=mesh,
        memory=memory,
    )
    measured = evaluation(ts, cells, finished)
    return [profile_of(evaluation, measured, ts, pair) for pair in range(len(paths))]


def checked_points(paths: Sequence[Path], ts: Any) -> Float[np.ndarray, "points ..."]:
    """The points in single precision.

    Raises:
        StructureError: if one lies outside a path's domain.
    """
    ts = np.atleast_1d(np.asarray(ts, np.float32))
    for path in paths:
        path.domain.check(ts)
    return ts


def profile_of(
    evaluation: Evaluation, measured: Measured, ts: Float[np.ndarray, "points ..."], pair: int
) -> Profile:
    """The profile of one of the paths."""
    mixture, arc_length = geometry(evaluation.paths[pair], ts)
    norms = measured.gradient_norm
    return Profile(
        t=ts,
        mixture=np.asarray(mixture),
        arc_length=np.asarray(arc_length),
        values={metric: values[pair] for metric, values in measured.values.items()},
        normaliser="interpolate" if evaluation.about["refresh"] is None else "recompute",
        gradient_norm=None if norms is None else norms[pair],
    )


@jax.jit
def geometry(path: Path, ts: Float[Array, "points ..."]) -> tuple[Array, Array]:
    """The mixture and the arc length at every point."""
    return jax.vmap(path.mixture)(ts), path.arc_length(ts)
