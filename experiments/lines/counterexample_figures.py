"""The figures of the counterexample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mconn.experiment import LOOKS, PAGE, lighter, style


def error_figure(lines: pa.Table) -> Any:
    """The error on the line from A to each permutation of B, one panel per activation."""
    from matplotlib.figure import Figure

    rows = [row for row in lines.to_pylist() if row["ends"] == "A to B"]
    activations, permutations = (
        list(dict.fromkeys(row[name] for row in rows)) for name in ("activation", "permutation")
    )
    with style():
        figure = Figure(figsize=(PAGE, 2.3))
        panels = figure.subplots(1, len(activations), sharey=True, squeeze=False)[0]
        for panel, activation in zip(panels, activations, strict=True):
            for place, permutation in enumerate(permutations):
                colour, marker, dashes = LOOKS[place]
                chosen = [
                    row
                    for row in rows
                    if (row["activation"], row["permutation"]) == (activation, permutation)
                ]
                panel.plot(
                    [row["t"] for row in chosen],
                    [100 * row["error"] for row in chosen],
                    color=colour,
                    linestyle=dashes,
                    marker=marker,
                    # Two of the curves coincide: their marks lie at different places.
                    markevery=(2 * place, max(1, len(chosen) // 5)),
                    markerfacecolor="white",
                    clip_on=False,
                    label=permutation,
                )
            panel.set_title(activation)
            panel.set_xlabel("Position on the line from A to B, $t$")
            panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        panels[0].set_ylabel("Error (%)")
        panels[0].set_ylim(bottom=0)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure


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
