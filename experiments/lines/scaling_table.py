"""The tables of a scaling study: barriers and end losses by place on the axis."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from mconn.experiment import Result, gather, where

Means = Mapping[tuple[str, str, int], float]
"""The mean train or test chord barrier by method, split and place on the axis."""

Ranges = Mapping[tuple[str, str, int], str]
"""The lowest and the highest pair of the same."""

Losses = Mapping[tuple[str, int], Float[np.ndarray, " networks"]]
"""The losses of the trained networks by split and place on the axis."""


def along_axis(
    axis: str, places: Sequence[int], results: Mapping[str, Result], name: str
) -> pa.Table:
    """The tables of one name of all stages, with a first column that says the place."""
    tables = []
    for place in places:
        here = {label: each for label, each in results.items() if label.split()[-1] == str(place)}
        table = gather(here, name)
        if table.num_rows:
            tables.append(table.add_column(0, axis, pa.array([place] * table.num_rows)))
    return pa.concat_tables(tables) if tables else pa.table({})


def chord_barriers(axis: str, barriers: pa.Table) -> Mapping[tuple[str, str, int], list[float]]:
    """The chord barrier of the loss of every pair, by method, split and place."""
    values: dict[tuple[str, str, int], list[float]] = {}
    for row in where(barriers, kind="chord", metric="loss").to_pylist():
        values.setdefault((row["method"], row["split"], row[axis]), []).append(row["value"])
    return values


def barrier_means(axis: str, barriers: pa.Table) -> Means:
    """The mean over pairs of the chord barrier of the loss."""
    values = chord_barriers(axis, barriers)
    return {key: float(np.mean(each)) for key, each in values.items()}


def barrier_ranges(axis: str, barriers: pa.Table) -> Ranges:
    """The lowest and the highest pair, in words."""
    values = chord_barriers(axis, barriers)
    return {key: f"[{min(each):.3g}, {max(each):.3g}] over pairs" for key, each in values.items()}


def end_losses(axis: str, profile: pa.Table) -> Losses:
    """The loss of every trained network, once, without the repeats of its pairs."""
    ends = where(profile, method="naive", metric="loss").filter(pc.field("t").isin([0.0, 1.0]))
    found: dict[tuple[str, int], dict[str, float]] = {}
    for row in ends.to_pylist():
        seed = row["pair"].split("-")[int(row["t"])]
        found.setdefault((row["split"], row[axis]), {})[seed] = row["value"]
    return {key: np.array(list(by_seed.values())) for key, by_seed in found.items()}


def headline(
    axis: str, places: Sequence[int], methods: Sequence[str], means: Means, losses: Losses
) -> pa.Table:
    """The train barrier of every method and the loss of the ends, by place."""
    return pa.Table.from_pylist(
        [
            {
                axis: place,
                **{method: round(means[method, "train", place], 4) for method in methods},
                "end train loss": float(f"{losses['train', place].mean():.3g}"),
                "end test loss": float(f"{losses['test', place].mean():.3g}"),
            }
            for place in places
        ]
    )
