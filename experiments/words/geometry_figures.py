"""The figures of the study of distances and the statistics of a corpus."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import COLUMN, LOOKS, PAGE, numbers, style, where

FLOOR = 1e-16


def distance_figure(pairs: pa.Table, correlations: Mapping[float, float]) -> Any:
    """Squared distance against -csPMI, a panel per spread of frequencies."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        axes = figure.subplots(1, len(correlations), sharey=True, squeeze=False)[0]
        colour, marker, _ = LOOKS[1]
        for axis, (spread, correlation) in zip(axes, correlations.items(), strict=True):
            rows = where(pairs, spread=spread)
            axis.plot(
                numbers(rows, "information"),
                numbers(rows, "distance"),
                marker,
                color=colour,
                markersize=2,
                alpha=0.5,
            )
            axis.set_title(f"spread {spread:g}, r = {correlation:.3f}", loc="left")
            axis.set_xlabel("-csPMI (nats)")
        axes[0].set_ylabel("Squared distance")
    return figure


def error_figure(errors: pa.Table) -> Any:
    """The errors of right and wrong analogies, question by question."""
    from matplotlib.figure import Figure

    names = ("paraphrase", "conditional", "mutual", "sum")
    with style():
        figure = Figure(figsize=(1.3 * COLUMN, 2.5))
        axis = figure.subplots()
        groups = ((True, "right", -0.15), (False, "random answer", 0.15))
        for (right, label, shift), (colour, marker, _) in zip(groups, LOOKS, strict=False):
            rows = where(errors, right=right)
            for place, name in enumerate(names):
                values = np.maximum(numbers(rows, name), FLOOR)
                spread = shift + np.linspace(-0.08, 0.08, len(values))
                axis.plot(
                    place + spread,
                    values,
                    marker,
                    color=colour,
                    markersize=3,
                    alpha=0.6,
                    label=label if place == 0 else None,
                )
        axis.set_yscale("log")
        axis.set_xticks(range(len(names)), names)
        axis.set_ylabel("Largest error (nats)")
        figure.legend(loc="outside upper center", ncols=2)
    return figure
