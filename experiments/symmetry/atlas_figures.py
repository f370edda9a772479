"""The figure of the atlas of symmetry groups."""

from typing import Any

import pyarrow as pa

from mconn.experiment import style
from mconn.experiment.figures import LOOKS, PAGE

EIGHT_LOOKS = (*LOOKS, ("#000000", "*", (0, (1, 1))))
"""One more than the other figures need."""

COLUMNS = {"log10_order": r"$\log_{10}$ of the order", "dimension": "Dimension"}
TITLES = {"depth": "Against depth", "width": "Against width"}
AXES = {"depth": ("layers", "Hidden layers or blocks"), "width": ("width", "Width")}


def atlas_figure(groups: pa.Table) -> Any:
    """Order and dimension against depth and width, one curve per architecture."""
    from matplotlib.figure import Figure

    rows = groups.to_pylist()
    networks = list(dict.fromkeys(row["network"] for row in rows))
    with style():
        figure = Figure(figsize=(PAGE, 4.6))
        panels = figure.subplots(2, 2, sharex="col", sharey="row")
        for i, (column, label) in enumerate(COLUMNS.items()):
            for j, (varied, (place, name)) in enumerate(AXES.items()):
                panel = panels[i, j]
                for network, (colour, marker, dashes) in zip(networks, EIGHT_LOOKS, strict=False):
                    chosen = [r for r in rows if (r["network"], r["varied"]) == (network, varied)]
                    # A logarithmic axis has no place for a group without a continuous part.
                    shown = [row for row in chosen if row[column] > 0]
                    panel.plot(
                        [row[place] for row in shown],
                        [row[column] for row in shown],
                        color=colour,
                        marker=marker,
                        linestyle=dashes,
                        markerfacecolor="white",
                        label=network,
                    )
                panel.set_xscale("log", base=2)
                panel.set_yscale("log")
                if i == 0:
                    panel.set_title(TITLES[varied])
                else:
                    panel.set_xlabel(name)
                if j == 0:
                    panel.set_ylabel(label)
        figure.align_ylabels(panels[:, 0])
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure
