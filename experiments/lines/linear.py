"""Are independently trained networks joined by a straight line, once their symmetry is taken out?

Seeds of one architecture are trained on the same data. On the line between two of them the loss
rises to a hump: the barrier. Hidden units carry no names, so the second network can be replaced by
any permutation of itself that computes the same function; the study asks how much of the barrier
is left on the line to the best one (Entezari et al., ICLR 2022, conjecture 1; Ainsworth et al.,
*Git Re-Basin*, ICLR 2023, figure 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments._shared.controls import alignment_claims, random_claim
from mconn import align
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Experiment,
    Report,
    Result,
    Section,
    Stage,
    band_meaning,
    barrier_bars,
    claims as predicates,
    gather,
    numbers,
    profile_figure,
    where,
)
from mconn.experiment.stages import Align, Sweep, Train
from mconn.training import TrainConfig

Method = Literal["naive"] | align.Method
METHODS: tuple[Method, ...] = ("naive", *align.METHODS)


@dataclass(frozen=True)
class LinearConnectivity(Experiment):
    """Train the seeds, align them, sweep the line between every two, report the barrier.

    Attributes:
        train: what is trained; every pair of its seeds is compared.
        methods: what is done to the second network of a pair first: nothing (``naive``), or one of
            `mconn.align.Method`, with a ``random`` element of the group as control.
        points: equispaced points on each line.
        expected: published mean train chord barriers by method, for the claims.
        expected_source: where they were published.
        end_accuracy: the least test accuracy that every trained network should reach.
    """

    train: TrainConfig
    methods: tuple[Method, ...] = ("naive", "weights", "activations")
    points: int = 25
    expected: tuple[tuple[Method, float], ...] = ()
    expected_source: str = ""
    end_accuracy: float | None = None

    def __post_init__(self) -> None:
        for method in self.methods:
            check_choice("method", method, METHODS)
        if len(self.train.seeds) < 2:
            raise ConfigError(
                f"seeds are {self.train.seeds}: a line needs two networks, train at least two"
            )

    def stages(self) -> dict[str, Stage]:
        """Train, an alignment for every method but ``naive``, and a sweep for every method."""
        train = Train(self.train)
        aligned = {
            method: None if method == "naive" else Align(train, method) for method in self.methods
        }
        alignments = {f"align {m}": stage for m, stage in aligned.items() if stage is not None}
        sweeps = {f"sweep {m}": Sweep(train, stage, self.points) for m, stage in aligned.items()}
        return {"train": train, **alignments, **sweeps}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The curves, the barriers, and whether the expected order came out."""
        profile, barriers, matches = (
            gather(results, table) for table in ("profile", "barriers", "matches")
        )
        chord = where(barriers, kind="chord", metric="loss")
        means = {
            (method, split): float(
                numbers(where(chord, method=method, split=split), "value").mean()
            )
            for method in self.methods
            for split in ("train", "test")
        }
        shown = [method for method in self.methods if method != "random"]
        drawn, bars = (table.filter(pc.field("method").isin(shown)) for table in (profile, chord))
        aligned = [result for name, result in results.items() if name.startswith("align ")]
        model, data = self.train.model, self.train.data
        pairs = len(set(chord["pair"].to_pylist()))
        return Report(
            title=f"{type(model).__name__} on {data.name}: the line between trained networks",
            question=(
                f"{len(self.train.seeds)} networks were trained from different seeds. How high is "
                f"the loss barrier on the straight line between two of them, and how much is left "
                f"once the hidden units of one are permuted to match the other?"
            ),
            summary="train barrier "
            + ", ".join(f"{method} {means[method, 'train']:.3g}" for method in self.methods)
            + f" nats ({pairs} {'pair' if pairs == 1 else 'pairs'})",
            headline=_headline(self.methods, chord, profile),
            note=(
                "The second network of a pair is left as it is (naive), permuted to match the "
                "first one by the named method, or permuted at random (the control). Chord "
                "barrier: the largest height of the loss above the straight line through the "
                "ends' losses, in nats per example, "
                + (
                    "of one pair of seeds with its 95 % bootstrap interval over examples. "
                    if pairs == 1
                    else "as mean over pairs of seeds with the lowest and the highest pair. "
                )
                + "Accuracies are on the test split: the lowest on any line, and the mean of the "
                "ends. No augmentation. " + _statistics_note(profile)
            ),
            sections=[
                Section(
                    "Along the line",
                    figures={"profile": profile_figure(drawn)},
                    captions={
                        "profile": "Loss and accuracy on the line between two seeds, from the one "
                        f"at t = 0 to the one at t = 1, at {self.points} points. "
                        + band_meaning(drawn)
                    },
                ),
                Section(
                    "Barriers",
                    figures={"barriers": barrier_bars(bars)},
                    tables={"estimates": barriers, "profile": profile},
                    captions={
                        "barriers": "Chord barrier of the loss. Bars are means over pairs; dots "
                        "are single pairs with their 95 % bootstrap interval over examples. A "
                        "maximum of noisy means is biased upwards: a barrier that is not large "
                        "against its interval is smaller than it looks.",
                        "estimates": "Every kind of barrier of every pair, with its paired "
                        "standard error and 95 % interval over examples.",
                        "profile": "All points of all curves.",
                    },
                ),
                *_alignment_section(matches, aligned),
                Section(
                    "Training",
                    tables={"history": results["train"].tables["history"]},
                    captions={
                        "history": "Loss and accuracy of each epoch, as means over its batches "
                        "while they were trained on."
                    },
                ),
            ],
            claims=[
                *self._order_claims(chord),
                *self._expected_claims(chord),
                *self._accuracy_claims(profile),
                *_control_claims(self.methods, means, aligned),
            ],
        )

    def _order_claims(self, chord: pa.Table) -> list[Claim]:
        order = [m for m in ("naive", "weights", "activations") if m in self.methods]
        if len(order) < 2:
            return []
        return [
            predicates.ordered(
                f"order/{split}",
                f"the {split} barrier falls in the order {' > '.join(order)}, for every pair",
                np.stack(
                    [numbers(where(chord, method=m, split=split), "value") for m in order], axis=1
                ),
                falling=True,
                source="Ainsworth et al. 2023, figure 2; Jordan et al. 2023",
            )
            for split in ("train", "test")
        ]

    def _expected_claims(self, chord: pa.Table) -> list[Claim]:
        claims = []
        for method, expected in self.expected:
            if method in self.methods:
                found = numbers(where(chord, method=method, split="train"), "value")
                claims.append(
                    predicates.near(
                        f"barrier/{method}",
                        f"mean train barrier, {method}",
                        found,
                        expected,
                        source=self.expected_source,
                        relative=0.4,
                        over="pairs",
                    )
                )
        return claims

    def _accuracy_claims(self, profile: pa.Table) -> list[Claim]:
        if self.end_accuracy is None:
            return []
        ends = _ends(where(profile, split="test", metric="accuracy"))
        return [
            predicates.at_least(
                "end-accuracy",
                "every trained network generalises",
                numbers(ends, "value").min(),
                self.end_accuracy,
                of="test accuracy",
                source="this study",
            )
        ]


def _control_claims(
    methods: tuple[Method, ...], means: Mapping[tuple[str, str], float], aligned: list[Result]
) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    claims = alignment_claims(aligned)
    if {"naive", "random"} <= set(methods):
        claims.append(random_claim(means["naive", "train"], means["random", "train"]))
    return claims


def _alignment_section(matches: pa.Table, aligned: list[Result]) -> list[Section]:
    if not aligned:
        return []
    return [
        Section(
            "Alignment",
            text="The symmetry was discovered from the network's jaxpr and certified.\n\n"
            + aligned[0].facts["symmetry"],
            tables={"matches": matches},
            captions={
                "matches": "What each alignment maximised (minus the loss half way, if it was "
                "learned), a bound that no permutation exceeds, the worst of the ascents with "
                "different orders of visits, what the identity and a random element reach, the "
                "margins by which units are matched, and the distance between the two networks "
                "before and after. The objective is not the barrier: the closest weights need not "
                "give the lowest path. Margins near zero tell of other matches that are as good."
            },
        )
    ]


def _headline(methods: tuple[Method, ...], chord: pa.Table, profile: pa.Table) -> pa.Table:
    rows = []
    for method in methods:
        row: dict[str, str | float] = {"method": method}
        for split in ("train", "test"):
            barriers = where(chord, method=method, split=split)
            value = numbers(barriers, "value").mean()
            lowest, highest = ("low", "high") if len(barriers) == 1 else ("value", "value")
            low, high = numbers(barriers, lowest).min(), numbers(barriers, highest).max()
            row[f"{split} barrier"] = f"{value:.3f} [{low:.3f}, {high:.3f}]"
        accuracy = where(profile, method=method, split="test", metric="accuracy")
        row["lowest accuracy"] = round(float(numbers(accuracy, "value").min()), 4)
        row["end accuracy"] = round(float(numbers(_ends(accuracy), "value").mean()), 4)
        rows.append(row)
    return pa.Table.from_pylist(rows)


def _statistics_note(profile: pa.Table) -> str:
    if profile["normaliser"][0].as_py() == "recompute":
        return "BatchNorm statistics are recomputed on training examples at every point."
    return "The network has no normaliser with running statistics."


def _ends(profile: pa.Table) -> pa.Table:
    return profile.filter(pc.field("t").isin([0.0, 1.0]))
