"""The figure of the study of skip connections."""

from typing import Any

import pyarrow as pa

from mconn.experiment import style
from mconn.experiment.figures import LOOKS, PAGE

ROWS = {
    "generators": "Generators",
    "log2_components": r"$\log_2$ components",
    "dimension": "Dimension",
}


def skip_figure(groups: pa.Table) -> Any:
    """Sizes of the groups against depth: a column per kind of network, a curve with and without."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = groups.to_pylist()
    networks = list(dict.fromkeys(row["network"] for row in rows))
    with style():
        figure = Figure(figsize=(PAGE, 1.35 * len(ROWS) + 0.4))
        panels = figure.subplots(len(ROWS), len(networks), sharex=True, squeeze=False)
        for j, network in enumerate(networks):
            for i, (column, label) in enumerate(ROWS.items()):
                panel = panels[i, j]
                for skip, (colour, marker, dashes) in zip((False, True), LOOKS, strict=False):
                    chosen = [r for r in rows if (r["network"], r["skip"]) == (network, skip)]
                    panel.plot(
                        [row["blocks"] for row in chosen],
                        [row[column] for row in chosen],
                        color=colour,
                        marker=marker,
                        linestyle=dashes,
                        markerfacecolor="white",
                        label="skip connections" if skip else "plain",
                    )
                panel.set_ylim(bottom=0)
                panel.xaxis.set_major_locator(MaxNLocator(integer=True))
                panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
                if i == 0:
                    panel.set_title(network)
                if j == 0:
                    panel.set_ylabel(label)
            panels[-1, j].set_xlabel("Blocks per stage" if network == "ResNet" else "Blocks")
        figure.align_ylabels(panels[:, 0])
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=2)
    return figure
