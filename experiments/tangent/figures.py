"""The figures of the study of tangent kernels."""

from collections.abc import Mapping
from typing import Any

from experiments._shared.spread import draw_means
from mconn.experiment import LOOKS, PAGE, Frame, looks, plot, style

LINES = {
    "labels": {
        "t": "Position on the line, $t$",
        "drift": r"$\|\Theta_t - \Theta_0\|\,/\,\|\Theta_0\|$",
        "norm": r"$\|\Theta_t\|\,/\,\|\Theta_0\|$",
        "turn": r"1 - cosine, centred $\Theta_t$, $\Theta_0$",
        "linear_error": "Linearisation: error / change",
    },
    "names": {"activations": "aligned"},
    "wrap": 2,
    "bottom": 0,
    "ticks": (0, 0.25, 0.5, 0.75, 1),
    "height": 4.2,
}


def width_figure(drift: Frame, spread: Frame, forecast: Frame) -> Any:
    """Drift in training, variance over seeds, and the forecast's error, all against the width."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 2.7))
        trained, before, step = figure.subplots(1, 3)
        treatments = list(drift["treatment"].unique())
        for treatment, look in zip(treatments, looks(treatments), strict=True):
            rows = drift[drift.treatment == treatment]
            draw_means(trained, rows, "width", "drift", look, treatment)
        first = drift[drift.treatment == treatments[0]].groupby("width")["drift"].mean()
        draw_law(trained, first, -0.5, ":", "$m^{-1/2}$")
        draw_law(trained, first, -1, "--", "$m^{-1}$")
        trained.set(title="After training", ylabel=r"$\|\Theta_T - \Theta_0\|\,/\,\|\Theta_0\|$")
        depths = dict(iter(spread.groupby("depth")))
        for (depth, rows), look in zip(depths.items(), LOOKS[3:], strict=False):
            draw_means(before, rows, "width", "variance", look, f"variance, depth {depth}")
        shallow = next(iter(depths.values())).set_index("width")["variance"].sort_index()
        draw_law(before, shallow, -1, "--", "$m^{-1}$")
        before.set(
            title="Over seeds, before training",
            ylabel=r"$E\|\Theta_0 - E\Theta_0\|^2\,/\,\|E\Theta_0\|^2$",
        )
        names = {"relu": "ReLU", "gelu": "GELU"}
        kinds = list(forecast.groupby(["activation", "share"], sort=False))
        for (kind, rows), look in zip(kinds, looks([str(kind) for kind, _ in kinds]), strict=True):
            draw_means(step, rows, "width", "error", look, f"{names[kind[0]]}, step {kind[1]:g}")
        step.set(title="Forecast of one step", ylabel="Error / change of the kernel")
        for panel in (trained, before, step):
            panel.set_xscale("log", base=2)
            panel.set(yscale="log", xlabel="Units of a hidden layer, $m$")
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), fontsize=6.5)
    return figure


def draw_law(panel: Any, values: Frame, power: float, dashes: str, name: str) -> None:
    """A power law through the first of the values."""
    law = values.iloc[0] * (values.index / values.index[0]) ** power
    panel.plot(values.index, law, color="0.6", linestyle=dashes, label=name, zorder=1)


def epoch_figure(epochs: Frame, facts: Mapping[str, float]) -> Any:
    """How far the kernel has turned, how fast it turns, and its alignment with the labels."""
    from matplotlib.figure import Figure

    last = epochs["epoch"].max()
    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        turn, speed, kind = figure.subplots(1, 3)
        draw_means(turn, epochs, "epoch", "turn", LOOKS[0], "from the start")
        draw_means(turn, epochs, "epoch", "left", LOOKS[1], "to the end")
        seeds = facts["seeds before"]
        turn.axhline(seeds, color="0.6", linestyle="--", label="two seeds, at the start")
        turn.set(ylabel="1 - cosine of centred kernels", ylim=(0, None))
        draw_means(speed, epochs.dropna(subset="speed"), "epoch", "speed", LOOKS[3], "speed")
        speed.set(ylabel="1 - cosine, per epoch", yscale="log")
        draw_means(kind, epochs, "epoch", "target_alignment", LOOKS[4], "labels")
        kind.set(ylabel="Centred alignment with labels", ylim=(0, None))
        marks = [place for place in (0, 1, 3, 10, 30, 100) if place <= last]
        for panel in (turn, speed, kind):
            panel.set_xscale("symlog", linthresh=1)
            panel.set(xlim=(-0.15, 1.15 * last), xlabel="Epochs of training")
            panel.set_xticks(marks, [str(mark) for mark in marks])
            panel.minorticks_off()
        figure.legend(*turn.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def line_figure(lines: Frame) -> Any:
    """Drift, size and direction of the kernel and the linearisation's error, by method."""
    error = lines["linear_error"].where(lines["t"] > 0)  # nothing has changed at the start
    columns = ("drift", "norm", "turn", "linear_error")
    return plot.panels(lines.assign(linear_error=error), "t", columns, by="method", look=LINES)
