"""The figures of the study of kinds of barriers."""

from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import COLUMN, LOOKS, style, where

FLOOR = 1e-5
"""Where a barrier of zero is drawn on a logarithmic axis."""


def grid_figure(grids: pa.Table) -> Any:
    """The chord barrier against the points of the grid, a curve per pair."""
    from matplotlib.figure import Figure

    rows = grids.to_pylist()
    pairs = list(dict.fromkeys(row["pair"] for row in rows))
    with style():
        figure = Figure(figsize=(COLUMN, 2.3))
        axis = figure.subplots()
        for pair, (colour, marker, dashes) in zip(pairs, LOOKS, strict=False):
            chosen = [row for row in rows if row["pair"] == pair]
            axis.plot(
                [row["points"] for row in chosen],
                [row["value"] for row in chosen],
                color=colour,
                linestyle=dashes,
                marker=marker,
                markersize=4,
                label=f"seeds {pair}",
            )
        points = sorted({row["points"] for row in rows})
        axis.set_xscale("log", base=2)
        axis.set_xticks(points, [str(each) for each in points])
        axis.minorticks_off()
        axis.set_xlabel("Points of the grid")
        axis.set_ylabel("Train barrier (nats)")
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def threshold_figure(barriers: pa.Table, threshold: float) -> Any:
    """The matched barriers with their intervals, beside a threshold."""
    from matplotlib.figure import Figure

    groups = [(line, split) for line in ("matched", "untrained") for split in ("train", "test")]
    with style():
        figure = Figure(figsize=(COLUMN, 2.3))
        axis = figure.subplots()
        for place, (line, split) in enumerate(groups):
            rows = where(barriers, line=line, split=split, kind="chord", metric="loss").to_pylist()
            colour, marker, _ = LOOKS[line == "untrained"]
            for row, shift in zip(rows, np.linspace(-0.2, 0.2, len(rows)), strict=True):
                low, value, high = (max(row[name], FLOOR) for name in ("low", "value", "high"))
                axis.plot([place + shift] * 2, [low, high], color=colour, linewidth=1)
                axis.plot(place + shift, value, marker, color=colour, markersize=3.5)
        axis.axhline(threshold, color="#4d4d4d", linewidth=0.8, linestyle=(0, (1, 2)))
        axis.set_yscale("log")
        axis.set_xticks(range(len(groups)), [f"{line},\n{split}" for line, split in groups])
        axis.set_ylabel("Chord barrier (nats)")
    return figure
