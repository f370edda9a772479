"""The figures of the study of transport distances."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from experiments._shared.spread import draw_spread, joint_legend
from mconn.experiment import LOOKS, PAGE, style

SHOWN = ("naive", "weights", "covariance", "activations")


def distance_figure(distances: pa.Table, slopes: Mapping[int, float]) -> Any:
    """The mean of W_2 against the size of the sample, one line per dimension.

    Args:
        distances: rows with ``law``, ``dimension``, ``size``, ``distance``, ``standard_error``.
        slopes: of the fitted lines, by dimension.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    rows = [row for row in distances.to_pylist() if row["law"] == "normal"]
    sizes = sorted({row["size"] for row in rows})
    with style():
        figure = Figure(figsize=(0.75 * PAGE, 2.9))
        axis = figure.subplots()
        for (dimension, slope), (colour, marker, dashes) in zip(
            slopes.items(), LOOKS, strict=False
        ):
            chosen = [row for row in rows if row["dimension"] == dimension]
            axis.errorbar(
                [row["size"] for row in chosen],
                [row["distance"] for row in chosen],
                yerr=[1.96 * row["standard_error"] for row in chosen],
                color=colour,
                marker=marker,
                linestyle=dashes,
                markerfacecolor="white",
                elinewidth=0.8,
                label=f"$d = {dimension}$, slope ${slope:.2f}$",
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("Atoms of each sample, $m$")
        axis.set_ylabel("Mean of $W_2$")
        figure.legend(loc="outside right upper")
    return figure


def spectrum_figure(spectra: pa.Table, dimensions: Mapping[float, float]) -> Any:
    """The barrier and the loss of the ends against the approximate dimension of the inputs.

    Args:
        spectra: rows with ``power``, ``method``, ``split``, ``value`` and ``end_loss``.
        dimensions: by power.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    rows = spectra.to_pylist()
    powers = sorted(dimensions, key=lambda power: dimensions[power])
    places = [dimensions[power] for power in powers]
    with style():
        figure = Figure(figsize=(PAGE, 2.6))
        train, test, ends = figure.subplots(1, 3)
        train.sharey(test)
        for panel, split in ((train, "train"), (test, "test")):
            for method, look in zip(SHOWN, LOOKS, strict=False):
                values = select(rows, powers, "value", method=method, split=split)
                draw_spread(panel, places, values, look, method)
            panel.set_yscale("log")
            panel.set_title(split.capitalize())
        train.set_ylabel("Chord barrier / target variance")
        test.tick_params(labelleft=False)
        for split, look in zip(("train", "test"), LOOKS[len(SHOWN) :], strict=False):
            values = select(rows, powers, "end_loss", method="naive", split=split)
            draw_spread(ends, places, values, look, f"ends, {split}")
        ends.set_title("The ends")
        ends.set_ylabel("Loss / target variance")
        ends.set_yscale("log")
        for panel in (train, test, ends):
            panel.set_xscale("log", base=2)
            panel.xaxis.set_major_locator(FixedLocator([1, 2, 4, 8, 16, 32, 64]))
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.set_minor_locator(NullLocator())
            panel.set_xlabel("Approximate dimension")
        joint_legend(figure, train, ends, 6)
    return figure


def select(
    rows: list[dict[str, Any]], powers: list[float], column: str, **wanted: str
) -> list[np.ndarray]:
    """The wanted rows' entries of one column, for every power."""
    chosen = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return [np.array([row[column] for row in chosen if row["power"] == p]) for p in powers]
