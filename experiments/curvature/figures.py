"""The figures of the study of curvature along paths."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments._shared.spread import draw_spread
from experiments.curvature.claims import Curve, curves, slope_of
from experiments.curvature.lines import MATCHED, NAIVE
from experiments.curvature.network import PARAMETRISATIONS
from experiments.curvature.width import PLACES
from experiments.tangent.claims import by_width
from mconn.curvature import Density
from mconn.experiment import LOOKS, PAGE, distinct, numbers, style, where

WIDTH = "Units, $m$"
POSITION = "Position on the line, $t$"
MARKS = ([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
METHODS = (NAIVE, MATCHED)
BELL = 0.01
"""Width of the bells of a density, over the largest node."""


def width_figure(widths: pa.Table, lines: pa.Table) -> Any:
    """Largest eigenvalues at three places, and barriers: a row per loss."""
    from matplotlib.figure import Figure

    losses = distinct(np.asarray(widths["trained_on"].to_pylist()))
    with style():
        figure = Figure(figsize=(PAGE, 0.5 + 1.9 * len(losses)))
        panels = figure.subplots(len(losses), 4, sharex=True, squeeze=False)
        for row, loss in zip(panels, losses, strict=True):
            measured = [where(widths, trained_on=loss, place=place) for place in PLACES]
            for panel, rows in zip(row[:3], measured, strict=True):
                draw_kinds(panel, rows, "largest")
                panel.sharey(row[0])
            draw_kinds(row[3], where(lines, trained_on=loss), "barrier")
            row[0].set_ylabel(f"{loss.capitalize()}\nLargest eigenvalue")
            row[3].set_ylabel("Barrier (nats)" if loss == "cross-entropy" else "Barrier")
            for panel in row[1:3]:
                panel.tick_params(labelleft=False)
            row[3].set_yscale("log")
            row[3].set_ylim(0.03, 3)
        titles = ("Before training", "After training", "Half way", "Barrier")
        for panel, title in zip(panels[0], titles, strict=True):
            panel.set_title(title)
        for panel in panels[-1]:
            panel.set_xlabel(WIDTH)
        handles = panels[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=len(PARAMETRISATIONS))
    return figure


def draw_kinds(panel: Any, rows: pa.Table, column: str) -> None:
    """A column against the width by parametrisation, with the slopes at the right end."""
    widths = np.unique(numbers(rows, "width"))
    for place, (kind, look) in enumerate(zip(PARAMETRISATIONS, LOOKS, strict=False)):
        here = where(rows, parametrisation=kind)
        _, values = by_width(here, column)
        draw_spread(panel, widths.tolist(), list(values), look, kind)
        offset = 0 if column == "largest" else 9 * (1 - place)
        panel.annotate(
            f"{slope_of(here, column).value:+.2f}".replace("-", "\N{MINUS SIGN}"),
            (widths[-1], values[-1].mean()),
            xytext=(5, offset),
            textcoords="offset points",
            va="center",
            fontsize=6.5,
            color=look[0],
        )
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xlim(widths[0] / 1.3, widths[-1] * (widths[-1] / widths[0]) ** 0.42)
    panel.set_xticks(widths, [f"{width:g}" for width in widths])
    panel.minorticks_off()


def direction_figure(directions: pa.Table, extremes: pa.Table) -> Any:
    """Height, curvature in the line's direction and extreme eigenvalues, naive and matched."""
    from matplotlib.figure import Figure

    labels = (
        "Loss above chord (nats)",
        "$d^T H d / |d|^2$",
        "Largest eigenvalue",
        "Smallest eigenvalue",
    )
    with style():
        figure = Figure(figsize=(PAGE, 5.8))
        panels = figure.subplots(4, 2, sharex=True)
        for column, method in enumerate(METHODS):
            height, along, largest, smallest = panels[:, column]
            found = list(curves(directions, method).values())
            ts = np.linspace(0, 1, len(found[0].height))
            draw_lines(height, ts, [curve.height for curve in found], LOOKS[0])
            draw_lines(along, ts, [curve.curvature for curve in found], LOOKS[1])
            for curve in found:
                band = 1.96 * curve.standard_error
                low, high = curve.curvature - band, curve.curvature + band
                along.fill_between(ts, low, high, color=LOOKS[1][0], alpha=0.12, linewidth=0)
            rows = where(extremes, method=method)
            rows = rows.sort_by([("pair", "ascending"), ("t", "ascending")])
            some = np.unique(numbers(rows, "t"))
            for panel, name, look in ((largest, "largest", 2), (smallest, "smallest", 3)):
                values = list(numbers(rows, name).reshape(-1, len(some)))
                draw_lines(panel, some, values, LOOKS[look], marked=True)
            for panel in (along, smallest):
                panel.axhline(0, color="0.35", linewidth=0.7, zorder=1)
            for panel in panels[:, column]:
                shade(panel, ts, found)
            largest.set_ylim(bottom=0)
            height.set_title(method.capitalize())
            smallest.set_xlabel(POSITION)
            smallest.set_xticks(*MARKS)
        panels[2, 1].sharey(panels[2, 0])
        for panel, label in zip(panels[:, 0], labels, strict=True):
            panel.set_ylabel(label)
        figure.align_ylabels(panels[:, 0])
    return figure


def draw_lines(
    panel: Any,
    ts: np.ndarray,
    values: list[np.ndarray],
    look: tuple[str, str, Any],
    marked: bool = False,
) -> None:
    """A thin line per pair, and their mean."""
    for each in values:
        panel.plot(ts, each, color=look[0], linewidth=0.6, alpha=0.5)
    panel.plot(
        ts,
        np.mean(values, axis=0),
        color=look[0],
        linewidth=1.6,
        marker=look[1] if marked else None,
        markerfacecolor="white",
    )


def shade(panel: Any, ts: np.ndarray, found: list[Curve]) -> None:
    """Where the mean curvature in the line's direction is negative."""
    negative = np.mean([curve.curvature for curve in found], axis=0) < 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], negative, [False]]).astype(int)))
    for start, stop in edges.reshape(-1, 2):
        panel.axvspan(ts[start], ts[stop - 1], color="0.93", linewidth=0, zorder=0)


def spectrum_figure(densities: pa.Table) -> Any:
    """The densities at the ends and in the middle, naive and matched."""
    from matplotlib.figure import Figure

    ts = np.unique(numbers(densities, "t"))
    largest = numbers(densities, "node").max()
    at = np.linspace(numbers(densities, "node").min() - 0.1 * largest, 1.1 * largest, 2000)
    with style():
        figure = Figure(figsize=(PAGE, 2.2))
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for panel, method in zip(panels, METHODS, strict=True):
            for t, look in zip(ts, (LOOKS[1], LOOKS[0], LOOKS[2]), strict=True):
                rows = where(densities, method=method).filter(pc.field("t") == t)
                curve = density_of(rows).curve(at, BELL * largest)
                panel.plot(at, curve.mean, color=look[0], linestyle=look[2], label=f"$t = {t:g}$")
            panel.set_yscale("log")
            panel.set_ylim(1e-6, 20)
            panel.set_title(method.capitalize())
            panel.set_xlabel("Eigenvalue")
        panels[0].set_ylabel("Density")
        panels[0].legend(loc="upper right")
    return figure


def density_of(rows: pa.Table) -> Density:
    """A density that was kept as rows."""
    probes = len(np.unique(numbers(rows, "probe")))
    nodes, weights = (numbers(rows, name).reshape(probes, -1) for name in ("node", "weight"))
    return Density(nodes, weights, int(numbers(rows, "dimension")[0]))


def kink_figure(directions: pa.Table, kinks: pa.Table) -> Any:
    """One naive line of either activation, and the share of every line that is missed."""
    from matplotlib.figure import Figure

    names = {"relu": "ReLU", "tanh": "tanh"}
    with style():
        figure = Figure(figsize=(PAGE, 2.4))
        *curved, shares = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
        for panel, (activation, name) in zip(curved, names.items(), strict=True):
            rows = where(directions, activation=activation, method=NAIVE)
            rows = where(rows, pair=rows["pair"][0].as_py()).sort_by("t")
            ts, height, smooth = (numbers(rows, each) for each in ("t", "height", "smooth"))
            panel.fill_between(ts, smooth, height, color="0.88", linewidth=0)
            panel.plot(ts, height, color=LOOKS[0][0], label="height above the chord")
            panel.plot(
                ts,
                smooth,
                color=LOOKS[1][0],
                linestyle=LOOKS[1][2],
                label="from second derivatives",
            )
            panel.set_title(f"{name}, naive, {rows['pair'][0].as_py()}")
            panel.set_xlabel(POSITION)
            panel.set_xticks(*MARKS)
            panel.axhline(0, color="0.35", linewidth=0.7, zorder=1)
        curved[0].set_ylabel("Loss (nats)")
        draw_shares(shares, kinks, names)
        handles = curved[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=2)
    return figure


def draw_shares(panel: Any, kinks: pa.Table, names: dict[str, str]) -> None:
    """A dot per line with its standard error, and the mean of each kind."""
    kinds = [(activation, method) for activation in names for method in METHODS]
    for place, (kind, look) in enumerate(zip(kinds, LOOKS, strict=False)):
        rows = where(kinks, activation=kind[0], method=kind[1])
        missed, error = (100 * numbers(rows, c) for c in ("missed", "missed_standard_error"))
        spread = np.linspace(-0.25, 0.25, len(missed)) if len(missed) > 1 else np.zeros(1)
        panel.errorbar(
            place + spread, missed, yerr=error, fmt=look[1], color=look[0], elinewidth=0.8
        )
        panel.plot([place - 0.35, place + 0.35], [missed.mean()] * 2, color=look[0], linewidth=1)
    panel.axhline(0, color="0.35", linewidth=0.7, zorder=1)
    panel.set_xticks(range(len(kinds)), [f"{names[a]}\n{method}" for a, method in kinds])
    panel.tick_params(axis="x", length=0)
    panel.set_title("Missed by second derivatives")
    panel.set_ylabel("Share of the barrier (%)")
