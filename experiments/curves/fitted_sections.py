"""The sections of the report on curves."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from experiments.curves.fitted_figures import decomposition_figure, ensemble_figure
from experiments.curves.fitted_stages import LINE, CurvePlane
from mconn.experiment import (
    Plane,
    Result,
    Section,
    band_meaning,
    barrier_bars,
    length_figure,
    numbers,
    plane_figure,
    profile_figure,
    where,
)


def along_section(profile: pa.Table, chord: pa.Table, geometry: pa.Table) -> Section:
    """The curves beside the line.

    Args:
        profile: of all sweeps, with the column ``segment``.
        chord: the chord barriers of the loss.
        geometry: from `experiments.curves.fitted_stages.geometry_rows`.
    """
    points = len(np.unique(numbers(profile, "t")))
    return Section(
        "Along the paths",
        figures={
            "profile": profile_figure(profile, log_loss=spans_decades(profile)),
            "length": length_figure(profile, log_loss=spans_decades(profile)),
            "barriers": barrier_bars(chord, log=bool(numbers(chord, "value").min() > 0)),
        },
        tables={"geometry": geometry},
        captions={
            "profile": f"Loss and accuracy at {points} points of the line and of the "
            "fitted curves, from one seed to another. " + band_meaning(profile),
            "length": "The same against the length of the path behind, in units of the "
            "distance between the ends: a curve that is longer than the line ends further to "
            "the right.",
            "barriers": "Chord barrier of the loss. Bars are means over pairs; dots are "
            "single pairs with their 95 % bootstrap interval over examples. A maximum of "
            "noisy means is biased upwards: a barrier that is not large against its interval "
            "is smaller than it looks.",
            "geometry": "Distance of the ends, length of the curve, their ratio, and how far "
            "the middle control point lies from the middle of the ends, over their distance.",
        },
    )


def plane_section(result: Result, stage: CurvePlane) -> Section:
    """The loss around the first pair's curve."""
    tree, first, split = result.tree, stage.connect.name, stage.split
    a, b, bend = tree["networks"]
    plane = Plane(
        tree["x"],
        tree["y"],
        tree["loss"],
        points={"first end": a, "second end": b, "bend": bend},
        curves={LINE: np.stack([a, b]), first: tree["curve"]},
    )
    return Section(
        "The plane of the curve",
        figures={"plane": plane_figure([plane], label=f"{split.capitalize()} loss (nats)")},
        tables={"drawn": result.tables["drawn"]},
        captions={
            "plane": f"Loss on the plane through the ends of the first pair's {first} and its "
            f"middle bend, on {stage.examples} examples of the {split} split "
            "at most. Distances are those between networks.",
            "drawn": "The loss at the points of the curve as drawn, evaluated in the plane, "
            "and their distance from it.",
        },
    )


def function_section(along: pa.Table, methods: Sequence[str]) -> Section:
    """What the networks on the paths compute; the table of `AlongCurve`."""
    return Section(
        "What the networks compute",
        figures={
            "ensembles": ensemble_figure(along, methods),
            "decomposition": decomposition_figure(along, methods),
        },
        tables={"along": along},
        captions={
            "ensembles": "Share of the test split that the network at t puts into another "
            "class than the first end does; and the accuracy of the mean of both "
            "networks' probabilities. Means over pairs; bands reach from the lowest to "
            "the highest pair.",
            "decomposition": "The height of the test loss above its chord, as the sum of "
            "three terms that the logits give exactly; the first pair.",
            "along": "The numbers of both figures, with the bound on the height that the "
            "identity gives, at every point.",
        },
    )


def skipping_section(recomputed: pa.Table, mixed: pa.Table, first: str) -> Section:
    """The same curve with statistics of either kind; two profiles."""
    both = pa.concat_tables([renamed(recomputed, "recomputed"), renamed(mixed, "not recomputed")])
    return Section(
        "The same curve with BatchNorm statistics that are not recomputed",
        figures={"statistics": profile_figure(both, log_loss=spans_decades(both))},
        captions={
            "statistics": f"The {first} of every pair, with statistics measured anew at "
            "every point, and with the mixture of the control points' statistics, which "
            "fits no network between them: the barrier on it is an artefact."
        },
    )


def spans_decades(profile: pa.Table) -> bool:
    """Whether a linear axis would hide the lowest losses."""
    losses = numbers(where(profile, metric="loss"), "value")
    return bool(losses.max() > 30 * losses.min() > 0)


def renamed(table: pa.Table, method: str) -> pa.Table:
    """A table with another name of the method."""
    place = table.column_names.index("method")
    return table.set_column(place, "method", pa.array([method] * len(table)))
