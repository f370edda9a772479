"""The figure of fitted surfaces: heat maps of the loss, side by side on one scale of colours."""

from typing import Any

from mconn.experiment import PAGE, Frame, style


def map_figure(maps: Frame, split: str, surface: int = 0) -> Any:
    """The loss over the straight and the fitted surface, for every shape.

    Args:
        maps: the table ``map`` of every shape.
        split: ``train`` or ``test``.
        surface: which of them is drawn.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.tri import Triangulation

    chosen = maps[(maps.surface == surface) & (maps.split == split)]
    drawn = list(chosen.groupby(["shape", "method"], sort=False))
    scale = LogNorm(chosen.loss.min(), chosen.loss.max())
    with style():
        figure = Figure(figsize=(PAGE, 1.95), layout="constrained")
        panels = figure.subplots(1, len(drawn))
        for panel, ((shape, method), rows) in zip(panels, drawn, strict=True):
            panel.tripcolor(Triangulation(rows.u, rows.v), rows.loss, norm=scale, shading="gouraud")
            corners, look = rows[rows.is_corner], {"color": "white", "markeredgecolor": "#1a1a1a"}
            panel.plot(corners.u, corners.v, "o", clip_on=False, **look)
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
