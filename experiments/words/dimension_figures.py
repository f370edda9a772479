"""The figures of the study of analogies and dimension."""

from typing import Any

import pyarrow as pa

from mconn.experiment import LOOKS, PAGE, numbers, style, where

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
