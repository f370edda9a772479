"""Are independently trained networks joined by a straight line, once their symmetry is taken out?

Seeds of one architecture are trained on the same data. On the line between two of them the loss
rises to a hump: the barrier. Hidden units carry no names, so the second network can be replaced by
any permutation of itself that computes the same function; the study asks how much of the barrier
is left on the line to the best one (Entezari et al., ICLR 2022, conjecture 1; Ainsworth et al.,
*Git Re-Basin*, ICLR 2023, figure 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from experiments._shared.controls import alignment_claims, random_claims
from experiments._shared.lines import check_pairs, line_stages, network_and_data
from mconn import align
from mconn.checks import check_choice
from mconn.experiment import (
    Claim,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    band_meaning,
    barrier_bars,
    claims,
    frame,
    gather,
    profile_figure,
    where,
)
from mconn.training import TrainConfig

Method = Literal["naive"] | align.Method
METHODS: tuple[Method, ...] = ("naive", *align.METHODS)
CAPTIONS = {
    "barriers": "Chord barrier of the loss. Bars are means over pairs; dots are single pairs with "
    "their 95 % bootstrap interval over examples. A maximum of noisy means is biased upwards: a "
    "barrier that is not large against its interval is smaller than it looks.",
    "estimates": "Every kind of barrier of every pair, with its paired standard error and 95 % "
    "interval over examples.",
    "profile": "All points of all curves.",
    "matches": "What each alignment maximised (minus the loss half way, if it was learned), a "
    "bound that no permutation exceeds, the worst of the ascents with different orders of visits, "
    "what the identity and a random element reach, the margins by which units are matched, and the "
    "distance between the two networks before and after. The objective is not the barrier: the "
    "closest weights need not give the lowest path. Margins near zero tell of other matches that "
    "are as good.",
    "history": "Loss and accuracy of each epoch, as means over its batches while they were trained "
    "on.",
}


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
        check_pairs(self.train)

    def stages(self) -> dict[str, Stage]:
        """Train, an alignment for every method but ``naive``, and a sweep for every method."""
        return line_stages(self.train, self.methods, self.points)

    def report(self, results: Mapping[str, Result]) -> Report:
        """The curves, the barriers, and whether the expected order came out."""
        profile, barriers = frame(results, "profile"), frame(results, "barriers")
        chord = barriers.query("kind == 'chord' and metric == 'loss'")
        shown = [method for method in self.methods if method != "random"]
        sweeps = {method: results[f"sweep {method}"] for method in shown}
        drawn = gather(sweeps, "profile")
        bars = where(gather(sweeps, "barriers"), kind="chord", metric="loss")
        aligned = [result for name, result in results.items() if name.startswith("align ")]
        pairs, train = chord.pair.nunique(), chord.query("split == 'train'")
        means = train.groupby("method").value.mean()
        along = "Loss and accuracy on the line between two seeds, from the one at t = 0 to the one "
        along += f"at t = 1, at {self.points} points. {band_meaning(drawn)}"
        spread = "as mean over pairs of seeds with the lowest and the highest pair"
        if pairs == 1:
            spread = "of one pair of seeds with its 95 % bootstrap interval over examples"
        statistics = "The network has no normaliser with running statistics."
        if profile.normaliser.iloc[0] == "recompute":
            statistics = "BatchNorm statistics are recomputed on training examples at every point."
        tables = {"estimates": barriers, "profile": profile}
        history = {"history": results["train"].tables["history"]}
        profiles, bars = {"profile": profile_figure(drawn)}, {"barriers": barrier_bars(bars)}
        return Report(
            title=f"{network_and_data(self.train)}: the line between trained networks",
            question=f"{len(self.train.seeds)} networks were trained from different seeds. How "
            "high is the loss barrier on the straight line between two of them, and how much is "
            "left once the hidden units of one are permuted to match the other?",
            summary=f"train barrier {', '.join(f'{m} {means[m]:.3g}' for m in self.methods)} nats "
            f"({pairs} {'pair' if pairs == 1 else 'pairs'})",
            headline=[_headline(m, chord, profile) for m in self.methods],
            note="The second network of a pair is left as it is (naive), permuted to match the "
            "first one by the named method, or permuted at random (the control). Chord barrier: "
            "the largest height of the loss above the straight line through the ends' losses, in "
            f"nats per example, {spread}. Accuracies are on the test split: the lowest on any "
            f"line, and the mean of the ends. No augmentation. {statistics}",
            sections=[
                Section("Along the line", "", profiles, {}, {"profile": along}),
                Section("Barriers", "", bars, tables, CAPTIONS),
                *_alignment_section(results, aligned),
                Section("Training", "", {}, history, CAPTIONS),
            ],
            claims=[
                *self._order_claims(chord),
                *self._expected_claims(train),
                *self._accuracy_claims(profile),
                *alignment_claims(aligned),
                *random_claims(means),
            ],
        )

    def _order_claims(self, chord: Frame) -> list[Claim]:
        order = [m for m in ("naive", "weights", "activations") if m in self.methods]
        told = f"barrier falls in the order {' > '.join(order)}, for every pair"
        by = chord.pivot(index=["split", "pair"], columns="method", values="value")[order]
        given: Any = {"falling": True}
        given["source"] = "Ainsworth et al. 2023, figure 2; Jordan et al. 2023"
        return [
            claims.ordered(f"order/{split}", f"the {split} {told}", by.loc[split], **given)
            for split in (("train", "test") if len(order) > 1 else ())
        ]

    def _expected_claims(self, train: Frame) -> list[Claim]:
        return [
            claims.near(
                f"barrier/{method}",
                f"mean train barrier, {method}",
                train[train.method == method].value,
                expected,
                source=self.expected_source,
                relative=0.4,
                over="pairs",
            )
            for method, expected in self.expected
            if method in self.methods
        ]

    def _accuracy_claims(self, profile: Frame) -> list[Claim]:
        if self.end_accuracy is None:
            return []
        told, ends = "every trained network generalises", profile[profile.split == "test"]
        least = _ends(ends[ends.metric == "accuracy"]).min()
        given: Any = {"of": "test accuracy", "source": "this study"}
        return [claims.at_least("end-accuracy", told, least, self.end_accuracy, **given)]


def _alignment_section(results: Mapping[str, Result], aligned: list[Result]) -> list[Section]:
    told = "The symmetry was discovered from the network's jaxpr and certified.\n\n"
    matches = {"matches": gather(results, "matches")}
    return [
        Section("Alignment", told + each.facts["symmetry"], {}, matches, CAPTIONS)
        for each in aligned[:1]
    ]


def _headline(method: str, chord: Frame, profile: Frame) -> dict[str, str | float]:
    row: dict[str, str | float] = {"method": method}
    for split in ("train", "test"):
        found = chord[(chord.method == method) & (chord.split == split)]
        low, high = (found.low, found.high) if len(found) == 1 else (found.value, found.value)
        row[f"{split} barrier"] = f"{found.value.mean():.3f} [{low.min():.3f}, {high.max():.3f}]"
    test = profile[(profile.method == method) & (profile.split == "test")]
    accuracy = test[test.metric == "accuracy"]
    row["lowest accuracy"] = round(float(accuracy.value.min()), 4)
    row["end accuracy"] = round(float(_ends(accuracy).mean()), 4)
    return row


def _ends(profile: Frame) -> Frame:
    return profile[profile.t.isin([0.0, 1.0])].value
