"""The figure of a scaling study."""

from typing import Any

import pyarrow as pa

from experiments._shared.spread import draw_spread, joint_legend
from experiments.lines.scaling_table import Losses
from mconn.experiment import LOOKS, PAGE, numbers, style, where

LABELS = {
    "width": "Units of a hidden layer",
    "depth": "Hidden layers",
    "epochs": "Epochs of training",
}
NAMES = ("naive", "weights", "activations")


def scaling_figure(axis: str, barriers: pa.Table, losses: Losses) -> Any:
    """The barrier against the axis on each split, one line per method; beside, the end losses.

    Args:
        axis: the column of the barrier table with the place on the axis.
        barriers: the barrier table of all trainings, with that column.
        losses: of the trained networks, by split and place.
    """
    from matplotlib.figure import Figure

    chord = where(barriers, kind="chord", metric="loss")
    places = sorted(set(chord[axis].to_pylist()))
    with style():
        figure = Figure(figsize=(PAGE, 2.5))
        train, test, ends = figure.subplots(1, 3)
        train.sharey(test)
        for panel, split in ((train, "train"), (test, "test")):
            for name, look in zip(NAMES, LOOKS, strict=False):
                values = [
                    numbers(where(chord, method=name, split=split).filter(at(axis, place)), "value")
                    for place in places
                ]
                if all(len(each) for each in values):
                    draw_spread(panel, places, values, look, name)
            panel.set_title(split.capitalize())
            if axis == "width":
                # From narrow to wide networks the matched barrier falls by orders of magnitude.
                panel.set_yscale("log")
            else:
                panel.set_ylim(bottom=0)
        train.set_ylabel("Chord barrier (nats)")
        test.tick_params(labelleft=False)
        for split, look in zip(("train", "test"), LOOKS[3:], strict=False):
            values = [losses[split, place] for place in places]
            draw_spread(ends, places, values, look, f"ends, {split}")
        ends.set_title("The ends")
        ends.set_ylabel("Loss (nats)")
        ends.set_yscale("log")
        for panel in (train, test, ends):
            draw_axis(panel, axis, places)
        joint_legend(figure, train, ends, 5)
    return figure


def at(axis: str, place: int) -> Any:
    """The filter of a table for one place on the axis."""
    import pyarrow.compute as pc

    return pc.field(axis) == place


def draw_axis(panel: Any, axis: str, places: list[int]) -> None:
    """Ticks at the places: on a logarithmic axis where they span more than a factor of ten."""
    from matplotlib.ticker import NullLocator

    panel.set_xlabel(LABELS[axis])
    if places[-1] > 10 * places[0]:
        panel.set_xscale("log")
        panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xticks(places, [str(place) for place in places])
