"""Figures of what was tracked during a training."""

from typing import Any

import numpy as np

from mconn.experiment.figures import PAGE, columns, distinct, looks, select, style
from mconn.experiment.report import Figure
from mconn.experiment.stage import Table

LABELS = {
    "barrier": "Chord barrier (nats)",
    "CKA": "Debiased linear CKA",
    "angle between": "Largest angle (°)",
    "angle from": "Largest angle (°)",
}


def diagnostics_figure(table: Table, *, width: float | int = PAGE) -> Figure:
    """Every tracked quantity over epochs, a panel each; barriers share one.

    A line is the mean over networks, or pairs of them, of one layer; its band reaches from the
    lowest to the highest.

    Args:
        table: of `mconn.diagnostics.table`.
        width: of the figure, in inches.

    Raises:
        ConfigError: if the table lacks a column.
    """
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.ticker import MaxNLocator

    rows = columns(table, ("epoch", "quantity", "layer", "networks", "value"))
    panels: dict[str, list[str]] = {}
    for quantity in distinct(rows["quantity"]):
        title = "barrier" if quantity.startswith("barrier") else quantity
        panels.setdefault(title, []).append(quantity)
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    with style():
        figure = NewFigure(figsize=(width * across / 2, 0.3 + 2.1 * down), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for axis, (title, quantities) in zip(axes, panels.items(), strict=False):
            lines = [
                (quantity, layer)
                for quantity in quantities
                for layer in distinct(select(rows, quantity=quantity)["layer"])
            ]
            for (quantity, layer), look in zip(lines, looks([str(x) for x in lines]), strict=True):
                chosen = select(rows, quantity=quantity, layer=layer)
                draw_series(axis, chosen, look, layer or quantity.partition(", ")[2])
            axis.set_title(title[0].upper() + title[1:])
            axis.set_ylabel(next(text for start, text in LABELS.items() if title.startswith(start)))
            axis.set_xlabel("Epoch")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.legend()
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
    return figure


def draw_series(
    axis: Any, rows: dict[str, np.ndarray], look: tuple[str, str, Any], name: str
) -> None:
    """The mean over networks with the band from the lowest to the highest."""
    colour, _, dashes = look
    epochs = np.unique(rows["epoch"])
    values = [rows["value"][rows["epoch"] == epoch] for epoch in epochs]
    low, mean, high = ([f(v) for v in values] for f in (np.min, np.mean, np.max))
    axis.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
    axis.plot(epochs, mean, color=colour, linestyle=dashes, label=name)
