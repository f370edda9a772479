"""The figures of the counterexamples to a coupling of loss and features."""

from typing import Any

import numpy as np

from mconn.experiment import COLUMN, LOOKS, Frame, plot, style

MEASURES = {
    "height": "loss",
    "drift": "features at $t = 0$, as they are",
    "rotation_residual": "rotated",
}


def path_figure(along: Frame) -> Any:
    """Loss and features: a column per path."""
    rows = along.melt(["path", "t"], list(MEASURES), "measure")
    rows["row"] = np.where(rows.measure == "height", "Loss height (nats)", "Unexplained share")
    names = MEASURES | {path: path.capitalize() for path in rows.path.unique()}
    figure = plot.panels(
        rows,
        "t",
        "value",
        by="measure",
        rows="row",
        columns="path",
        labels={"t": "Position, $t$"},
        names=names,
        ticks=(0, 0.5, 1),
        height=3.3,
    )
    for panel in figure.axes[len(figure.axes) // 2 :]:
        panel.set_ylim(bottom=0)
    return figure


def attribute_figure(along: Frame, ratio: float) -> Any:
    """The angle of an attribute's direction along the path of constant loss."""
    from matplotlib.figure import Figure

    fine = np.linspace(0, 1, 200)
    with style():
        figure = Figure(figsize=(COLUMN, 2.3))
        axis = figure.subplots()
        axis.plot(fine, np.degrees(np.arctan(ratio * fine)), color=LOOKS[1][0], label="closed form")
        axis.plot(
            along.t,
            along.attribute_angle,
            "o",
            color=LOOKS[0][0],
            markerfacecolor="white",
            clip_on=False,
            label="measured",
            zorder=3,
        )
        axis.set_ylim(0, 90)
        axis.set_yticks([0, 30, 60, 90])
        axis.set_xlabel("Position on the path, $t$")
        axis.set_ylabel("Angle of the attribute (°)")
        axis.legend(loc="lower right")
    return figure
