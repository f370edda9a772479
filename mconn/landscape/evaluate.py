"""Every metric of every example at every point of a path."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Shaped

from mconn.landscape.losses import Losses
from mconn.landscape.profile import Profile
from mconn.measure import Execution, Measure, Measured, Run
from mconn.paths import Path
from mconn.types import Batch, EvalFn


def evaluate(
    eval_fn: EvalFn,
    path: Path,
    ts: Any,
    data: Batch,
    *,
    slopes: bool = False,
    gradients: bool = False,
    execution: Execution = Execution(),
) -> Profile:
    """Evaluate ``eval_fn`` at every point of ``ts`` on every example of ``data``.

    One compiled program maps over points one at a time and scans over batches, so that device
    memory holds one network and one batch of activations whatever the number of points; results
    leave the device every ``execution.points_per_call`` points, 16 by default.

    Args:
        eval_fn: (params, batch) -> {metric: (n,)}; hashable, so that calls share the program.
        path: the path; its control points are arguments of the program. Networks that are given,
            such as the epochs of a training, are one too: `mconn.measure.Networks`.
        ts: parameters of the points, shape (points,) or (points, k) on a simplex; or how many
            equispaced points of a curve.
        data: pytree of arrays with one leading axis of examples; for `Classification` anything with
            the fields ``inputs`` and ``labels``, a mapping with these keys, or the pair of them.
        slopes: whether to add the metric ``slope``: dL/dt of every example, on a curve.
        gradients: whether to add the slopes and, at every point, the norm of the gradient of the
            mean loss by the parameters, at fixed normaliser statistics.
        execution: batches, devices, memory, refreshed statistics, and finished points on disk.

    Returns:
        The values of every metric, per point and example, on the host. Values that are not finite
        are kept; see `Profile.not_finite`.

    Raises:
        DataError: if there is no example, or the leading axes differ.
        StructureError: if a point lies outside the path's domain, or a metric is not one number
            per example, or there is no metric ``loss`` to differentiate.
        ConfigError: if one example does not fit the memory, or slopes are asked for on a surface.
        CheckpointError: if ``execution.cells`` belongs to another evaluation.
    """
    measure = Losses(eval_fn, slopes or gradients, gradients)
    (profile,) = profiles_along(measure, [path], ts, data, execution)
    return profile


def evaluate_many(
    eval_fn: EvalFn,
    paths: Sequence[Path],
    ts: Any,
    data: Batch,
    *,
    slopes: bool = False,
    gradients: bool = False,
    execution: Execution = Execution(),
) -> list[Profile]:
    """Evaluate several paths of one family at the same points, in one compiled program.

    Args:
        eval_fn: as in `evaluate`, and so are all arguments that are not named here.
        paths: of one family and structure; a device holds one network at a time.
        ts: parameters of the points, the same on every path.
        data: the examples.
        slopes: as in `evaluate`.
        gradients: as in `evaluate`.
        execution: as in `evaluate`; ``refresh`` is the same for all paths.

    Raises:
        StructureError: if there is no path, or two differ in family or structure; and as
            `evaluate`.
    """
    measure = Losses(eval_fn, slopes or gradients, gradients)
    return profiles_along(measure, paths, ts, data, execution)


def profiles_along(
    measure: Measure, paths: Sequence[Path], ts: Any, data: Batch, execution: Execution
) -> list[Profile]:
    """The profiles of paths along which a measure keeps values {metric: (n,)} of every example.

    Args:
        measure: whose result, if it has one, is the norm of the gradient.
        paths: as in `evaluate_many`, and so are the others.
        ts: the points.
        data: the examples.
        execution: the options.
    """
    run = Run(measure, paths, ts, data, execution)
    measured = run(run.ts)
    return [profile_of(run, measured, run.ts, pair) for pair in range(len(paths))]


def profile_of(
    run: Run, measured: Measured, ts: Shaped[np.ndarray, "points ..."], pair: int = 0
) -> Profile:
    """The profile of one of the paths."""
    mixture, arc_length = _geometry(run.paths[pair], ts)
    norm, values = measured.of_path(pair)
    return Profile(
        t=np.asarray(ts, ts.dtype if ts.dtype.kind == "f" else np.float32),
        mixture=np.asarray(mixture),
        arc_length=np.asarray(arc_length),
        values=values,
        normaliser=run.normaliser,
        gradient_norm=norm,
    )


@jax.jit
def _geometry(path: Path, ts: Shaped[Array, "points ..."]) -> tuple[Array, Array]:
    return jax.vmap(path.mixture)(ts), path.arc_length(ts)
