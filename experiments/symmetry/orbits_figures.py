"""The figures of the study of orbits."""

from typing import Any

import numpy as np
import pyarrow as pa

from experiments.symmetry.orbits_stages import blow_up
from mconn.experiment import COLUMN, LOOKS, style


def blow_up_figure(blown: pa.Table) -> Any:
    """The loss in the middle of the line against the scaling, per degree of the activation."""
    from matplotlib.figure import Figure

    rows = [row for row in blown.to_pylist() if row["expected"] > 0]
    degrees = list(dict.fromkeys(row["degree"] for row in rows))
    precisions = list(dict.fromkeys(row["precision"] for row in rows))
    factors = np.array(sorted({row["factor"] for row in rows}))
    fine = np.geomspace(factors[0], factors[-1], 200)
    with style():
        figure = Figure(figsize=(1.5 * COLUMN, 2.6))
        axis = figure.subplots()
        for degree, (colour, _, dashes) in zip(degrees, LOOKS, strict=False):
            axis.plot(
                fine,
                [blow_up(factor, degree) for factor in fine],
                color=colour,
                linestyle=dashes,
                label=f"formula, k = {degree}",
            )
        for precision, marker, size in zip(precisions, "ox", (5.5, 4), strict=True):
            for degree, (colour, _, _) in zip(degrees, LOOKS, strict=False):
                chosen = [r for r in rows if (r["degree"], r["precision"]) == (degree, precision)]
                axis.plot(
                    [row["factor"] for row in chosen],
                    [row["loss"] for row in chosen],
                    color=colour,
                    marker=marker,
                    markersize=size,
                    markerfacecolor="none",
                    linestyle="none",
                    label=f"{precision}, k = {degree}",
                )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlabel("Scaling of the hidden units, $m$")
        axis.set_ylabel("Loss at the midpoint / $||Y||^2$")
        figure.legend(loc="outside upper center", ncols=3)
    return figure
