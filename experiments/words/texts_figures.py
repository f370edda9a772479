"""The figures of the study of real texts."""

from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import style
from mconn.experiment.figures import COLUMN, LOOKS, PAGE
from mconn.experiment.tables import numbers, where

PANELS = (
    ("loss", "Loss"),
    ("accuracy", "Accuracy of 3CosAdd"),
    ("sample_angle", "Angle, sample space (°)"),
)


def accuracy_figure(accuracy: pa.Table) -> Any:
    """The share of right answers of every method and seed, with intervals."""
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(accuracy["method"].to_pylist()))
    with style():
        figure = Figure(figsize=(PAGE, 0.5 + 0.3 * len(methods)))
        axis = figure.subplots()
        colour, marker, _ = LOOKS[1]
        for place, method in enumerate(methods):
            rows = where(accuracy, method=method, rule="3CosAdd", section="total")
            value = 100 * numbers(rows, "right") / numbers(rows, "covered")
            low, high = (100 * numbers(rows, name) for name in ("low", "high"))
            # The seeds of a method lie side by side.
            heights = place + 0.15 * (np.arange(len(value)) - (len(value) - 1) / 2)
            axis.errorbar(
                value,
                heights,
                xerr=np.maximum(0, [value - low, high - value]),
                linestyle="none",
                marker=marker,
                markersize=3,
                color=colour,
                linewidth=0.8,
            )
        axis.set_yticks(range(len(methods)), methods)
        axis.invert_yaxis()
        axis.set_xlim(left=0)
        axis.set_xlabel("Right answers (% of the covered questions)")
    return figure


def text_ladder_figure(points: pa.Table) -> Any:
    """Loss, accuracy and angle along the lines, a row of panels per method."""
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(points["method"].to_pylist()))
    rungs = list(dict.fromkeys(points["rung"].to_pylist()))
    with style():
        figure = Figure(figsize=(PAGE, 2 * COLUMN * len(methods) / 2.8))
        axes = figure.subplots(len(methods), len(PANELS), squeeze=False)
        for method, row in zip(methods, axes, strict=True):
            for axis, (column, label) in zip(row, PANELS, strict=True):
                for rung, (colour, marker, dashes) in zip(rungs, LOOKS, strict=False):
                    rows = where(points, method=method, rung=rung)
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
                        markevery=2,
                        markersize=4,
                        linestyle=dashes,
                        label=rung if axis is axes[0, 0] else None,
                    )
                axis.set_title(method, loc="left")
                axis.set_xlabel("Position on the line, $t$")
                axis.set_ylabel(label)
        figure.legend(loc="outside upper center", ncols=len(rungs))
    return figure
