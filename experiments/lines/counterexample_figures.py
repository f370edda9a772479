"""The figures of the counterexample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mconn.experiment import LOOKS, PAGE, Frame, lighter, plot, style


def error_figure(lines: Frame) -> Any:
    """The error on the line from A to each permutation of B, one panel per activation."""
    drawn = lines[lines.ends == "A to B"].eval("error = 100 * error")
    labels = {"t": "Position on the line from A to B, $t$", "error": "Error (%)"}
    look = {"labels": labels, "bottom": 0, "height": 2.3}
    return plot.panels(drawn, "t", "error", by="permutation", columns="activation", look=look)


def answer_figure(answers: Mapping[str, np.ndarray], names: Sequence[str]) -> Any:
    """Where the network half way says yes, for each of the named permutations."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with style():
        layout = ConstrainedLayoutEngine(compress=True, wspace=0.06)
        figure = Figure(figsize=(PAGE, 2.1), layout=layout)
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names, strict=True):
            panel.imshow(
                answers[name].T,
                origin="lower",
                extent=(-1, 1, -1, 1),
                cmap=ListedColormap(["white", lighter(LOOKS[1][0])]),
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            panel.plot([0, 0, 1], [1, 0, 0], color="#1a1a1a", linestyle=(0, (3, 2)), linewidth=1)
            panel.grid(visible=False)
            panel.set_title(name.capitalize())
            panel.set_xlabel("$x_1$")
            panel.set_xticks([-1, 0, 1])
            panel.set_yticks([-1, 0, 1])
        panels[0].set_ylabel("$x_2$")
    return figure
