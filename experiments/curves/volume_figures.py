"""The figure of grown complexes: volume, height of the newest vertex, and loss, by vertices."""

from typing import Any

import numpy as np
import pyarrow as pa

from experiments._shared.spread import draw_spread
from experiments.curves.volume_stages import METHODS, regular_log_volume
from mconn.experiment import PAGE, looks, numbers, style, where


def by_vertices(table: pa.Table, column: str) -> tuple[list[int], list[np.ndarray]]:
    """The numbers of vertices, and a row of values for each: one per pair."""
    vertices = numbers(table, "vertices")
    places = np.unique(vertices).tolist()
    return places, [numbers(table, column)[vertices == place] for place in places]


def complex_figure(table: pa.Table) -> Any:
    """Means over pairs, with the lowest and the highest pair."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 2.5), layout="constrained")
        panels = figure.subplots(1, 3)
        places = by_vertices(table, "vertices")[0]
        for method, look in zip(METHODS, looks(METHODS), strict=True):
            chosen = where(table, method=method)
            train, test = (where(chosen, split=split) for split in ("train", "test"))
            draw_spread(panels[0], *by_vertices(train, "log_volume"), look, method)
            draw_spread(panels[1], *by_vertices(train, "loss"), look, "")
            draw_spread(panels[2], *by_vertices(test, "loss"), look, "")
        reference = [regular_log_volume(n - 1) + np.log(2) for n in places]
        panels[0].plot(places, reference, ":", color="#8a8a8a", label="regular, side one")
        for panel, split in zip(panels[1:], ("train", "test"), strict=True):
            end = numbers(where(table, split=split), "end_loss").mean()
            panel.axhline(end, linestyle=":", color="#1a1a1a", label="ends")
            panel.set(yscale="log", ylabel=f"Mean {split} loss (nats)")
        panels[0].set_ylabel("Log volume (unit: distance of ends)")
        for panel in panels:
            panel.set(xlabel="Vertices", xticks=places)
        handles = [
            pair
            for panel in panels[:2]
            for pair in zip(*panel.get_legend_handles_labels(), strict=True)
        ]
        figure.legend(*zip(*handles, strict=True), loc="outside upper center", ncols=len(handles))
    return figure
