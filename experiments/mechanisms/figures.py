"""The figures of the study of mechanisms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.mechanisms.digits import SETS
from experiments.mechanisms.lines import METHODS, PAIRINGS
from mconn.experiment import LOOKS, PAGE, style, where

NAMES = {
    "NC": "no cue",
    "C": "cue",
    "RC": "random cue",
    "RI": "cue of a random image",
}


def sets_figure(profile: pa.Table) -> Any:
    """Test accuracy along the lines on the four sets: a panel per pairing and method."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 4.0))
        axes = figure.subplots(len(METHODS), len(PAIRINGS), sharex=True, sharey=True)
        for row, method in zip(axes, METHODS, strict=True):
            for axis, pairing in zip(row, PAIRINGS, strict=True):
                chosen = where(profile, pairing=pairing, method=method)
                draw_sets(axis, chosen, "accuracy", 100.0)
            row[0].set_ylabel(f"Test accuracy (%)\n{method} line")
        for axis, pairing in zip(axes[0], PAIRINGS, strict=True):
            axis.set_title("image to cue" if pairing == "different" else pairing)
        for axis in axes[-1]:
            axis.set_xlabel("Position on the line, $t$")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure


def finetuning_figure(profile: pa.Table, rates: Sequence[float]) -> Any:
    """Loss with the cue on the line from the start to the fine-tuned network, per rate."""
    from matplotlib.figure import Figure

    methods = {"clean": "fine-tuning on clean images", "barrier": "connectivity-based"}
    losses = where(profile, split="train", metric="loss", set="C").to_pylist()
    with style():
        figure = Figure(figsize=(PAGE, 2.3))
        axes = figure.subplots(1, len(rates), sharey=True, squeeze=False)[0]
        for axis, rate in zip(axes, rates, strict=True):
            for (method, name), (colour, marker, dashes) in zip(
                methods.items(), LOOKS, strict=False
            ):
                rows = [r for r in losses if r["method"] == method and r["rate"] == rate]
                ts = sorted({r["t"] for r in rows})
                values = np.array([[r["value"] for r in rows if r["t"] == t] for t in ts])
                band(axis, ts, values, (colour, marker, dashes), name)
            axis.set_title(f"Learning rate {rate:g}")
            axis.set_xlabel("Position on the line, $t$")
        axes[0].set_ylabel("Train loss with the cue (nats)")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=2)
    return figure


def draw_sets(axis: Any, profile: pa.Table, metric: str, scale: float) -> None:
    """One curve per set, as the mean over pairs with its range."""
    rows = where(profile, split="test", metric=metric).to_pylist()
    for name, look in zip(SETS, LOOKS, strict=False):
        chosen = [row for row in rows if row["set"] == name]
        ts = sorted({row["t"] for row in chosen})
        values = np.array([[row["value"] for row in chosen if row["t"] == t] for t in ts])
        band(axis, ts, scale * values, look, NAMES[name])


def band(
    axis: Any, ts: Sequence[float], values: Any, look: tuple[str, str, Any], name: str
) -> None:
    """The mean over pairs, from the lowest to the highest of them."""
    colour, marker, dashes = look
    axis.fill_between(ts, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.18, lw=0)
    axis.plot(
        ts,
        values.mean(axis=1),
        color=colour,
        linestyle=dashes,
        marker=marker,
        markevery=[0, len(ts) - 1],
        markerfacecolor="white",
        markersize=4.5,
        clip_on=False,
        label=name,
    )
