"""The figures of the study of real texts."""

from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import LOOKS, PAGE, numbers, plot, style, where

PANELS = {
    "loss": "Loss",
    "accuracy": "Accuracy of 3CosAdd",
    "sample_angle": "Angle, sample space (°)",
}


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
    drawn = points.to_pandas().melt(["method", "rung", "t"], list(PANELS), "what")
    labels = {"t": "Position on the line, $t$"}
    look = {"labels": labels, "names": PANELS, "share": {"sharey": False}}
    return plot.panels(drawn, "t", "value", by="rung", rows="method", columns="what", look=look)
