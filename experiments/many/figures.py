"""The figures of the study of several networks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import PAGE, Result, numbers, significant, style, where

CORNERS = np.array([[0.5, 3**0.5 / 2], [0, 0], [1, 0]])
"""Where the first, the second and the third network are drawn."""

LEVELS = 24


def bars_table(
    results: Mapping[str, Result], lines: tuple[str, ...], stars: tuple[str, ...]
) -> pa.Table:
    """Chord barriers of all lines: the sweeps between sources, and those of star and control."""
    rows = []
    for method in lines:
        table = results[f"lines {method}"].tables["barriers"]
        rows += [
            {"method": method, **row}
            for row in where(table, kind="chord", metric="loss")
            .select(["pair", "split", "value", "standard_error", "low", "high"])
            .to_pylist()
        ]
    for star in stars:
        for ends in ("sources", "others"):
            table = results[f"{star} to {ends}"].tables["barriers"]
            rows += [
                {"method": f"{star} to {ends}", **row}
                for row in table.select(
                    ["pair", "split", "value", "standard_error", "low", "high"]
                ).to_pylist()
            ]
    return pa.Table.from_pylist(rows)


def simplex_figure(simplex: pa.Table, methods: tuple[str, ...], triple: str) -> Any:
    """The train loss over one triangle, a panel per method, with one scale of colours.

    Args:
        simplex: rows with ``method``, ``triple``, ``split``, the three weights, and ``loss``.
        methods: the panels, from left to right.
        triple: which triangle.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patheffects import withStroke
    from matplotlib.ticker import LogFormatterMathtext, LogLocator

    panels = {
        method: where(simplex, method=method, triple=triple, split="train") for method in methods
    }
    losses = np.concatenate([numbers(panel, "loss") for panel in panels.values()])
    levels = np.geomspace(losses.min(), losses.max() * 1.0001, LEVELS)
    norm = LogNorm(levels[0], levels[-1])
    names = triple.split("-")
    with style():
        spaced = ConstrainedLayoutEngine(wspace=0.1)
        figure = Figure(figsize=(PAGE, 2.3), layout=spaced)
        axes = figure.subplots(1, len(methods))
        for axis, (method, panel) in zip(axes, panels.items(), strict=True):
            weights = np.stack([numbers(panel, n) for n in ("first", "second", "third")], axis=1)
            x, y = (weights @ CORNERS).T
            loss = np.clip(numbers(panel, "loss"), levels[0], levels[-1])
            axis.tricontourf(x, y, loss, levels=levels, norm=norm, cmap="viridis")
            axis.plot(*CORNERS[[0, 1, 2, 0]].T, color="black", linewidth=0.8)
            centre = CORNERS.mean(axis=0)
            value = loss[np.abs(weights - 1 / 3).max(axis=1) < 1e-6].item()
            axis.plot(*centre, marker="o", markersize=3, color="white", markeredgecolor="black")
            text = axis.annotate(
                significant(value),
                centre,
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
            for corner, name, side in zip(CORNERS, names, ("center", "left", "right"), strict=True):
                axis.annotate(
                    f"seed {name}",
                    corner,
                    xytext=(0, 4 if side == "center" else -4),
                    textcoords="offset points",
                    ha=side,
                    va="bottom" if side == "center" else "top",
                    fontsize=7,
                )
            axis.set_title(method.capitalize(), loc="center", pad=14)
            axis.set_aspect("equal")
            axis.set_axis_off()
            axis.margins(0.12)
        scale = ScalarMappable(norm, cmap="viridis")
        bar = figure.colorbar(scale, ax=list(axes), shrink=0.85, label="Train loss (nats)")
        bar.ax.yaxis.set_major_locator(LogLocator())
        bar.ax.yaxis.set_major_formatter(LogFormatterMathtext())
    return figure
