"""The figures of the study of features along paths."""

from typing import Any

import numpy as np

from mconn.experiment import LOOKS, PAGE, Frame, looks, plot, style

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


def coupling_figure(coupling: Frame) -> Any:
    """Unexplained share of every layer's features along the line: a row per layer."""
    layers = coupling.layer.unique()
    rows = coupling.melt(["method", "layer", "t"], list(RESIDUALS), "residual", "share")
    rows["share"] = rows["share"].where(rows["share"] > LOWEST / 10)
    return plot.panels(
        rows,
        "t",
        "share",
        by="residual",
        rows="layer",
        columns="method",
        labels={"t": POSITION},
        names=RESIDUALS | TITLES | {each: f"Layer {each}: unexplained" for each in layers},
        log="y",
        bottom=LOWEST,
        ticks=MARKS[0],
        share={"sharey": True},
        height=0.6 + 1.6 * len(layers),
    )


def cosine_figure(cosines: Frame) -> Any:
    """1 - cos to the blend against 1 - cos between the ends, example by example."""
    from matplotlib.figure import Figure

    methods = dict(iter(cosines.groupby("method", sort=False)))
    dots = {"markersize": 2, "markeredgewidth": 0, "alpha": 0.5}
    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        panels = figure.subplots(1, len(methods), sharex=True, sharey=True, squeeze=False)[0]
        for panel, (method, rows) in zip(panels, methods.items(), strict=True):
            layers = rows.groupby("layer")
            for (layer, part), (colour, marker, _) in zip(layers, LOOKS, strict=False):
                drawn = part.half_way.clip(lower=1e-5)
                label = f"layer {layer}"
                panel.plot(part.ends, drawn, marker, color=colour, label=label, **dots)
            panel.axline((0.1, 0.1), (1, 1), color="0.4", linewidth=0.8)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_title(TITLES.get(method, method))
            panel.set_xlabel("1 - cos between the ends")
        panels[0].set_ylabel("1 - cos half way to the blend")
        handles, names = panels[0].get_legend_handles_labels()
        where = "outside upper center"
        figure.legend(handles, names, loc=where, ncols=len(names), markerscale=2.5)
    return figure


def copy_figure(similarities: Frame, copies: Frame) -> Any:
    """Principal angles to a permuted copy, by layer and space, and the loss on the way to it."""
    from matplotlib.figure import Figure

    layers = similarities.layer
    with style():
        figure = Figure(figsize=(PAGE, 2.3))
        angles, losses = figure.subplots(1, 2)
        for offset, space, look in zip((-0.1, 0.1), ("sample", "neuron"), LOOKS, strict=False):
            places = layers + offset + 0.03 * (similarities.seed - 1)
            values = similarities[f"{space}_space_angle"]
            dots = {"color": look[0], "label": f"{space} space", "clip_on": False, "zorder": 3}
            angles.plot(places, values, look[1], **dots)
        angles.set_ylim(0, 95)
        angles.set_yticks([0, 30, 60, 90])
        angles.set_xlim(layers.min() - 0.5, layers.max() + 0.5)
        angles.set_xticks(np.unique(layers))
        angles.set_xlabel("Hidden layer")
        angles.set_ylabel("Largest principal angle (°)")
        angles.legend(loc="center")
        methods = copies.groupby("method", sort=False)
        for (method, rows), (colour, _, dashes) in zip(methods, LOOKS, strict=False):
            at = rows.pivot(index="t", columns="seed", values="loss")
            names = [method, *["_"] * (at.shape[1] - 1)]
            losses.plot(at.index, at, color=colour, linestyle=dashes, label=names)
        losses.set_ylim(bottom=-0.02)
        losses.set_ylabel("Training loss (nats)")
        losses.set_xlabel("Position on the line to the copy, $t$")
        losses.set_xticks(*MARKS)
        losses.legend(loc="upper left")
    return figure


def linearity_figure(linearity: Frame) -> Any:
    """Linearity defect against the step: a curve per layer, before and after the nonlinearity."""
    kind = "layer " + linearity.layer.astype(str) + ", " + linearity.moment + " the nonlinearity"
    rows = linearity.assign(kind=kind).groupby(["kind", "step"])["defect"].mean().reset_index()
    return plot.panels(
        rows.sort_values("kind", key=lambda kinds: kinds.str.replace("before", "a before")),
        "step",
        "defect",
        by="kind",
        labels={
            "step": "Step / half the distance of a pair of examples",
            "defect": "Linearity defect",
        },
        log="xy",
        base=2,
        floor=FLOOR,
        bottom=FLOOR,
        height=2.6,
        legend=2,
    )


def output_figure(outputs: Frame) -> Any:
    """Disagreement, ensemble gains and calibration along lines and curves."""
    from matplotlib.figure import Figure

    panels_of = (
        ("disagreement_0", "Disagreement with $t = 0$ (%)", 100),
        ("gain_accuracy", "Ensemble gain, accuracy (%)", 100),
        ("gain_loss", "Ensemble gain, loss (nats)", 1),
        ("calibration_error", "Calibration error, ECE (%)", 100),
    )
    methods = [method for method in outputs.method.unique() if method != "random"]
    names = {**TITLES, "bezier": "Bezier curve"}
    with style():
        figure = Figure(figsize=(PAGE, 3.9))
        panels = figure.subplots(2, 2, sharex=True).ravel()
        for panel, (measure, label, scale) in zip(panels, panels_of, strict=True):
            for method, (colour, marker, dashes) in zip(methods, looks(methods), strict=True):
                here = outputs[outputs.method == method].drop(columns=["method", "pair"])
                mean = scale * here.groupby("t").mean()
                ts, values, name = mean.index, mean[measure], names.get(method, method)
                panel.plot(ts, values, marker, color=colour, linestyle=dashes, label=name)
                panel.lines[-1].set_markerfacecolor("white")
                if measure == "calibration_error":
                    panel.plot(ts, mean.calibration_floor, color=colour, linewidth=0.6, label="_")
                else:
                    low, high = (values + k * mean[f"{measure}_error"] for k in (-2, 2))
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
