"""How does the barrier change with a network's width, its depth, or the length of its training?

Seeds of several trainings that differ in one thing are compared on the straight line, as they are
and after the hidden units of one were permuted to match the other: Ainsworth et al., *Git
Re-Basin*, ICLR 2023; Entezari et al., ICLR 2022. The barrier depends on how low the ends are, so
that the loss of the ends stands next to every barrier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pandas as pd

from experiments._shared import lines
from experiments._shared.controls import alignment_claims
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment import Claim, Experiment, Frame, Report, Result, Section, Stage, claims, plot
from mconn.training import TrainConfig

Axis = Literal["width", "depth", "epochs"]
Method = Literal["naive", "weights", "activations", "random"]
SMALL = 0.2  # nats below which the matched barrier of the longest training should lie
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
CAPTIONS = {
    "barriers": "Chord barrier of the loss on train and test, and the loss of the trained networks "
    "themselves. Lines are means over pairs or seeds; bands reach from the lowest to the highest. "
    "A barrier is the maximum of noisy means, which is biased upwards where it is small.",
    "estimates": "Every kind of barrier of every pair, with its paired standard error and 95 % "
    "interval over examples.",
    "ends": "Mean loss of the networks at the ends, in nats per example.",
    "matches": "What each alignment maximised, a bound that no permutation exceeds, and the "
    "distance of the networks before and after.",
    "profile": "All points of all curves.",
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
        lines.check_pairs(*self.trainings)

    @property
    def places(self) -> tuple[int, ...]:
        """The width, depth or epochs of every training."""
        return tuple(
            train.epochs if self.axis == "epochs" else getattr(train.model, self.axis)
            for train in self.trainings
        )

    def stages(self) -> dict[str, Stage]:
        """For every training: its seeds, an alignment per method, and a sweep per method."""
        stages = {}
        for place, config in zip(self.places, self.trainings, strict=True):
            stages |= lines.line_stages(config, self.methods, self.points, f"{{}} {place}")
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """The barriers along the axis, the loss of the ends, and the expected shape."""
        axis, named = self.axis, {place: f"{{}} {place}" for place in self.places}
        barriers, profile, matches = (
            lines.frame_along(results, name, axis, named)
            for name in ("barriers", "profile", "matches")
        )
        chord = barriers.query("kind == 'chord' and metric == 'loss'")
        ends = lines.ends_of(profile.query("metric == 'loss'"), [axis])
        means = chord.query("split == 'train'").pivot_table("value", axis, "method")
        loss = ends.pivot_table("value", axis, "split").map("{:.3g}".format).astype(float)
        told = means[list(self.methods)].round(4)
        told["end train loss"], told["end test loss"] = loss.train, loss.test
        shown = [method for method in self.methods if method != "random"]
        unit, first, last = UNITS[axis], self.places[0], self.places[-1]
        ranges = (f"{m} {means[m][first]:.3g} to {means[m][last]:.3g}" for m in shown)
        aligned = [result for name, result in results.items() if name.startswith("align ")]
        tables = {"estimates": barriers, "ends": ends[[axis, "split", "value"]]}
        tables["ends"] = tables["ends"].rename(columns={"value": "loss"})
        figures = {"barriers": draw(axis, chord[chord.method.isin(shown)], ends)}
        return Report(
            title=f"{lines.network_and_data(self.trainings[0])}: the barrier against the "
            f"{'length of training' if axis == 'epochs' else axis}",
            question="How does the loss barrier between two trained networks change from "
            f"{first} to {last} {unit}, before and after their hidden units are matched?",
            summary=f"train barrier from {first} to {last} {unit}: {', '.join(ranges)} nats",
            headline=told.reset_index().rename_axis(columns=None),
            note=f"Mean over all pairs of {len(self.trainings[0].seeds)} seeds. Chord barrier: the "
            "largest height of the loss above the straight line through the ends' losses, in nats "
            f"per example, at {self.points} points. The second network of a pair is left as it is "
            "(naive), permuted to match the first one's weights or activations on the training "
            f"split, or permuted at random (the control). No augmentation. {CAUTIONS[axis]}",
            sections=[
                Section("The barrier", "", figures, tables, CAPTIONS),
                Section("Alignment", "", {}, {"matches": matches, "profile": profile}, CAPTIONS),
            ],
            claims=[
                *anchor_claims(self.expected, self.expected_source, axis, chord),
                *(shape_claims(axis, means[shown]) if self.expected else ()),
                *control_claims(means),
                *alignment_claims(aligned),
            ],
        )


def draw(axis: str, chord: Frame, ends: Frame) -> Any:
    """The barrier on each split, a curve per method; beside them the losses of the ends."""
    columns = {"train": "Train", "test": "Test", "ends": "The ends: loss (nats)"}
    parts = [chord.assign(panel=chord.split, curve=chord.method)]
    parts.append(ends.assign(panel="ends", curve="ends, " + ends.split))
    drawn, places = pd.concat(parts), sorted(set(chord[axis]))
    drawn = drawn.sort_values(
        "panel", key=lambda each: each.map(list(columns).index), kind="stable"
    )
    # From narrow to wide networks the matched barrier falls by orders of magnitude.
    log = "x" * (places[-1] > 10 * places[0]) + "y" * (axis == "width")
    labels = {"value": "Chord barrier (nats)", axis: UNITS[axis].capitalize()}
    look = {"labels": labels, "names": columns, "log": log, "share": {"sharey": False}, "legend": 5}
    look |= {} if "y" in log else {"bottom": 0}
    figure = plot.panels(drawn, axis, "value", by="curve", columns="panel", look=look)
    figure.axes[1].sharey(figure.axes[0])
    figure.axes[2].set_yscale("log")
    return figure


def anchor_claims(
    expected: Sequence[tuple[int, str, float]], source: str, axis: str, chord: Frame
) -> list[Claim]:
    """Every known mean train barrier is met within 40 %."""
    groups = chord[chord.split == "train"].groupby([axis, "method"]).value
    found = {key: values for key, values in groups}
    return [
        claims.near(
            f"barrier/{method}/{place}",
            f"mean train barrier, {method}, at {place}",
            found[place, method],
            value,
            source=source,
            relative=0.4,
            over="pairs",
        )
        for place, method, value in expected
        if (place, method) in found
    ]


def shape_claims(axis: str, means: Frame) -> list[Claim]:
    """The mean train barrier, a column per method, changes along the axis as it is known to."""
    by = {"width": "Ainsworth et al. 2023; pilots of this project, nearly fitted networks"}
    by |= {"depth": "Entezari et al. 2022; pilots of this project"}
    source = by.get(axis, "Ainsworth et al. 2023; pilots of this project")
    verb, found = "falls" if axis == "width" else "rises", []
    for method, values in means.items():
        if method == "naive" or axis != "epochs":
            told = f"the train barrier, {method}, {verb} from each place to the next"
            id, falling = f"{verb}/{method}", axis == "width"
            found.append(claims.ordered(id, told, values, falling=falling, source=source))
            continue
        top, last = values.idxmax(), values.iloc[-1]
        found.append(
            Claim(
                f"the train barrier, {method}, rises and then falls with longer training",
                source,
                f"highest between the ends, last below {SMALL}",
                f"highest {values[top]:.3g} at {top}, last {last:.3g}",
                bool(values.index[0] < top < values.index[-1] and last < SMALL),
                id=f"rises-and-falls/{method}",
            )
        )
    return found


def control_claims(means: Frame) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    if not {"naive", "random"} <= set(means):
        return []
    id, told = "random-does-not-help", "a random permutation does not help, at any place"
    of, source = "the naive train barrier", "control"
    return [claims.share_of(id, told, means.random, means.naive, least=0.6, of=of, source=source)]
