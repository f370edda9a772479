"""What figures of means over pairs of seeds share."""

from typing import Any

import numpy as np

from mconn.experiment import Frame


def draw_spread(
    panel: Any,
    places: list[int] | list[float],
    values: list[np.ndarray],
    look: tuple[str, str, Any],
    name: str,
) -> None:
    """The mean at each place, with a band from the lowest to the highest."""
    colour, marker, dashes = look
    low, high = [each.min() for each in values], [each.max() for each in values]
    panel.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)
    panel.plot(
        places,
        [each.mean() for each in values],
        color=colour,
        linestyle=dashes,
        marker=marker,
        markerfacecolor="white",
        label=name,
    )


def joint_legend(figure: Any, first: Any, second: Any, columns: int) -> None:
    """One legend above the figure, for the lines of two panels."""
    handles, names = (
        here + there
        for here, there in zip(
            first.get_legend_handles_labels(), second.get_legend_handles_labels(), strict=True
        )
    )
    figure.legend(handles, names, loc="outside upper center", ncols=columns)


def draw_means(
    panel: Any, table: Frame, x: str, y: str, look: tuple[str, str, Any], name: str
) -> None:
    """`draw_spread` of a column of a frame against another; rows of one place are one band."""
    by_place = {place: part.to_numpy() for place, part in table.groupby(x)[y]}
    draw_spread(panel, list(by_place), list(by_place.values()), look, name)
