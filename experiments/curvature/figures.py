"""The figures of the study of curvature along paths."""

from typing import Any

import numpy as np

from experiments._shared.slopes import slope_of
from experiments._shared.spread import draw_means
from experiments.curvature.lines import MATCHED, NAIVE
from experiments.curvature.network import PARAMETRISATIONS
from experiments.curvature.width import PLACES
from mconn.curvature import Density
from mconn.experiment import LOOKS, PAGE, Frame, style

WIDTH = "Units, $m$"
POSITION = "Position on the line, $t$"
MARKS = ([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
METHODS = (NAIVE, MATCHED)
BELL = 0.01
"""Width of the bells of a density, over the largest node."""


def width_figure(widths: Frame, lines: Frame) -> Any:
    """Largest eigenvalues at three places, and barriers: a row per loss."""
    from matplotlib.figure import Figure

    losses = widths["trained_on"].unique()
    with style():
        figure = Figure(figsize=(PAGE, 0.5 + 1.9 * len(losses)))
        panels = figure.subplots(len(losses), 4, sharex=True, squeeze=False)
        for row, loss in zip(panels, losses, strict=True):
            at = widths[widths.trained_on == loss]
            for panel, place in zip(row[:3], PLACES, strict=True):
                draw_kinds(panel, at[at.place == place], "largest")
                panel.sharey(row[0])
            draw_kinds(row[3], lines[lines.trained_on == loss], "barrier")
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


def draw_kinds(panel: Any, rows: Frame, column: str) -> None:
    """A column against the width by parametrisation, with the slopes at the right end."""
    widths = np.unique(rows.width)
    for place, (kind, look) in enumerate(zip(PARAMETRISATIONS, LOOKS, strict=False)):
        here = rows[rows.parametrisation == kind]
        draw_means(panel, here, "width", column, look, kind)
        last = here.loc[here.width == widths[-1], column].mean()
        offset = 0 if column == "largest" else 9 * (1 - place)
        panel.annotate(
            f"{slope_of(here, column).value:+.2f}".replace("-", "\N{MINUS SIGN}"),
            (widths[-1], last),
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


def direction_figure(directions: Frame, extremes: Frame) -> Any:
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
            found = directions[directions.method == method].pivot(index="t", columns="pair")
            draw_lines(height, found["height"], LOOKS[0])
            draw_lines(along, found["curvature"], LOOKS[1])
            for pair, band in (1.96 * found["standard_error"]).items():
                low, high = (found["curvature"][pair] + sign * band for sign in (-1, 1))
                along.fill_between(
                    found.index, low, high, color=LOOKS[1][0], alpha=0.12, linewidth=0
                )
            some = extremes[extremes.method == method].pivot(index="t", columns="pair")
            draw_lines(largest, some["largest"], LOOKS[2], marked=True)
            draw_lines(smallest, some["smallest"], LOOKS[3], marked=True)
            for panel in (along, smallest):
                panel.axhline(0, color="0.35", linewidth=0.7, zorder=1)
            for panel in panels[:, column]:
                shade(panel, found["curvature"].mean(axis=1))
            largest.set_ylim(bottom=0)
            height.set_title(method.capitalize())
            smallest.set_xlabel(POSITION)
            smallest.set_xticks(*MARKS)
        panels[2, 1].sharey(panels[2, 0])
        for panel, label in zip(panels[:, 0], labels, strict=True):
            panel.set_ylabel(label)
        figure.align_ylabels(panels[:, 0])
    return figure


def draw_lines(panel: Any, values: Frame, look: tuple[str, str, Any], marked: bool = False) -> None:
    """A thin line per pair, and their mean."""
    panel.plot(values.index, values, color=look[0], linewidth=0.6, alpha=0.5)
    panel.plot(
        values.index,
        values.mean(axis=1),
        color=look[0],
        linewidth=1.6,
        marker=look[1] if marked else None,
        markerfacecolor="white",
    )


def shade(panel: Any, mean: Frame) -> None:
    """Where the mean curvature in the line's direction is negative."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mean < 0, [False]]).astype(int)))
    for start, stop in edges.reshape(-1, 2):
        panel.axvspan(mean.index[start], mean.index[stop - 1], color="0.93", linewidth=0, zorder=0)


def spectrum_figure(densities: Frame) -> Any:
    """The densities at the ends and in the middle, naive and matched."""
    from matplotlib.figure import Figure

    ts, largest = np.unique(densities.t), densities.node.max()
    at = np.linspace(densities.node.min() - 0.1 * largest, 1.1 * largest, 2000)
    with style():
        figure = Figure(figsize=(PAGE, 2.2))
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for panel, method in zip(panels, METHODS, strict=True):
            for t, look in zip(ts, (LOOKS[1], LOOKS[0], LOOKS[2]), strict=True):
                rows = densities[(densities.method == method) & (densities.t == t)]
                curve = density_of(rows).curve(at, BELL * largest)
                panel.plot(at, curve.mean, color=look[0], linestyle=look[2], label=f"$t = {t:g}$")
            panel.set_yscale("log")
            panel.set_ylim(1e-6, 20)
            panel.set_title(method.capitalize())
            panel.set_xlabel("Eigenvalue")
        panels[0].set_ylabel("Density")
        panels[0].legend(loc="upper right")
    return figure


def density_of(rows: Frame) -> Density:
    """A density that was kept as rows."""
    probes = rows.probe.nunique()
    nodes, weights = (rows[name].to_numpy().reshape(probes, -1) for name in ("node", "weight"))
    return Density(nodes, weights, int(rows.dimension.iloc[0]))


def kink_figure(directions: Frame, kinks: Frame) -> Any:
    """One naive line of either activation, and the share of every line that is missed."""
    from matplotlib.figure import Figure

    names = {"relu": "ReLU", "tanh": "tanh"}
    with style():
        figure = Figure(figsize=(PAGE, 2.4))
        *curved, shares = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
        for panel, (activation, name) in zip(curved, names.items(), strict=True):
            rows = directions[(directions.activation == activation) & (directions.method == NAIVE)]
            pair = rows.pair.iloc[0]
            rows = rows[rows.pair == pair].sort_values("t")
            panel.fill_between(rows.t, rows.smooth, rows.height, color="0.88", linewidth=0)
            panel.plot(rows.t, rows.height, color=LOOKS[0][0], label="height above the chord")
            colour, _, dashes = LOOKS[1]
            label = "from second derivatives"
            panel.plot(rows.t, rows.smooth, color=colour, linestyle=dashes, label=label)
            panel.set_title(f"{name}, naive, {pair}")
            panel.set_xlabel(POSITION)
            panel.set_xticks(*MARKS)
            panel.axhline(0, color="0.35", linewidth=0.7, zorder=1)
        curved[0].set_ylabel("Loss (nats)")
        draw_shares(shares, kinks, names)
        handles = curved[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=2)
    return figure


def draw_shares(panel: Any, kinks: Frame, names: dict[str, str]) -> None:
    """A dot per line with its standard error, and the mean of each kind."""
    kinds = [(activation, method) for activation in names for method in METHODS]
    for place, (kind, look) in enumerate(zip(kinds, LOOKS, strict=False)):
        rows = kinks[(kinks.activation == kind[0]) & (kinks.method == kind[1])]
        missed, error = 100 * rows.missed, 100 * rows.missed_standard_error
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
