"""The figures of the study of curves that are drawn nowhere else."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from experiments._shared.spread import draw_spread
from experiments.curves.fitted_stages import TERMS
from mconn.experiment import COLUMN, PAGE, lighter, looks, numbers, style, where

NAMES = {
    "difference": "$D$: log-sum-exp above that of mixed logits",
    "convexity": "$-J$: convexity between the ends",
    "deviation": "$-E_y$: fall of the label's logit",
}


def ensemble_figure(along: pa.Table, methods: Sequence[str]) -> Any:
    """Disagreement with the first end, and accuracy of the ensemble with it, along the path.

    Args:
        along: the table of `experiments.curves.fitted_stages.AlongCurve`, of all methods.
        methods: the curves, in order.
    """
    from matplotlib.figure import Figure

    labels = {
        "disagreement": "Disagreement (%)",
        "ensemble": "Ensemble accuracy (%)",
    }
    with style():
        figure = Figure(figsize=(PAGE, 2.3), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, (column, label) in zip(panels, labels.items(), strict=True):
            for method, look in zip(methods, looks(methods), strict=True):
                ts, values = by_point(along, method, column)
                draw_spread(panel, list(ts), [100 * each for each in values], look, method)
                for line in panel.lines[-1:]:
                    line.set_markevery([0, len(ts) - 1])
            panel.set(xlabel="Position on the path, $t$", ylabel=label)
            panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def decomposition_figure(along: pa.Table, methods: Sequence[str]) -> Any:
    """The terms of the height above the chord, stacked, for the first pair; a panel per method.

    Args:
        along: the table of `experiments.curves.fitted_stages.AlongCurve`, of all methods.
        methods: the panels, in order.
    """
    from matplotlib.figure import Figure

    with style():
        width = COLUMN if len(methods) == 1 else PAGE
        figure = Figure(figsize=(width, 2.6), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(methods)))
        for panel, method in zip(panels, methods, strict=True):
            table = where(along, method=method)
            table = where(table, pair=table["pair"][0].as_py())
            t = numbers(table, "t")
            signs = {"difference": 1, "convexity": -1, "deviation": -1}
            terms = np.array([signs[name] * numbers(table, name) for name in TERMS])
            draw_stacked(panel, t, terms)
            panel.plot(t, terms.sum(axis=0), color="#1a1a1a", label="loss above its chord")
            panel.set(title=method, xlabel="Position on the path, $t$")
            panel.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        panels[0].set_ylabel("Test loss (nats)")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=2)
    return figure


def draw_stacked(panel: Any, t: np.ndarray, terms: np.ndarray) -> None:
    """Positive parts upwards from zero, negative parts downwards."""
    up, down = np.zeros_like(t), np.zeros_like(t)
    for name, values, (colour, _, _) in zip(TERMS, terms, looks(TERMS), strict=True):
        above, below = up + np.maximum(values, 0), down + np.minimum(values, 0)
        shade = {"color": lighter(colour), "linewidth": 0}
        panel.fill_between(t, up, above, label=NAMES[name], **shade)
        panel.fill_between(t, down, below, **shade)
        up, down = above, below


def by_point(table: pa.Table, method: str, column: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """The points of a method, and the values of all pairs at each."""
    chosen = where(table, method=method)
    t, values = numbers(chosen, "t"), numbers(chosen, column)
    ts = np.unique(t)
    return ts, [values[t == each] for each in ts]
