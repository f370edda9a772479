"""The figures of the studies of repaired networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.collapse.tables import at_ends, half_way, ratio_by_layer
from mconn.experiment import COLUMN, PAGE, Frame, lighter, looks, style


def ratio_figure(tables: Sequence[tuple[str, Frame]], methods: Sequence[str]) -> Any:
    """Variance ratio against depth: a panel per network, a curve per method.

    Args:
        tables: a title and a table ``ratios`` for every panel.
        methods: the curves, in order.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with style():
        figure = Figure(figsize=(PAGE if len(tables) > 1 else COLUMN, 2.4))
        panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
        for panel, (title, table) in zip(panels, tables, strict=True):
            for method, (colour, marker, dashes) in zip(methods, looks(methods), strict=True):
                values = ratio_by_layer(table, method)
                panel.plot(
                    np.arange(1, len(values) + 1),
                    values,
                    color=colour,
                    marker=marker,
                    linestyle=dashes,
                    markerfacecolor="white",
                    label=method,
                )
            panel.axhline(1, color="0.6", linewidth=0.8, zorder=0)
            panel.set_title(title)
            panel.set_xlabel("Hidden layer")
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.set_ylim(bottom=0)
        panels[0].set_ylabel("Variance half way / at the ends")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=2)
    return figure


def midpoint_figure(groups: Sequence[tuple[str, Frame, Mapping[str, str]]]) -> Any:
    """Test accuracy half way as bars, a group per network; the ends as a line.

    Args:
        groups: for every network its name, its table ``profile``, and the labels of its bars with
            the methods that they show; the labels of all networks are the same.
    """
    from matplotlib.figure import Figure

    labels = list(groups[0][2])
    step = 0.84 / len(labels)
    with style():
        figure = Figure(figsize=(PAGE, 2.6))
        axis = figure.subplots()
        for i, (label, look) in enumerate(zip(labels, looks(labels), strict=True)):
            for j, (_, profile, methods) in enumerate(groups):
                values = 100 * half_way(profile, methods[label], "accuracy")
                centre = j + (i - (len(labels) - 1) / 2) * step
                draw_bar(axis, centre, 0.88 * step, values, look, label if j == 0 else "_")
        for j, (_, profile, _) in enumerate(groups):
            ends = 100 * at_ends(profile, "accuracy")
            label = "ends" if j == 0 else "_"
            axis.hlines(ends, j - 0.46, j + 0.46, color="0.35", linewidth=1, label=label)
        axis.set_ylabel("Test accuracy half way (%)")
        axis.set_ylim(0, 106)
        axis.set_xticks(range(len(groups)), [name for name, _, _ in groups])
        axis.tick_params(axis="x", length=0)
        figure.legend(loc="outside upper center", ncols=4, handlelength=1.2)
    return figure


def draw_bar(
    axis: Any,
    centre: float,
    width: float,
    values: np.ndarray,
    look: tuple[str, str, Any],
    label: str,
) -> None:
    """The mean over pairs as a bar, with its number, and the pairs as dots."""
    colour, marker, _ = look
    mean = values.mean()
    axis.bar(centre, mean, width, color=lighter(colour), edgecolor=colour, label=label)
    spread = np.linspace(-0.25, 0.25, len(values)) * width if len(values) > 1 else np.zeros(1)
    axis.plot(centre + spread, values, marker, color=colour, markersize=2.5, linestyle="none")
    axis.annotate(
        f"{mean:.0f}",
        (centre, max(mean, values.max())),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6.5,
    )
