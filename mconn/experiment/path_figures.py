"""Figures of paths: losses along their length, on a plane of networks, and the pivots of a band.

A *path table* is a profile table (see `mconn.experiment.figures`) with two more columns:

    arc_length: float    from the path's start to the point
    segment: float       the distance of the path's ends
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError
from mconn.experiment.figures import (
    AXIS,
    COLUMN,
    PAGE,
    SCALE,
    columns,
    distinct,
    looks,
    select,
    style,
)
from mconn.experiment.report import Figure
from mconn.experiment.stage import Table

LEVELS = 13
TINY = np.finfo(np.float64).tiny
DECADE = 10.0
"""Values whose largest is so many times the smallest are drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Plane:
    """What is drawn of a plane of networks; see `mconn.landscape.evaluate_plane`.

    Attributes:
        x: coordinates of the columns, in Euclidean distance between networks.
        y: coordinates of the rows.
        values: shape (rows, columns).
        points: networks in the plane by what is written beside them, (x, y) each.
        curves: paths, projected, by name, shape (points, 2) each.
        title: of the panel.
    """

    x: Float[np.ndarray, "columns"]
    y: Float[np.ndarray, "rows"]
    values: Float[np.ndarray, "rows columns"]
    points: Mapping[str, Float[np.ndarray, "2"]] = field(default_factory=dict)
    curves: Mapping[str, Float[np.ndarray, "points 2"]] = field(default_factory=dict)
    title: str = ""


def plane_figure(
    planes: Sequence[Plane],
    *,
    label: str = "Loss (nats)",
    log: bool | None = None,
    width: float | int | None = None,
) -> Figure:
    """Contours over planes of networks, side by side on one scale of colours.

    Values that are not finite are left white.

    Args:
        planes: what to draw.
        label: of the colours, with the unit.
        log: use a logarithmic scale; by default where the values span more than a decade.
        width: of the figure, in inches; by default that of a column for one plane, and of a page.

    Raises:
        ConfigError: if there is no plane, or no finite value in it.
    """
    from matplotlib.figure import Figure as NewFigure

    if not planes:
        raise ConfigError("there is no plane to draw: pass at least one")
    every = np.concatenate([np.ravel(plane.values) for plane in planes])
    norm, levels = scale_of(every, log)
    width = width or (COLUMN if len(planes) == 1 else PAGE)
    with style():
        # The planes keep their proportions: distances are the same in both directions.
        tallest = max(np.ptp(plane.y) / np.ptp(plane.x) for plane in planes)
        height = (width - 1.2) / len(planes) * min(tallest, 1.4) + 0.75
        figure = NewFigure(figsize=(width, height), layout="compressed")
        panels = figure.subplots(1, len(planes), squeeze=False)[0]
        filled = [
            draw_plane(panel, plane, norm, levels)
            for panel, plane in zip(panels, planes, strict=True)
        ]
        bar = figure.colorbar(filled[0], ax=panels, shrink=0.95, pad=0.02)
        bar.set_label(label)
        bar.outline.set_visible(False)
        label_levels(bar, levels)
        panels[0].set_ylabel("Distance across")
        handles, names = panels[0].get_legend_handles_labels()
        if names:
            figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def draw_plane(panel: Any, plane: Plane, norm: Any, levels: Float[np.ndarray, "levels"]) -> Any:
    """One plane with its networks and paths."""
    # The ends of the scale hold all values, to rounding.
    values = np.clip(np.ma.masked_invalid(plane.values), levels[0], levels[-1])
    filled = panel.contourf(plane.x, plane.y, values, levels, norm=norm, cmap="viridis")
    panel.contour(plane.x, plane.y, values, levels[1:-1], colors="white", linewidths=0.3, alpha=0.5)
    for (name, curve), look in zip(plane.curves.items(), looks(list(plane.curves)), strict=True):
        panel.plot(curve[:, 0], curve[:, 1], color="white", linewidth=2.6, solid_capstyle="round")
        panel.plot(
            curve[:, 0], curve[:, 1], color=look[0], linestyle=look[2], linewidth=1.5, label=name
        )
    for name, (x, y) in plane.points.items():
        panel.plot(x, y, "o", color="white", markeredgecolor="#1a1a1a", markersize=4.5, zorder=4)
        # Beside the point on the side where there is room.
        is_right = x > plane.x.mean()
        panel.annotate(
            name,
            (x, y),
            xytext=(5 if not is_right else -5, -5),
            textcoords="offset points",
            ha="right" if is_right else "left",
            va="top",
            fontsize=7,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
        )
    panel.set(aspect="equal", xlabel="Distance along", title=plane.title)
    panel.grid(visible=False)
    return filled


def scale_of(
    values: Float[np.ndarray, "n"], log: bool | None
) -> tuple[Any, Float[np.ndarray, "levels"]]:
    """The scale of colours and the levels between them.

    Raises:
        ConfigError: if no value is finite.
    """
    from matplotlib.colors import LogNorm, Normalize

    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ConfigError("no value of the plane is finite: there is nothing to draw")
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        high = low + max(abs(low), 1e-12)
    if log is None:
        log = low > 0 and high > DECADE * low
    if log and low > 0:
        return LogNorm(low, high), np.geomspace(low, high, LEVELS)
    return Normalize(low, high), np.linspace(low, high, LEVELS)


def label_levels(bar: Any, levels: Float[np.ndarray, "levels"]) -> None:
    """Numbers with two digits at every third level."""
    shown = levels[::3]
    bar.set_ticks(shown, labels=[f"{level:.2g}" for level in shown])
    bar.minorticks_off()


def length_figure(table: Table, *, log_loss: bool = False, width: float | int = PAGE) -> Figure:
    """Loss and accuracy against the length of the path behind, in units of the ends' distance.

    A line ends at 1, a curve of twice its length at 2. Curves are means over pairs of seeds.

    Args:
        table: a path table; methods, splits and metrics are shown in the order of their rows.
        log_loss: draw losses on a logarithmic axis.
        width: of the figure, in inches.

    Raises:
        ConfigError: if the table lacks a column.
    """
    from matplotlib.figure import Figure as NewFigure

    names = ("method", "split", "metric", "pair", "t", "value", "arc_length", "segment")
    rows = columns(table, names)
    methods, splits, metrics = (distinct(rows[name]) for name in ("method", "split", "metric"))
    with style():
        figure = NewFigure(figsize=(width, 0.4 + 1.65 * len(metrics)), layout="constrained")
        panels = figure.subplots(
            len(metrics), len(splits), sharex=True, sharey="row", squeeze=False
        )
        for i, metric in enumerate(metrics):
            for j, split in enumerate(splits):
                panel = panels[i, j]
                for method, look in zip(methods, looks(methods), strict=True):
                    chosen = select(rows, method=method, split=split, metric=metric)
                    if len(chosen["t"]):
                        draw_along(panel, chosen, SCALE.get(metric, 1.0), look, method)
                if i == 0:
                    panel.set_title(split.capitalize())
                if metric == "loss" and log_loss:
                    panel.set_yscale("log")
            panels[i, 0].set_ylabel(AXIS.get(metric, metric.capitalize()))
        for panel in panels[-1]:
            panel.set_xlabel("Length behind / distance of the ends")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure


def draw_along(
    panel: Any, rows: dict[str, np.ndarray], scale: float, look: tuple[str, str, Any], name: str
) -> None:
    """One method's mean curve over its mean length."""
    colour, marker, dashes = look
    ts = np.unique(rows["t"])
    length, value = (
        np.array([part[rows["t"] == t].mean() for t in ts])
        # The same network twice has no distance.
        for part in (rows["arc_length"] / np.maximum(rows["segment"], TINY), scale * rows["value"])
    )
    panel.plot(
        length,
        value,
        color=colour,
        linestyle=dashes,
        marker=marker,
        markevery=[0, len(ts) - 1],
        markerfacecolor="white",
        markersize=4.5,
        label=name,
    )


@dataclass(frozen=True)
class Pivots:
    """A chain after one cycle of an elastic band; see `mconn.paths.band`.

    Attributes:
        name: such as ``cycle 3``.
        arc_length: of the chain up to every point.
        losses: mean loss at every point, in nats.
        is_pivot: which of the points are pivots.
    """

    name: str
    arc_length: Float[np.ndarray, "points"]
    losses: Float[np.ndarray, "points"]
    is_pivot: np.ndarray


def pivot_figure(
    chains: Sequence[Pivots],
    segment: float,
    *,
    label: str = "Train loss (nats)",
    log: bool = True,
    width: float | int = COLUMN,
) -> Figure:
    """Loss against length, a curve per cycle from pale to dark, with its pivots as dots.

    Args:
        chains: after every cycle that is drawn, in order.
        segment: the distance of the ends, the unit of the horizontal axis.
        label: of the vertical axis.
        log: use a logarithmic axis.
        width: of the figure, in inches.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure as NewFigure

    shades = colormaps["viridis_r"](np.linspace(0.1, 0.95, max(len(chains), 2)))
    with style():
        figure = NewFigure(figsize=(width, 2.6), layout="constrained")
        panel = figure.subplots()
        for chain, shade in zip(chains, shades, strict=False):
            along, pivots = chain.arc_length / segment, chain.is_pivot.astype(bool)
            panel.plot(along, chain.losses, color=shade, linewidth=1.1, label=chain.name)
            panel.plot(
                along[pivots], chain.losses[pivots], "o", color=shade, markersize=2.6, zorder=3
            )
        if log:
            panel.set_yscale("log")
        panel.set(xlabel="Length behind / distance of the ends", ylabel=label)
        figure.legend(loc="outside upper center", ncols=3, fontsize=6.5)
    return figure
