"""The figures of the study of tangent kernels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments._shared.spread import draw_spread
from experiments.tangent.claims import by_width
from mconn.experiment import LOOKS, PAGE, distinct, looks, numbers, style, where

WIDTH = "Units of a hidden layer, $m$"
POSITION = "Position on the line, $t$"
TITLES = {"naive": "naive", "activations": "aligned"}


def width_figure(drift: pa.Table, spread: pa.Table, forecast: pa.Table) -> Any:
    """Drift in training, variance over seeds, and the forecast's error, all against the width."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 2.7))
        trained, before, step = figure.subplots(1, 3)
        treatments = distinct(np.asarray(drift["treatment"].to_pylist()))
        for treatment, look in zip(treatments, looks(treatments), strict=True):
            widths, values = by_width(where(drift, treatment=treatment), "drift")
            draw_spread(trained, widths.tolist(), list(values), look, treatment)
        widths, values = by_width(where(drift, treatment=treatments[0]), "drift")
        for power, dashes in ((-0.5, ":"), (-1, "--")):
            top = values[0].mean()
            law = top * (widths / widths[0]) ** power
            name = "$m^{-1/2}$" if power == -0.5 else "$m^{-1}$"
            trained.plot(widths, law, color="0.6", linestyle=dashes, label=name, zorder=1)
        trained.set_title("After training")
        trained.set_ylabel(r"$\|\Theta_T - \Theta_0\|\,/\,\|\Theta_0\|$")
        draw_moments(before, spread)
        draw_forecast(step, forecast)
        for panel in (trained, before, step):
            draw_widths(panel)
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), fontsize=6.5)
    return figure


def draw_widths(panel: Any) -> None:
    """A logarithmic axis of widths."""
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xlabel(WIDTH)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def draw_moments(panel: Any, spread: pa.Table) -> None:
    """Variance over seeds, and the squared shift of the mean where it stands out of its noise."""
    depths = np.unique(numbers(spread, "depth"))
    for depth, look in zip(depths, LOOKS[3:], strict=False):
        rows = spread.filter(pc.field("depth") == int(depth)).sort_by("width")
        colour, marker, dashes = look
        widths = numbers(rows, "width")
        panel.plot(
            widths,
            numbers(rows, "variance"),
            color=colour,
            linestyle=dashes,
            marker=marker,
            markerfacecolor="white",
            label=f"variance, depth {depth}",
        )
    first = spread.filter(pc.field("depth") == int(depths[0])).sort_by("width")
    widths = numbers(first, "width")
    law = numbers(first, "variance")[0] * widths[0] / widths
    panel.plot(widths, law, color="0.6", linestyle="--", label="$m^{-1}$", zorder=1)
    panel.set_title("Over seeds, before training")
    panel.set_ylabel(r"$E\|\Theta_0 - E\Theta_0\|^2\,/\,\|E\Theta_0\|^2$")


def draw_forecast(panel: Any, forecast: pa.Table) -> None:
    """The error of the forecast of one step, by activation and length of the step."""
    shares = np.unique(numbers(forecast, "share"))[::-1]
    activations = distinct(np.asarray(forecast["activation"].to_pylist()))
    names = {"relu": "ReLU", "gelu": "GELU"}
    kinds = [(a, s) for a in activations for s in shares]
    for (activation, share), look in zip(kinds, looks([str(kind) for kind in kinds]), strict=True):
        rows = where(forecast, activation=activation).filter(pc.field("share") == share)
        widths, values = by_width(rows, "error")
        label = f"{names[activation]}, step {share:g}"
        draw_spread(panel, widths.tolist(), list(values), look, label)
    panel.set_title("Forecast of one step")
    panel.set_ylabel("Error / change of the kernel")


def epoch_figure(epochs: pa.Table, facts: Mapping[str, float]) -> Any:
    """How far the kernel has turned, how fast it turns, and its alignment with the labels."""
    from matplotlib.figure import Figure

    rows = epochs.sort_by([("epoch", "ascending"), ("seed", "ascending")])
    places = np.unique(numbers(rows, "epoch")).tolist()

    def values(name: str) -> list[np.ndarray]:
        return list(numbers(rows, name).reshape(len(places), -1))

    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        turn, speed, kind = figure.subplots(1, 3)
        draw_spread(turn, places, values("turn"), LOOKS[0], "from the start")
        draw_spread(turn, places, values("left"), LOOKS[1], "to the end")
        seeds = facts["seeds before"]
        turn.axhline(seeds, color="0.6", linestyle="--", label="two seeds, at the start")
        turn.set_ylabel("1 - cosine of centred kernels")
        draw_spread(speed, places[1:], values("speed")[1:], LOOKS[3], "speed")
        speed.set_ylabel("1 - cosine, per epoch")
        speed.set_yscale("log")
        draw_spread(kind, places, values("target_alignment"), LOOKS[4], "labels")
        kind.set_ylabel("Centred alignment with labels")
        for panel in (turn, kind):
            panel.set_ylim(bottom=0)
        for panel in (turn, speed, kind):
            panel.set_xscale("symlog", linthresh=1)
            panel.set_xlim(-0.15, 1.15 * places[-1])
            panel.set_xlabel("Epochs of training")
            marks = [place for place in (0, 1, 3, 10, 30, 100) if place <= places[-1]]
            panel.set_xticks(marks, [str(mark) for mark in marks])
            panel.minorticks_off()
        figure.legend(*turn.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def line_figure(lines: pa.Table) -> Any:
    """Drift, size and direction of the kernel and the linearisation's error, by method."""
    from matplotlib.figure import Figure

    methods = distinct(np.asarray(lines["method"].to_pylist()))
    labels = {
        "drift": r"$\|\Theta_t - \Theta_0\|\,/\,\|\Theta_0\|$",
        "norm": r"$\|\Theta_t\|\,/\,\|\Theta_0\|$",
        "turn": r"1 - cosine, centred $\Theta_t$, $\Theta_0$",
        "linear_error": "Linearisation: error / change",
    }
    with style():
        figure = Figure(figsize=(PAGE, 4.2))
        panels = figure.subplots(2, 2)
        for panel, (column, label) in zip(panels.ravel(), labels.items(), strict=True):
            for method, look in zip(methods, looks(methods), strict=True):
                rows = where(lines, method=method)
                ts = np.unique(numbers(rows, "t"))
                if column == "linear_error":  # nothing has changed at the start
                    ts = ts[1:]
                values = [numbers(rows.filter(pc.field("t") == t), column) for t in ts]
                draw_spread(panel, ts.tolist(), values, look, TITLES.get(method, method))
            panel.set_ylabel(label)
            panel.set_ylim(bottom=0)
            panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        for panel in panels[-1]:
            panel.set_xlabel(POSITION)
        handles = panels[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=len(methods))
    return figure
