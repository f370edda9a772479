"""The figures of the study of features along paths."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import LOOKS, PAGE, distinct, looks, numbers, style, where

RESIDUALS = {
    "drift": "first end, as it is",
    "rotation_residual": "first end, rotated",
    "blend_residual": "blend of both ends",
}
LOWEST = 5e-4
FLOOR = 1e-6
MARKS = ([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
POSITION = "Position on the line, $t$"
TITLES = {"naive": "Naive", "activations": "Aligned", "random": "Random permutation"}


def coupling_figure(coupling: pa.Table) -> Any:
    """Unexplained share of every layer's features along the line: a row per layer."""
    from matplotlib.figure import Figure

    methods = distinct(np.asarray(coupling["method"].to_pylist()))
    layers = np.unique(numbers(coupling, "layer"))
    with style():
        figure = Figure(figsize=(PAGE, 0.6 + 1.6 * len(layers)))
        panels = figure.subplots(len(layers), len(methods), sharex=True, sharey=True, squeeze=False)
        for column, method in enumerate(methods):
            rows = where(coupling, method=method)
            for i, layer in enumerate(layers):
                panel = panels[i, column]
                for (measure, label), look in zip(
                    RESIDUALS.items(), looks(list(RESIDUALS)), strict=True
                ):
                    colour, marker, dashes = look
                    ts, values = mean_along(rows, measure, numbers(rows, "layer") == layer)
                    shown = values > LOWEST / 10
                    panel.plot(
                        ts[shown],
                        values[shown],
                        color=colour,
                        linestyle=dashes,
                        marker=marker,
                        markerfacecolor="white",
                        label=label,
                    )
                panel.set_yscale("log")
                panel.set_ylim(LOWEST, 2)
                if i == 0:
                    panel.set_title(TITLES.get(method, method))
                if column == 0:
                    panel.set_ylabel(f"Layer {layer}: unexplained")
        for panel in panels[-1]:
            panel.set_xlabel(POSITION)
            panel.set_xticks(*MARKS)
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3)
    return figure


def cosine_figure(cosines: pa.Table) -> Any:
    """1 - cos to the blend against 1 - cos between the ends, example by example."""
    from matplotlib.figure import Figure

    methods = distinct(np.asarray(cosines["method"].to_pylist()))
    layers = np.unique(numbers(cosines, "layer"))
    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        panels = figure.subplots(1, len(methods), sharex=True, sharey=True, squeeze=False)[0]
        for panel, method in zip(panels, methods, strict=True):
            rows = where(cosines, method=method)
            for layer, (colour, marker, _) in zip(layers, LOOKS, strict=False):
                mask = numbers(rows, "layer") == layer
                panel.plot(
                    numbers(rows, "ends")[mask],
                    np.maximum(numbers(rows, "half_way")[mask], 1e-5),
                    marker,
                    color=colour,
                    markersize=2,
                    markeredgewidth=0,
                    alpha=0.5,
                    label=f"layer {layer}",
                )
            panel.axline((0.1, 0.1), (1, 1), color="0.4", linewidth=0.8)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_title(TITLES.get(method, method))
            panel.set_xlabel("1 - cos between the ends")
        panels[0].set_ylabel("1 - cos half way to the blend")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside upper center", ncols=len(layers), markerscale=2.5
        )
    return figure


def copy_figure(similarities: pa.Table, copies: pa.Table) -> Any:
    """Principal angles to a permuted copy, by layer and space, and the loss on the way to it."""
    from matplotlib.figure import Figure

    layers = numbers(similarities, "layer")
    with style():
        figure = Figure(figsize=(PAGE, 2.3))
        angles, losses = figure.subplots(1, 2)
        for place, (space, look) in enumerate(zip(("sample", "neuron"), LOOKS, strict=False)):
            offset = 0.1 * (2 * place - 1)
            spread = 0.03 * (numbers(similarities, "seed") - 1)
            angles.plot(
                layers + offset + spread,
                numbers(similarities, f"{space}_space_angle"),
                look[1],
                color=look[0],
                label=f"{space} space",
                clip_on=False,
                zorder=3,
            )
        angles.set_ylim(0, 95)
        angles.set_yticks([0, 30, 60, 90])
        angles.set_xlim(layers.min() - 0.5, layers.max() + 0.5)
        angles.set_xticks(np.unique(layers))
        angles.set_xlabel("Hidden layer")
        angles.set_ylabel("Largest principal angle (°)")
        angles.legend(loc="center")
        for method, (colour, _, dashes) in zip(
            distinct(np.asarray(copies["method"].to_pylist())), LOOKS, strict=False
        ):
            rows = where(copies, method=method)
            for number, seed in enumerate(np.unique(numbers(rows, "seed"))):
                mask = numbers(rows, "seed") == seed
                losses.plot(
                    numbers(rows, "t")[mask],
                    numbers(rows, "loss")[mask],
                    color=colour,
                    linestyle=dashes,
                    label=method if number == 0 else "_",
                )
        losses.set_ylim(bottom=-0.02)
        losses.set_ylabel("Training loss (nats)")
        losses.set_xlabel("Position on the line to the copy, $t$")
        losses.set_xticks(*MARKS)
        losses.legend(loc="upper left")
    return figure


def linearity_figure(linearity: pa.Table) -> Any:
    """Linearity defect against the step: a curve per layer, before and after the nonlinearity."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 2.3))
        axis = figure.subplots()
        kinds = [
            (layer, moment)
            for layer in np.unique(numbers(linearity, "layer"))
            for moment in ("before", "after")
        ]
        for (layer, moment), (colour, marker, dashes) in zip(kinds, LOOKS, strict=False):
            rows = where(linearity, moment=moment)
            mask = numbers(rows, "layer") == layer
            steps = np.unique(numbers(rows, "step"))
            values = [
                numbers(rows, "defect")[mask & (numbers(rows, "step") == step)].mean()
                for step in steps
            ]
            axis.plot(
                steps,
                np.maximum(values, FLOOR),
                color=colour,
                marker=marker,
                linestyle=dashes,
                markerfacecolor="white",
                clip_on=False,
                label=f"layer {layer}, {moment} the nonlinearity",
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_ylim(FLOOR, 1)
        axis.set_xlabel("Step / half the distance of a pair of examples")
        axis.set_ylabel("Linearity defect")
        figure.legend(loc="outside right upper")
    return figure


def output_figure(outputs: pa.Table) -> Any:
    """Disagreement, ensemble gains and calibration along lines and curves."""
    from matplotlib.figure import Figure

    panels_of: Sequence[tuple[str, str, float, str | None]] = (
        ("disagreement_0", "Disagreement with $t = 0$ (%)", 100, "disagreement_0_error"),
        ("gain_accuracy", "Ensemble gain, accuracy (%)", 100, "gain_accuracy_error"),
        ("gain_loss", "Ensemble gain, loss (nats)", 1, "gain_loss_error"),
        ("calibration_error", "Calibration error, ECE (%)", 100, None),
    )
    methods = [m for m in distinct(np.asarray(outputs["method"].to_pylist())) if m != "random"]
    with style():
        figure = Figure(figsize=(PAGE, 3.9))
        panels = figure.subplots(2, 2, sharex=True).ravel()
        for panel, (measure, label, scale, error) in zip(panels, panels_of, strict=True):
            for method, (colour, marker, dashes) in zip(methods, looks(methods), strict=True):
                rows = where(outputs, method=method)
                ts, values = mean_along(rows, measure)
                panel.plot(
                    ts,
                    scale * values,
                    color=colour,
                    linestyle=dashes,
                    marker=marker,
                    markerfacecolor="white",
                    label={"bezier": "Bezier curve"}.get(method, TITLES.get(method, method)),
                )
                if error is None:
                    _, floor = mean_along(rows, "calibration_floor")
                    panel.plot(ts, scale * floor, color=colour, linewidth=0.6, label="_")
                else:
                    _, width = mean_along(rows, error)
                    low, high = (scale * (values + k * width) for k in (-2, 2))
                    panel.fill_between(ts, low, high, color=colour, alpha=0.15, linewidth=0)
            if measure.startswith("gain"):
                panel.axhline(0, color="0.4", linewidth=0.8, zorder=0)
            panel.set_ylabel(label)
        for panel in panels[2:]:
            panel.set_xlabel("Position on the path, $t$")
            panel.set_xticks(*MARKS)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(methods))
    return figure


def mean_along(
    rows: pa.Table, measure: str, chosen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The points, and the mean over pairs of a measure at each."""
    ts, values = numbers(rows, "t"), numbers(rows, measure)
    if chosen is not None:
        ts, values = ts[chosen], values[chosen]
    points = np.unique(ts)
    return points, np.array([values[ts == t].mean() for t in points])
