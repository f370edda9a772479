"""The figures of the study of connected components."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from mconn.experiment import LOOKS, PAGE, lighter, style

TITLES = {"plain": "Plain, $w_3 w_2 w_1$", "skip": "Skip, $w_3 (w_2 w_1 + 1)$"}


def level_set_figure(axis: Float[np.ndarray, "n"], sheets: Mapping[str, Any]) -> Any:
    """The sheets of zero loss over the plane of the first two weights, without and with a skip."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(0.8 * PAGE, 3.2), layout="compressed")
        panels = figure.subplots(1, 2, sharey=True)
        for panel, name in zip(panels, ("plain", "skip"), strict=True):
            labels = sheets[name]["sheet"]
            skip = 1.0 if name == "skip" else 0.0
            count = int(labels.max())
            colours = ["white", *(lighter(colour) for colour, _, _ in LOOKS[:count])]
            extent = (axis[0], axis[-1], axis[0], axis[-1])
            panel.imshow(
                labels.T,
                origin="lower",
                extent=extent,
                cmap=ListedColormap(colours),
                vmin=0,
                vmax=count,
                interpolation="nearest",
            )
            draw_wall(panel, axis, skip)
            for label in range(1, count + 1):
                place_name(panel, axis, labels == label, skip)
            panel.grid(visible=False)
            panel.set_title(f"{TITLES[name]}: {count} components")
            panel.set_xlabel("$w_1$")
        panels[0].set_ylabel("$w_2$")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center")
    return figure


def draw_wall(panel: Any, axis: Float[np.ndarray, "n"], skip: float) -> None:
    """The curve on which w_2 w_1 + skip vanishes, and no w_3 fits."""
    name = "no solution: $w_2 w_1 + s = 0$"
    dashes = {"color": "#1a1a1a", "linestyle": (0, (3, 2)), "linewidth": 1.0}
    if skip == 0:
        panel.plot([axis[0], axis[-1]], [0, 0], label=name, **dashes)
        panel.plot([0, 0], [axis[0], axis[-1]], **dashes)
        return
    for side in (-1, 1):
        first = side * np.geomspace(skip / axis[-1], axis[-1], 200)
        panel.plot(first, -skip / first, label=name if side == 1 else None, **dashes)


def place_name(panel: Any, axis: Float[np.ndarray, "n"], inside: np.ndarray, skip: float) -> None:
    """Write the sign of w_3 into a sheet, at the point of it that is nearest to its centre."""
    rows, columns = np.nonzero(inside)
    centre = np.array([rows.mean(), columns.mean()])
    nearest = np.argmin((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)
    first, second = axis[rows[nearest]], axis[columns[nearest]]
    sign = ">" if first * second + skip > 0 else "<"
    panel.text(first, second, f"$w_3 {sign} 0$", ha="center", va="center", fontsize=7.5)
