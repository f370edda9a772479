"""Panels of curves from a frame: which column is drawn, against which, with what told apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from mconn.errors import ConfigError
from mconn.experiment.figures import LOOKS, PAGE, style
from mconn.experiment.report import Figure
from mconn.experiment.tables import Frame

EXTRA = (("#000000", "*", (0, (1, 1))),)
"""A look beyond the seven of `mconn.experiment.figures`."""


def panels(
    frame: Frame,
    x: str,
    y: str | Sequence[str],
    *,
    by: str | None = None,
    rows: str | None = None,
    columns: str | None = None,
    look: Mapping[str, Any] | None = None,
    **options: Any,
) -> Figure:
    """Mean curves with a band from the lowest to the highest, in a grid of panels.

    Args:
        frame: a row per point; several rows of one point, such as pairs of seeds, make the band.
        x: the column of the horizontal axis.
        y: that of the vertical one; several make a row of panels each.
        by: the column whose values are curves, told apart by colour, marker and dashes.
        rows: the column whose values are rows of panels, where `y` is one column.
        columns: the column whose values are columns of panels.
        look: what is written and how: ``labels`` of columns of the frame on the axes; ``names`` of
            values in titles and in the legend; ``log``, such as ``"xy"``, for logarithmic axes,
            with ``base``; ``floor``, the lowest value drawn; ``bottom``, where the vertical axes
            begin; ``integers``, whether ticks are whole numbers; ``ticks``, where they are on the
            horizontal axis; ``width`` and ``height`` of the figure, in inches; ``share``, as
            ``sharex`` and ``sharey``; ``level``, a dotted line; ``legend``, how many names stand
            beside each other; ``wrap``, how many of several `y` stand beside each other.
        **options: the same as in `look`.

    Raises:
        ConfigError: if the frame is empty, lacks a column, or `rows` is given with several `y`.
    """
    from matplotlib.figure import Figure as NewFigure

    options = {**(look or {}), **options}
    labels, names = options.get("labels", {}), options.get("names", {})
    values = [y] if isinstance(y, str) else list(y)
    for column in filter(None, (x, *values, by, rows, columns)):
        if column not in frame:
            raise ConfigError(f"the frame lacks the column '{column}': it has {list(frame)}")
    if rows and len(values) > 1:
        raise ConfigError("rows of panels are the values of one column, or several columns y")
    if frame.empty:
        raise ConfigError("there is nothing to draw: the frame has no row")
    down = (
        [(values[0], place) for place in _values(frame, rows)]
        if rows
        else [(value, None) for value in values]
    )
    across, curves = _values(frame, columns), _values(frame, by)
    sharing = {"sharex": True, "sharey": "row", **options.get("share", {})}
    grid: list[list[tuple[str, Any, Any]]] = [
        [(value, row, column) for column in across] for value, row in down
    ]
    wrap = options.get("wrap", 0)
    if wrap and not columns:
        cells = [cell for row in grid for cell in row]
        grid = [cells[i : i + wrap] for i in range(0, len(cells), wrap)]
        sharing["sharey"] = False
    height = options.get("height", 0.5 + 1.7 * len(grid))
    with style():
        figure = NewFigure(figsize=(options.get("width", PAGE), height))
        axes = figure.subplots(len(grid), len(grid[0]), squeeze=False, **sharing)
        for i, line in enumerate(grid):
            for j, (value, row, column) in enumerate(line):
                panel = axes[i, j]
                part = _where(_where(frame, rows, row), columns, column)
                for curve, style_of in zip(curves, _looks(len(curves)), strict=True):
                    name = names.get(curve, str(curve)) if by else None
                    _draw(panel, _where(part, by, curve), x, value, style_of, name, options)
                if i == 0 and columns:
                    panel.set_title(names.get(column, str(column)))
                if j == 0 or wrap:
                    label = labels.get(value, value)
                    panel.set_ylabel(names.get(row, str(row)) if rows else label)
        for panel in axes.ravel():  # once all are drawn: a limit ends the scaling of shared axes
            _dress(panel, options)
        for panel in axes[-1]:
            panel.set_xlabel(labels.get(x, x))
        figure.align_ylabels(axes[:, 0])
        handles = {}
        for panel in axes.ravel():
            found = zip(*panel.get_legend_handles_labels(), strict=True)
            handles |= {name: handle for handle, name in found}
        if handles:
            count = options.get("legend", min(len(handles), 4))
            figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=count)
    return figure


def _draw(
    panel: Any, part: Frame, x: str, y: str, look: tuple[Any, ...], name: Any, options: Any
) -> None:
    part = part[[x, y]].dropna()
    if "floor" in options:
        part = part.assign(**{y: part[y].clip(lower=options["floor"])})
    elif "y" in options.get("log", ""):
        part = part[part[y] > 0]  # a logarithmic axis has no place for zero
    if part.empty:
        return
    colour, marker, dashes = look
    spread = part.groupby(x)[y].agg(["mean", "min", "max"])
    if (spread["min"] < spread["max"]).any():
        panel.fill_between(
            spread.index, spread["min"], spread["max"], color=colour, alpha=0.18, linewidth=0
        )
    panel.plot(
        spread.index,
        spread["mean"],
        color=colour,
        linestyle=dashes,
        marker=marker,
        markersize=options.get("marks", 4),
        markevery=max(1, len(spread) // 8),
        markerfacecolor="white",
        label=name,
    )


def _dress(panel: Any, options: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    base = {"base": options["base"]} if "base" in options else {}
    for axis in options.get("log", ""):
        getattr(panel, f"set_{axis}scale")("log", **(base if axis == "x" else {}))
    if options.get("integers"):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if "ticks" in options:
        panel.set_xticks(options["ticks"], [f"{tick:g}" for tick in options["ticks"]])
    if "bottom" in options:
        panel.set_ylim(bottom=options["bottom"])
    if "level" in options:
        panel.axhline(options["level"], color="#4d4d4d", linewidth=0.8, linestyle=(0, (1, 2)))


def _looks(count: int) -> list[tuple[Any, ...]]:
    every = (*LOOKS, *EXTRA)
    return [every[i % len(every)] for i in range(count)]


def _values(frame: Frame, column: str | None) -> list[Any]:
    return list(dict.fromkeys(frame[column])) if column else [None]


def _where(frame: Frame, column: str | None, value: Any) -> Frame:
    return frame[frame[column] == value] if column else frame
