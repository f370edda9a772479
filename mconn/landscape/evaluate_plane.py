"""Metrics on a plane of networks, in memory that does not grow with its points."""

from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from mconn.errors import StructureError
from mconn.landscape.evaluate import checked_points
from mconn.landscape.evaluation import Evaluation, Finished, ignore
from mconn.landscape.plane import Coordinates, coordinates
from mconn.landscape.program import Request
from mconn.landscape.refresh import Refresh
from mconn.paths import ControlledPath
from mconn.types import Batch, EvalFn


@dataclass(frozen=True)
class PlaneProfile:
    """What `evaluate_plane` returns, on the host; its rows are y, its columns x.

    Attributes:
        x: coordinates of the columns, in Euclidean distance between networks.
        y: coordinates of the rows.
        coordinates: of the plane; its ``points`` are those of the three networks.
        mean: per metric the mean over the examples.
        standard_error: per metric the standard error of that mean (unpaired).
        examples: number of examples.
        normaliser: how normaliser statistics were treated: ``recompute`` or ``interpolate``.
    """

    x: Float[np.ndarray, "columns"]
    y: Float[np.ndarray, "rows"]
    coordinates: Coordinates
    mean: dict[str, Float[np.ndarray, "rows columns"]]
    standard_error: dict[str, Float[np.ndarray, "rows columns"]]
    examples: int
    normaliser: str


def evaluate_plane(
    eval_fn: EvalFn,
    plane: ControlledPath,
    x: Any,
    y: Any,
    data: Batch,
    *,
    batch_size: int = 1000,
    points_per_call: int = 32,
    refresh: Refresh | None = None,
    refresh_data: Batch | None = None,
    mesh: Mesh | None = None,
    memory: int | None = None,
    cells: Folder | None = None,
    finished: Finished = ignore,
) -> PlaneProfile:
    """Evaluate ``eval_fn`` on a grid of a plane.

    Means and standard errors are taken on the device; no value of an example is kept. Where a
    value is not finite, so is the mean of its point, and the rest stays.

    Args:
        eval_fn: as in `mconn.landscape.evaluate`, and so are all arguments not named here.
        plane: through three networks, `mconn.paths.plane`, or `random_plane`.
        x: coordinates of the grid's columns, for example from `box`; a is at (0, 0), and b on the
            x axis.
        y: coordinates of its rows.
        data: the examples.
        batch_size: as in `evaluate`.
        points_per_call: points between two reports of progress, and in one file of ``cells``.
        refresh: as in `evaluate`.
        refresh_data: as in `evaluate`.
        mesh: as in `evaluate`.
        memory: as in `evaluate`.
        cells: as in `evaluate`.
        finished: as in `evaluate`.

    Raises:
        StructureError: if the plane is none, or a coordinate is not finite; and as `evaluate`.
    """
    where = coordinates(plane)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or y.ndim != 1:
        raise StructureError(
            f"x and y have the shapes {x.shape} and {y.shape}: pass the coordinates of the "
            "columns and of the rows, one axis each"
        )
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    ts = checked_points([plane], where.parameters(grid))
    evaluation = Evaluation(
        Request(eval_fn, moments=True),
        [plane],
        data,
        point_shape=(2,),
        batch_size=batch_size,
        points_per_call=points_per_call,
        refresh=refresh,
        refresh_data=refresh_data,
        mesh=mesh,
        memory=memory,
    )
    measured = evaluation(ts, cells, finished)
    mean, standard_error = (
        {
            metric: values[0, :, part].reshape(len(y), len(x))
            for metric, values in measured.values.items()
        }
        for part in range(2)
    )
    return PlaneProfile(
        x=x,
        y=y,
        coordinates=where,
        mean=mean,
        standard_error=standard_error,
        examples=evaluation.count,
        normaliser="interpolate" if refresh is None else "recompute",
    )
