"""The figures of the study of elastic bands."""

from typing import Any

import numpy as np
from matplotlib.patheffects import withStroke

from mconn.experiment import PAGE, Frame, Pivots, significant, style


def chains_of(points: Frame) -> list[Pivots]:
    """The chain after every cycle, of one pair's rows."""
    columns = ("arc_length", "loss", "is_pivot")
    return [
        Pivots(
            f"cycle {cycle}" if cycle else "straight", *(rows[name].to_numpy() for name in columns)
        )
        for cycle, rows in points.groupby("cycle")
    ]


def saddle_figure(lines: np.ndarray, bounds: np.ndarray, seeds: tuple[int, ...]) -> Any:
    """Two matrices of highest losses on one logarithmic scale: lines, and ways along the tree."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    both = np.concatenate([lines, bounds])
    norm = LogNorm(both.min(), both.max())
    with style():
        figure = Figure(figsize=(PAGE, 3.1), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, values, title in zip(
            panels, (lines, bounds), ("Straight lines", "Spanning tree of bands"), strict=True
        ):
            panel.imshow(values, norm=norm, cmap="viridis")
            for i, j in np.ndindex(values.shape):
                text = panel.annotate(
                    significant(float(values[i, j])), (j, i), ha="center", va="center", fontsize=6.5
                )
                text.set_path_effects([withStroke(linewidth=1.8, foreground="white")])
            panel.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
            panel.set_yticks(range(len(seeds)), [str(seed) for seed in seeds])
            panel.set(title=title, xlabel="Seed", ylabel="Seed")
            panel.grid(visible=False)
            panel.tick_params(length=0)
        scale = ScalarMappable(norm, cmap="viridis")
        figure.colorbar(scale, ax=list(panels), shrink=0.9, label="Highest train loss (nats)")
    return figure
