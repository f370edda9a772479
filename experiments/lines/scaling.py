"""How does the barrier change with a network's width, its depth, or the length of its training?

Seeds of several trainings that differ in one thing are compared on the straight line, as they are
and after the hidden units of one were permuted to match the other: Ainsworth et al., *Git
Re-Basin*, ICLR 2023; Entezari et al., ICLR 2022. The barrier depends on how low the ends are, so
that the loss of the ends stands next to every barrier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa

from experiments.lines.scaling_claims import anchor_claims, control_claims, shape_claims
from experiments.lines.scaling_figures import scaling_figure
from experiments.lines.scaling_table import (
    along_axis,
    barrier_means,
    barrier_ranges,
    end_losses,
    headline,
)
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Report, Result, Section, Stage
from mconn.experiment.stages import Align, Sweep, Train
from mconn.training import TrainConfig

Axis = Literal["width", "depth", "epochs"]
Method = Literal["naive", "weights", "activations", "random"]

UNITS = {
    "width": "units of a hidden layer",
    "depth": "hidden layers",
    "epochs": "epochs of training",
}
CAUTIONS = {
    "width": "That the matched barrier falls with the width is no law: it was seen where the "
    "networks of all widths nearly fit their training examples. At a fixed length of training on "
    "data that they do not fit, it rose with the width in pilots of this project (MNIST-1D).",
    "depth": "Networks of all depths have the same width and the same training.",
    "epochs": "Every point is a training of its own with its own cosine schedule, not a checkpoint "
    "of one long training.",
}


@dataclass(frozen=True)
class BarrierScaling(Experiment):
    """Train, align and sweep the seeds of every training.

    Attributes:
        axis: in what the trainings differ.
        trainings: in ascending order along the axis.
        methods: what is done to the second network of a pair; ``random`` is the control.
        points: equispaced points on each line.
        expected: mean train chord barriers (place on the axis, method, nats), for the claims.
            Where there are none, the shape of the curves is not claimed either.
        expected_source: where they come from.
    """

    axis: Axis
    trainings: tuple[TrainConfig, ...]
    methods: tuple[Method, ...] = ("naive", "weights", "activations", "random")
    points: int = 25
    expected: tuple[tuple[int, Method, float], ...] = ()
    expected_source: str = ""

    def __post_init__(self) -> None:
        check_choice("axis", self.axis, get_args(Axis))
        for method in self.methods:
            check_choice("method", method, get_args(Method))
        places = self.places
        if len(places) < 2 or list(places) != sorted(set(places)):
            raise ConfigError(
                f"the trainings have the {self.axis} {', '.join(map(str, places))}: give at least "
                "two, in ascending order"
            )
        if any(len(train.seeds) < 2 for train in self.trainings):
            raise ConfigError("a training has one seed: a line needs two networks, train two")

    @property
    def places(self) -> tuple[int, ...]:
        """The width, depth or epochs of every training."""
        return tuple(
            train.epochs if self.axis == "epochs" else getattr(train.model, self.axis)
            for train in self.trainings
        )

    def stages(self) -> dict[str, Stage]:
        """For every training: its seeds, an alignment per method, and a sweep per method."""
        stages: dict[str, Stage] = {}
        for place, config in zip(self.places, self.trainings, strict=True):
            train = stages[f"train {place}"] = Train(config)
            for method in self.methods:
                align = None if method == "naive" else Align(train, method)
                if align is not None:
                    stages[f"align {method} {place}"] = align
                stages[f"sweep {method} {place}"] = Sweep(train, align, self.points)
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """The barriers along the axis, the loss of the ends, and the expected shape."""
        barriers, profile, matches = (
            along_axis(self.axis, self.places, results, name)
            for name in ("barriers", "profile", "matches")
        )
        means = barrier_means(self.axis, barriers)
        losses = end_losses(self.axis, profile)
        aligned = [result for name, result in results.items() if name.startswith("align ")]
        config = self.trainings[0]
        first, last = self.places[0], self.places[-1]
        shown = [method for method in self.methods if method != "random"]
        seeds = len(config.seeds)
        return Report(
            title=f"{type(config.model).__name__} on {config.data.name}: the barrier against the "
            f"{'length of training' if self.axis == 'epochs' else self.axis}",
            question=f"How does the loss barrier between two trained networks change from {first} "
            f"to {last} {UNITS[self.axis]}, before and after their hidden units are matched?",
            summary=f"train barrier from {first} to {last} {UNITS[self.axis]}: "
            + ", ".join(
                f"{method} {means[method, 'train', first]:.3g} to "
                f"{means[method, 'train', last]:.3g}"
                for method in shown
            )
            + " nats",
            headline=headline(self.axis, self.places, self.methods, means, losses),
            note=f"Mean over all pairs of {seeds} seeds. Chord barrier: the largest height of the "
            "loss above the straight line through the ends' losses, in nats per example, at "
            f"{self.points} points. The second network of a pair is left as it is (naive), "
            "permuted to match the first one's weights or activations on the training split, or "
            f"permuted at random (the control). No augmentation. {CAUTIONS[self.axis]}",
            sections=[
                Section(
                    "The barrier",
                    figures={"barriers": scaling_figure(self.axis, barriers, losses)},
                    tables={"estimates": barriers, "ends": ends_table(self.axis, losses)},
                    captions={
                        "barriers": "Chord barrier of the loss on train and test, and the loss of "
                        "the trained networks themselves. Lines are means over pairs or seeds; "
                        "bands reach from the lowest to the highest. A barrier is the maximum of "
                        "noisy means, which is biased upwards where it is small.",
                        "estimates": "Every kind of barrier of every pair, with its paired "
                        "standard error and 95 % interval over examples.",
                        "ends": "Mean loss of the networks at the ends, in nats per example.",
                    },
                ),
                Section(
                    "Alignment",
                    tables={"matches": matches, "profile": profile},
                    captions={
                        "matches": "What each alignment maximised, a bound that no permutation "
                        "exceeds, and the distance of the networks before and after.",
                        "profile": "All points of all curves.",
                    },
                ),
            ],
            claims=[
                *anchor_claims(
                    self.expected,
                    self.expected_source,
                    means,
                    barrier_ranges(self.axis, barriers),
                ),
                *(shape_claims(self.axis, self.places, shown, means) if self.expected else ()),
                *control_claims(self.places, self.methods, means, aligned),
            ],
        )


def ends_table(axis: str, losses: Mapping[tuple[str, int], Any]) -> pa.Table:
    """The end losses as a tidy table, one row per split, place and network."""
    return pa.Table.from_pylist(
        [
            {axis: place, "split": split, "loss": float(loss)}
            for (split, place), values in losses.items()
            for loss in values
        ]
    )
