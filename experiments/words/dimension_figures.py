"""The figures of the study of analogies and dimension."""

from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import style
from mconn.experiment.figures import COLUMN, LOOKS, PAGE
from mconn.experiment.tables import numbers, where

GREY = "#4d4d4d"


def dimension_figure(exact: pa.Table, rank: int) -> Any:
    """Accuracy by treatment and by rule, and the parallelogram defect, against the dimension."""
    from matplotlib.figure import Figure

    treatments = list(dict.fromkeys(exact["treatment"].to_pylist()))
    rules = list(dict.fromkeys(exact["rule"].to_pylist()))
    panels = (
        ("3CosAdd", "matrix", "accuracy", "Accuracy", [(t, {"treatment": t}) for t in treatments]),
        ("PMI", "rule", "accuracy", "Accuracy", [(rule, {"rule": rule}) for rule in rules]),
        (
            "Defect",
            "matrix",
            "defect",
            "Parallelogram defect",
            [(t, {"treatment": t}) for t in treatments],
        ),
    )
    with style():
        figure = Figure(figsize=(PAGE, 2.9))
        axes = figure.subplots(1, 3)
        for axis, (title, by, column, label, curves) in zip(axes, panels, strict=True):
            fixed = {"treatment": "PMI"} if title == "PMI" else {"rule": "3CosAdd"}
            for (name, chosen), (colour, marker, dashes) in zip(curves, LOOKS, strict=False):
                rows = where(exact, **{**fixed, **chosen})
                axis.plot(
                    numbers(rows, "dimension"),
                    numbers(rows, column),
                    color=colour,
                    marker=marker,
                    linestyle=dashes,
                    markersize=4,
                    label=name,
                )
            axis.axvline(rank, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
            axis.set_title(f"{title}, by {by}", loc="left")
            axis.set_xlabel("Dimension")
            axis.set_ylabel(label)
            if column == "accuracy":
                axis.set_ylim(-0.03, 1.05)
            axis.set_xticks(sorted(set(exact["dimension"].to_pylist())))
        axes[1].legend(loc="lower right")
        axes[2].legend(loc="center right", bbox_to_anchor=(1, 0.6))
    return figure


def sample_figure(sampled: pa.Table) -> Any:
    """Accuracy against the number of pairs of the corpus."""
    from matplotlib.figure import Figure

    sizes = numbers(sampled, "pairs")
    with style():
        figure = Figure(figsize=(COLUMN, 2.3))
        axis = figure.subplots()
        points(axis, sizes, numbers(sampled, "accuracy"))
        axis.set_xscale("log")
        axis.set_ylim(-0.03, 1.05)
        axis.set_xlabel("Pairs of words in the corpus")
        axis.set_ylabel("Accuracy of 3CosAdd")
    return figure


def optimum_figure(optimum: pa.Table, rank: int) -> Any:
    """The largest distance from the optimum against the dimension."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(COLUMN, 2.3))
        axis = figure.subplots()
        points(axis, numbers(optimum, "dimension"), numbers(optimum, "largest"))
        axis.axvline(rank, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        axis.set_yscale("log")
        axis.set_xlabel("Dimension")
        axis.set_ylabel("Largest distance (nats)")
    return figure


def points(axis: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Single values, and the line of their means."""
    colour, marker, dashes = LOOKS[0]
    places = np.unique(x)
    axis.plot(x, y, marker, color=colour, markersize=4, alpha=0.6)
    axis.plot(places, [y[x == place].mean() for place in places], color=colour, linestyle=dashes)
