"""A figure of things in a column, each with a number and its range beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mconn.experiment import LOOKS, PAGE, Frame, style

GREY = "#4d4d4d"


def ranges(
    frame: Frame,
    place: str,
    values: Mapping[str, str],
    *,
    by: str,
    low: str = "",
    high: str = "",
    floor: float = 0,
    level: float | None = None,
    linear: bool = False,
) -> Any:
    """A row per place; dots are means, lines reach from the lowest to the highest.

    Args:
        frame: several rows of one place and kind are a mean with its range.
        place: the column of what stands in the rows of the figure.
        values: the columns that are drawn, a panel each, with the label of its axis.
        by: the column whose values are told apart by colour and marker.
        low: the column of the lower end of a row's own interval; empty if it has none.
        high: that of the upper end.
        floor: the lowest number that is drawn.
        level: a number that is marked in the last panel, by a dotted line.
        linear: whether the axes are linear; they are logarithmic otherwise.
    """
    from matplotlib.figure import Figure

    places, kinds = (list(dict.fromkeys(frame[name])) for name in (place, by))
    with style():
        figure = Figure(figsize=(PAGE, 0.9 + 0.28 * len(places)))
        panels = figure.subplots(1, len(values), sharey=True, squeeze=False)[0]
        for panel, (column, label) in zip(panels, values.items(), strict=True):
            drawn = frame.dropna(subset=[column])
            shown = [kind for kind in kinds if kind in set(drawn[by])]
            shifts = np.linspace(-0.2, 0.2, len(shown)) if len(shown) > 1 else [0.0]
            for kind, shift in zip(shown, shifts, strict=True):
                colour, marker, _ = LOOKS[kinds.index(kind) % len(LOOKS)]
                groups = drawn[drawn[by] == kind].groupby(place, sort=False)
                y = [places.index(name) + shift for name in groups.groups]
                spread = [groups[low or column].min(), groups[high or column].max()]
                ends, mean = ([each.clip(lower=floor) for each in spread], groups[column].mean())
                panel.hlines(y, *ends, color=colour, linewidth=1.2)
                panel.plot(
                    mean.clip(lower=floor), y, marker, color=colour, markersize=4, label=kind
                )
            panel.set_xscale("linear" if linear else "log")
            panel.set_xlabel(label)
        if level is not None:
            panels[-1].axvline(level, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        panels[0].set_yticks(range(len(places)), places)
        panels[0].set_ylim(len(places) - 0.5, -0.5)
        handles = {}
        for panel in panels:
            found = zip(*panel.get_legend_handles_labels(), strict=True)
            handles |= {name: handle for handle, name in found}
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return figure
