"""Figures for papers, drawn from tidy tables alone, without any global state of matplotlib.

*Profile table*: one row per method, split, metric, pair and point, with the columns

    method: str          the curve it belongs to, such as ``weights``
    split: str           ``train`` or ``test``
    metric: str          ``loss`` or ``accuracy``
    pair: str            the pair of seeds, such as ``0-1``
    t: float             where on the path, from 0 to 1
    value: float         the mean over examples (loss in nats per example; accuracy from 0 to 1)
    standard_error: float   of the mean, over examples

*Barrier table*: one row per method, split and pair, with ``method``, ``split``, ``pair`` and

    value: float         the barrier, in the metric's unit
    low, high: float     its confidence interval over examples
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mconn.errors import ConfigError
from mconn.experiment.report import Figure
from mconn.experiment.stage import Table

COLUMN, PAGE = 3.25, 6.75
"""The widths of a paper's column and page, in inches."""

# Okabe and Ito's colours, which people with any colour vision can tell apart, each with its own
# marker and dashes, so that a print without colours can be read as well.
LOOKS: tuple[tuple[str, str, Any], ...] = (
    ("#D55E00", "o", "solid"),
    ("#0072B2", "s", (0, (5, 1.6))),
    ("#009E73", "^", (0, (3, 1.2, 1, 1.2))),
    ("#CC79A7", "D", (0, (1.2, 1.2))),
    ("#56B4E9", "v", (0, (7, 1.6, 1, 1.6, 1, 1.6))),
    ("#8C6D00", "P", (0, (3, 1, 1, 1, 1, 1))),
    ("#4D4D4D", "X", (0, (8, 2))),
)
AXIS = {"loss": "Loss (nats)", "accuracy": "Accuracy (%)"}
SCALE = {"loss": 1.0, "accuracy": 100.0}


@contextmanager
def style() -> Iterator[None]:
    """This package's look, inside the block only."""
    import matplotlib

    with matplotlib.rc_context(fname=str(Path(__file__).with_name("mconn.mplstyle"))):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write ``path`` with ``.png`` at 300 dots per inch and with ``.svg``, text kept as text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with style():
        FigureCanvasAgg(figure)
        figure.savefig(path.with_name(f"{path.name}.png"), metadata={"Software": None})
        figure.savefig(path.with_name(f"{path.name}.svg"), metadata={"Date": None})


def profile_figure(table: Table, *, log_loss: bool = False, width: float | int = PAGE) -> Figure:
    """Loss and accuracy along the path, on each split; one curve per method.

    A curve is the mean over the pairs of seeds. Its band reaches from the lowest to the highest
    pair; where there is one pair only, it is the 95 % interval over examples.

    Args:
        table: a profile table; methods, splits and metrics are shown in the order of their rows.
        log_loss: draw losses on a logarithmic axis, for profiles that span orders of magnitude.
        width: of the figure, in inches.

    Raises:
        ConfigError: if the table lacks a column.
    """
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = columns(table, ("method", "split", "metric", "pair", "t", "value", "standard_error"))
    methods, splits, metrics = (distinct(rows[name]) for name in ("method", "split", "metric"))
    with style():
        spaced = ConstrainedLayoutEngine(hspace=0.06, wspace=0.04)
        figure = NewFigure(figsize=(width, 0.4 + 1.65 * len(metrics)), layout=spaced)
        axes = figure.subplots(len(metrics), len(splits), sharex=True, sharey="row", squeeze=False)
        for i, metric in enumerate(metrics):
            for j, split in enumerate(splits):
                axis = axes[i, j]
                for method, look in zip(methods, looks(methods), strict=True):
                    chosen = select(rows, method=method, split=split, metric=metric)
                    if len(chosen["t"]):
                        draw_curve(axis, chosen, SCALE.get(metric, 1.0), look, method)
                if i == 0:
                    axis.set_title(split.capitalize())
                if j == 0:
                    axis.set_ylabel(AXIS.get(metric, metric.capitalize()))
                if metric == "loss" and log_loss:
                    axis.set_yscale("log")
                axis.margins(x=0.03, y=0.06)
                axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        for axis in axes[-1]:
            axis.set_xlabel("Position on the path, $t$")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 4))
    return figure


def draw_curve(
    axis: Any, rows: dict[str, np.ndarray], scale: float, look: tuple[str, str, Any], name: str
) -> None:
    """One method's mean curve with its band and its marked ends."""
    colour, marker, dashes = look
    ts, mean, low, high = summarise(rows)
    axis.fill_between(ts, scale * low, scale * high, color=colour, alpha=0.18, linewidth=0)
    axis.plot(
        ts,
        scale * mean,
        color=colour,
        linestyle=dashes,
        marker=marker,
        markevery=[0, len(ts) - 1],
        markerfacecolor="white",
        markersize=4.5,
        clip_on=False,
        label=name,
        zorder=3,
    )


def summarise(rows: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """t, the mean over pairs, and the band, of one method's rows."""
    ts = np.unique(rows["t"])
    pairs = distinct(rows["pair"])
    values = np.full((len(pairs), len(ts)), np.nan)
    errors = np.zeros_like(values)
    for i, pair in enumerate(pairs):
        chosen = select(rows, pair=pair)
        at = np.searchsorted(ts, chosen["t"])
        values[i, at] = chosen["value"]
        errors[i, at] = chosen["standard_error"]
    mean = np.nanmean(values, axis=0)
    if len(pairs) == 1:
        return ts, mean, mean - 1.96 * errors[0], mean + 1.96 * errors[0]
    return ts, mean, np.nanmin(values, axis=0), np.nanmax(values, axis=0)


def band_meaning(table: Table) -> str:
    """What the bands of `profile_figure` and the dots of `barrier_bars` show, for a caption."""
    pairs = len(distinct(columns(table, ("pair",))["pair"]))
    if pairs == 1:
        return "One pair of seeds; bands and whiskers are 95 % intervals over examples."
    return f"Mean over {pairs} pairs of seeds; bands reach from the lowest to the highest pair."


def barrier_bars(
    table: Table,
    *,
    label: str = "Loss barrier (nats)",
    log: bool = False,
    width: float | int = COLUMN,
) -> Figure:
    """Barriers as bars: a group per split, a bar per method, a dot with its interval per pair.

    The bar is the mean over pairs, with its number above it.

    Args:
        table: a barrier table; methods and splits are shown in the order of their rows.
        label: of the vertical axis, with the unit.
        log: use a logarithmic axis, for barriers that span orders of magnitude.
        width: of the figure, in inches.

    Raises:
        ConfigError: if the table lacks a column.
    """
    from matplotlib.figure import Figure as NewFigure

    rows = columns(table, ("method", "split", "pair", "value", "low", "high"))
    methods, splits = distinct(rows["method"]), distinct(rows["split"])
    step = 0.8 / len(methods)
    with style():
        figure = NewFigure(figsize=(width, 2.3))
        axis = figure.subplots()
        for i, (method, look) in enumerate(zip(methods, looks(methods), strict=True)):
            for j, split in enumerate(splits):
                chosen = select(rows, method=method, split=split)
                if len(chosen["value"]):
                    centre = j + (i - (len(methods) - 1) / 2) * step
                    draw_bar(axis, chosen, centre, 0.88 * step, look, method if j == 0 else None)
        if log:
            axis.set_yscale("log")
        axis.set_ylabel(label)
        axis.set_xticks(range(len(splits)), [split.capitalize() for split in splits])
        axis.tick_params(axis="x", length=0)
        axis.margins(y=0.12)
        figure.legend(loc="outside upper center", ncols=min(len(methods), 4), handlelength=1.2)
    return figure


def draw_bar(
    axis: Any,
    rows: dict[str, np.ndarray],
    centre: float,
    width: float | int,
    look: tuple[str, str, Any],
    name: str | None,
) -> None:
    """One method's bar on one split, with its pairs."""
    colour, marker, _ = look
    values, mean = rows["value"], rows["value"].mean()
    axis.bar(centre, mean, width, color=lighter(colour), edgecolor=colour, label=name)
    spread = np.linspace(-0.28, 0.28, len(values)) * width if len(values) > 1 else np.zeros(1)
    below, above = values - rows["low"], rows["high"] - values
    axis.errorbar(
        centre + spread,
        values,
        # A bootstrap interval need not contain the estimate.
        yerr=np.maximum([below, above], 0),
        fmt=marker,
        color=colour,
        markersize=2.8,
        markeredgewidth=0,
        elinewidth=0.8,
        capsize=0,
    )
    top = max(mean, rows["high"].max())
    axis.annotate(
        significant(mean),
        (centre, top),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6.5,
    )


def looks(methods: Sequence[str]) -> list[tuple[str, str, Any]]:
    """Colour, marker and dashes for each method, by its place; they repeat after seven."""
    return [LOOKS[i % len(LOOKS)] for i in range(len(methods))]


def lighter(colour: str) -> tuple[float, ...]:
    """A colour mixed with white, so that dots of the colour itself stand out on it."""
    from matplotlib.colors import to_rgb

    return tuple(0.35 * part + 0.65 for part in to_rgb(colour))


def significant(value: float) -> str:
    """A number with two or three significant digits: ``1.21``, ``0.34``, ``0.037``."""
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:#.2g}"


def columns(table: Table, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named columns as arrays.

    Raises:
        ConfigError: naming the column that the table lacks.
    """
    for name in names:
        if name not in table.column_names:
            raise ConfigError(
                f"the table lacks the column '{name}': it has {', '.join(table.column_names)}"
            )
    return {name: np.asarray(table[name].to_pylist()) for name in names}


def distinct(values: np.ndarray) -> list[str]:
    """The different entries in the order of their first appearance."""
    return list(dict.fromkeys(values.tolist()))


def select(rows: dict[str, np.ndarray], **wanted: str) -> dict[str, np.ndarray]:
    """The rows whose columns have the wanted entries."""
    keep = np.logical_and.reduce([rows[name] == value for name, value in wanted.items()])
    return {name: values[keep] for name, values in rows.items()}
