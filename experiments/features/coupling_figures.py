"""The figures of the counterexamples to a coupling of loss and features."""

from typing import Any

import numpy as np
import pyarrow as pa

from experiments.features.coupling_stages import UNREAD
from mconn.experiment import COLUMN, LOOKS, PAGE, distinct, numbers, style, where

RESIDUALS = {"drift": "as they are", "rotation_residual": "rotated"}


def path_figure(along: pa.Table) -> Any:
    """Loss and features: a column per path."""
    from matplotlib.figure import Figure

    names = distinct(np.asarray(along["path"].to_pylist()))
    with style():
        figure = Figure(figsize=(PAGE, 3.3))
        panels = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
        for (loss, unexplained), name in zip(panels.T, names, strict=True):
            rows = where(along, path=name)
            ts = numbers(rows, "t")
            loss.plot(ts, numbers(rows, "height"), color=LOOKS[0][0], clip_on=False)
            for (measure, label), look in zip(RESIDUALS.items(), LOOKS[1:], strict=False):
                unexplained.plot(
                    ts,
                    numbers(rows, measure),
                    color=look[0],
                    linestyle=look[2],
                    label=label,
                    clip_on=False,
                )
            loss.set_title(name.capitalize())
            unexplained.set_xlabel("Position, $t$")
            unexplained.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        panels[0, 0].set_ylabel("Loss height (nats)")
        panels[1, 0].set_ylabel("Unexplained share")
        panels[1, 0].set_ylim(0, 1.5)
        handles, labels = panels[1, 0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside upper center",
            ncols=2,
            title="Features at $t = 0$",
            title_fontsize=7.5,
        )
    return figure


def attribute_figure(along: pa.Table, ratio: float) -> Any:
    """The angle of an attribute's direction along the path of constant loss."""
    from matplotlib.figure import Figure

    rows = where(along, path=UNREAD)
    ts = numbers(rows, "t")
    fine = np.linspace(0, 1, 200)
    with style():
        figure = Figure(figsize=(COLUMN, 2.3))
        axis = figure.subplots()
        axis.plot(fine, np.degrees(np.arctan(ratio * fine)), color=LOOKS[1][0], label="closed form")
        axis.plot(
            ts,
            numbers(rows, "attribute_angle"),
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
