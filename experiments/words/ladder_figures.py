"""The figure of the study of embeddings on lines."""

from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import style
from mconn.experiment.figures import LOOKS, PAGE
from mconn.experiment.tables import numbers, where

PANELS = (
    ("loss", "Objective (nats per pair)"),
    ("accuracy", "Accuracy of 3CosAdd"),
    ("defect", "Parallelogram defect"),
    ("sample_angle", "Angle, sample space (°)"),
    ("neuron_angle", "Angle, neuron space (°)"),
    ("last_singular", "Last singular value"),
)


def ladder_figure(points: pa.Table) -> Any:
    """Objective, accuracy, defect, angles and rank along every kind of path."""
    from matplotlib.figure import Figure

    rungs = list(dict.fromkeys(points["rung"].to_pylist()))
    with style():
        figure = Figure(figsize=(PAGE, 4.2))
        for axis, (column, label) in zip(figure.subplots(2, 3).flat, PANELS, strict=True):
            for rung, (colour, marker, dashes) in zip(rungs, LOOKS, strict=False):
                rows = where(points, rung=rung)
                t, values = numbers(rows, "t"), numbers(rows, column)
                ts = np.unique(t)
                at = np.stack([values[t == each] for each in ts])
                axis.fill_between(
                    ts, at.min(axis=1), at.max(axis=1), color=colour, alpha=0.15, linewidth=0
                )
                axis.plot(
                    ts,
                    at.mean(axis=1),
                    color=colour,
                    marker=marker,
                    markevery=max(1, len(ts) // 5),
                    markersize=3,
                    linestyle=dashes,
                    label=rung if column == "loss" else None,
                )
            axis.set_xlabel("Position, $t$")
            axis.set_ylabel(label)
        figure.legend(loc="outside upper center", ncols=3)
    return figure
