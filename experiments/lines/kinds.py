"""Which number is 'the' barrier, and when is it small enough to call two networks connected?

Papers use different barriers: over the higher end, over the mean of the ends, over the chord
between them; of the loss or of the error; on train or test; on grids of 11 to 61 points. They are
related, but they are different numbers, and a maximum over a grid is a lower bound of the maximum
over the path. A fixed threshold on any of them depends on how low the ends are and on how many
examples were measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from experiments.lines.kinds_claims import grid_claims, relation_claims, threshold_claims
from experiments.lines.kinds_figures import grid_figure, threshold_figure
from experiments.lines.kinds_stages import GRIDS, THRESHOLD, BarrierLines
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Report, Result, Section, Stage, numbers, where
from mconn.experiment.stages import Align, Train
from mconn.training import TrainConfig

SHOWN = ("max_endpoint", "mean_endpoint", "chord", "area", "error_mean")


@dataclass(frozen=True)
class BarrierKinds(Experiment):
    """Every kind of barrier on the lines between well and badly trained networks.

    Attributes:
        train: well trained networks.
        early: the same seeds, stopped early; a line from a well trained network to an early one has
            ends with very different losses.
        first: the same seeds after next to no training.
    """

    train: TrainConfig
    early: TrainConfig
    first: TrainConfig

    def __post_init__(self) -> None:
        seeds = {config.seeds for config in (self.train, self.early, self.first)}
        if len(seeds) > 1 or len(self.train.seeds) < 2:
            raise ConfigError(f"seeds are {seeds}: train the same ones three times, at least two")

    def stages(self) -> dict[str, Stage]:
        """Three trainings, two alignments, and the lines."""
        train, early, first = (Train(each) for each in (self.train, self.early, self.first))
        aligned, first_aligned = (Align(each, "activations") for each in (train, first))
        lines = BarrierLines(train, early, first, aligned, first_aligned)
        return {"train": train, "early": early, "first": first, "lines": lines}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The kinds on the same lines, the grids, and the threshold."""
        barriers, grids, ends = (
            results["lines"].tables[name] for name in ("barriers", "grids", "ends")
        )
        headline = pa.Table.from_pylist(
            [
                {
                    "line": line,
                    **{
                        kind: float(
                            numbers(
                                where(barriers, line=line, split="test", kind=kind), "value"
                            ).mean()
                        )
                        for kind in SHOWN
                    },
                }
                for line in dict.fromkeys(barriers["line"].to_pylist())
            ]
        )
        coarse, fine = (
            float(numbers(grids.filter(grids_at(grids, points)), "value").mean())
            for points in (GRIDS[0], GRIDS[-1])
        )
        return Report(
            title="Kinds of barriers on the same lines, and a threshold for them",
            question="How far apart are the barriers of the literature on the same line, and does "
            f"a threshold of {THRESHOLD:g} say whether two networks are connected?",
            summary=f"the naive chord barrier is {coarse:.3g} nats on {GRIDS[0]} points and "
            f"{fine:.3g} on {GRIDS[-1]}; networks that learned nothing pass the threshold",
            headline=headline,
            note=f"Means over pairs or seeds, on test, {GRIDS[-1]} points; losses in nats, the "
            "last column a share. Lines: naive and matched (by activations) between well trained "
            "networks, unequal from a well trained to an early stopped one of the same seed, "
            "untrained between matched networks after next to no training.",
            sections=[
                Section(
                    "Grids and the threshold",
                    figures={
                        "grids": grid_figure(grids),
                        "threshold": threshold_figure(barriers, THRESHOLD),
                    },
                    tables={"estimates": barriers, "grids": grids, "ends": ends},
                    captions={
                        "grids": "The chord barrier of the naive lines on nested grids, on train. "
                        "Each curve is a pair.",
                        "threshold": "Chord barrier of every matched pair with its 95 % bootstrap "
                        "interval over examples, and the threshold (dotted). Zero is drawn at "
                        "1e-5.",
                        "estimates": "Every kind of barrier on every line.",
                    },
                )
            ],
            claims=[
                *relation_claims(barriers, ends),
                *grid_claims(grids),
                *threshold_claims(barriers, ends),
            ],
        )


def grids_at(grids: pa.Table, points: int) -> pa.Array:
    """Which rows are of a grid."""
    return pa.array([each == points for each in grids["points"].to_pylist()])
