"""The figure of fitted surfaces: heat maps of the loss, side by side on one scale of colours."""

from typing import Any

import numpy as np
import pyarrow.compute as pc

from experiments.curves.surface_stages import STRAIGHT, Tables
from mconn.experiment import PAGE, numbers, style, where


def map_figure(maps: Tables, split: str, surface: int = 0) -> Any:
    """The loss over the straight and the fitted surface, for every shape.

    Args:
        maps: the table ``map`` by shape.
        split: ``train`` or ``test``.
        surface: which of them is drawn.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.tri import Triangulation

    chosen = pc.field("surface") == surface
    panels_of = [
        (shape, method, where(table.filter(chosen), split=split, method=method))
        for shape, table in maps.items()
        for method in (STRAIGHT[shape], "fitted")
    ]
    every = np.concatenate([numbers(table, "loss") for _, _, table in panels_of])
    scale = LogNorm(every.min(), every.max())
    with style():
        figure = Figure(figsize=(PAGE, 1.95), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(panels_of)))
        for panel, (shape, method, table) in zip(panels, panels_of, strict=True):
            u, v, loss = (numbers(table, name) for name in ("u", "v", "loss"))
            panel.tripcolor(Triangulation(u, v), loss, norm=scale, shading="gouraud")
            corners = numbers(table, "is_corner").astype(bool)
            panel.plot(
                u[corners], v[corners], "o", color="white", markeredgecolor="#1a1a1a", clip_on=False
            )
            panel.set(aspect="equal", xlim=(0, 1), ylim=(0, 1))
            panel.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
            panel.set(xlabel="$u$", yticks=(0, 0.5, 1), yticklabels=())
            panel.grid(visible=False)
            panel.set_title(f"{shape}, {method}")
        panels[0].set(ylabel="$v$", yticklabels=("0", "0.5", "1"))
        bar = figure.colorbar(panels[0].collections[0], ax=panels, shrink=0.9, pad=0.01)
        bar.set_label(f"{split.capitalize()} loss (nats)")
        bar.outline.set_visible(False)
    return figure
