"""What do normalisers need between aligned networks? New statistics, or a repair of every unit.

BatchNorm keeps running statistics, and the mixture of two networks' fits neither: with statistics
measured anew the variance of every unit is restored. LayerNorm has no statistics to measure anew,
and normalises a layer as a whole only; REPAIR restores its units one by one (Jordan et al.,
*REPAIR*, ICLR 2023, sections 4.1 and 4.2, figure 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

import pandas as pd

from experiments.collapse.figures import midpoint_figure
from experiments.collapse.sweep import RepairedSweep, Treatment, alignments, method_name
from experiments.collapse.tables import (
    Variant,
    accuracy_claims,
    control_claims,
    half_way,
    headline,
    order_claim,
)
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    frame,
)
from mconn.experiment.stages import Train
from mconn.models import Normaliser
from mconn.training import TrainConfig

CORRECTIONS: dict[Normaliser, Treatment] = {"none": "REPAIR", "batch": "reset", "layer": "REPAIR"}
TITLES: dict[Normaliser, str] = {
    "none": "no normaliser",
    "batch": "BatchNorm",
    "layer": "LayerNorm",
}
BARS = (
    "naive",
    "naive + correction",
    "activations",
    "activations + correction",
    "random + correction",
)
PAPER = "Jordan et al. 2023"


@dataclass(frozen=True)
class NormaliserRepair(Experiment):
    """One architecture with several normalisers: half way between seeds, with a correction or not.

    Attributes:
        train: the networks; the model's normaliser is replaced by each of ``normalisers``.
        normalisers: ``batch``, ``layer`` or ``none``.
        points: equispaced points on each line.
        statistics_examples: training examples that statistics are measured on.
        examples: the largest number of examples of each split to evaluate on.
        expected: published test accuracies half way (%), as (normaliser, variant, accuracy).
        expected_source: where they were published.
    """

    train: TrainConfig
    normalisers: tuple[Normaliser, ...] = ("batch", "layer")
    points: int = 3
    statistics_examples: int = 1000
    examples: int = 10_000
    expected: tuple[tuple[Normaliser, Variant, float], ...] = ()
    expected_source: str = ""

    def __post_init__(self) -> None:
        for normaliser in self.normalisers:
            check_choice("normaliser", normaliser, get_args(Normaliser))
        if len(self.train.seeds) < 2:
            raise ConfigError(f"seeds are {self.train.seeds}: a line needs two networks")

    def stages(self) -> dict[str, Stage]:
        """Training, the alignments, and a sweep for every variant, for every normaliser."""
        stages: dict[str, Stage] = {}
        for normaliser in self.normalisers:
            model = self.train.model.clone(normaliser=normaliser)
            train = Train(replace(self.train, model=model))
            aligned = alignments(train)
            stages[f"{normaliser} train"] = train
            stages |= {f"{normaliser} align {m}": a for m, a in aligned.items() if a is not None}
            for alignment, treatment in variants(normaliser):
                stages[f"{normaliser} {method_name(alignment, treatment)}"] = RepairedSweep(
                    train,
                    aligned[alignment],
                    treatment,
                    self.points,
                    self.statistics_examples,
                    self.examples,
                )
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """The accuracies half way, and whether the corrections raise them."""
        of: dict[Normaliser, dict[str, Result]] = {
            each: {name: result for name, result in results.items() if name.startswith(each)}
            for each in self.normalisers
        }
        profiles, barriers, ratios = (
            {each: frame(chosen, table) for each, chosen in of.items()}
            for table in ("profile", "barriers", "ratios")
        )
        model, data = self.train.model, self.train.data
        methods = {each: [method_name(*variant) for variant in variants(each)] for each in of}
        shown = pd.concat(
            headline(profiles[each], barriers[each], ratios[each], methods[each]).assign(
                normaliser=TITLES[each]
            )
            for each in of
        )
        shown.insert(0, "normaliser", shown.pop("normaliser"))
        name = f"{type(model).__name__} of width {model.width} on {data.name}"
        return Report(
            title=f"Normalisers between aligned networks: {name}",
            question="What has to be done to a network half way between two aligned ones, with "
            "BatchNorm and with LayerNorm, so that it is about as good as they are?",
            summary="test accuracy half way "
            + "; ".join(
                f"{TITLES[each]} "
                + ", ".join(
                    f"{m} {100 * half_way(profiles[each], m, 'accuracy').mean():.1f} %"
                    for m in methods[each][2:4]
                )
                for each in of
            ),
            headline=shown,
            note="Half way between two seeds, on the test split, means over pairs. The second "
            "network is left as it is (naive), permuted to match the first one's activations, or "
            "permuted at random (the control). Reset: BatchNorm statistics are measured anew on "
            f"{self.statistics_examples} training examples; REPAIR: every unit behind a "
            "normaliser, or behind a bias, gets the mixture of the means and of the standard "
            "deviations that it has at the ends. Variance: that of a generator's units before "
            "their nonlinearity over the mean of the ends', averaged over the values of a stream. "
            "Chord barrier in nats per example. No augmentation.",
            sections=[
                Section(
                    "Half way",
                    figures={
                        "midpoints": midpoint_figure(
                            [(TITLES[each], profiles[each], bars(methods[each])) for each in of]
                        )
                    },
                    tables={
                        table: pd.concat(named[each].assign(normaliser=each) for each in of)
                        for table, named in (
                            ("profile", profiles),
                            ("barriers", barriers),
                            ("ratios", ratios),
                        )
                    },
                    captions={
                        "midpoints": "Test accuracy half way; the correction is new statistics "
                        "for BatchNorm, and REPAIR otherwise. Bars are means over pairs, dots are "
                        "pairs, the line is the mean of the ends.",
                    },
                ),
                *(
                    Section(
                        f"Layers, {TITLES[each]}",
                        text=results[f"{each} {methods[each][0]}"].facts["layers"],
                    )
                    for each in of
                ),
            ],
            claims=[
                claim
                for each in of
                for claim in claims.each_with(
                    each,
                    (
                        *claims_of(each, profiles[each], methods[each]),
                        *accuracy_claims(
                            profiles[each],
                            [(v, accuracy) for n, v, accuracy in self.expected if n == each],
                            f"{self.expected_source}, {TITLES[each]}",
                            5,
                        ),
                        *control_claims(of[each], profiles[each]),
                    ),
                )
            ],
        )


def bars(methods: list[str]) -> dict[str, str]:
    """The labels of the figure, with the methods of one normaliser that they stand for."""
    return dict(zip(BARS, methods, strict=False))


def variants(normaliser: Normaliser) -> list[Variant]:
    """Both alignments without and with the correction, a random one with it, and REPAIR."""
    correction = CORRECTIONS[normaliser]
    found: list[Variant] = [
        ("naive", "none"),
        ("naive", correction),
        ("activations", "none"),
        ("activations", correction),
        ("random", correction),
    ]
    return found if correction == "REPAIR" else [*found, ("activations", "REPAIR")]


def claims_of(normaliser: Normaliser, profile: Frame, methods: list[str]) -> list[Claim]:
    """The correction helps aligned networks, helps no others as much, and is one for BatchNorm."""
    naive, corrected, aligned, both, random = methods[:5]
    title = TITLES[normaliser]
    found = [
        order_claim(profile, (aligned, both), f"{PAPER}, figure 4; {title}"),
        order_claim(profile, (naive, aligned), f"this study; {title}"),
        order_claim(profile, (corrected, both), f"control; {title}"),
        order_claim(profile, (random, both), f"control; {title}"),
    ]
    if normaliser != "batch":
        return found
    reset, repaired = (100 * half_way(profile, m, "accuracy") for m in (both, methods[5]))
    told = "REPAIR of a network with BatchNorm does what new statistics do"
    apart, source = abs(reset - repaired), f"{PAPER}, section 3.2; {title}"
    of, unit = "difference of test accuracies half way", "points, for every pair"
    return [
        *found,
        claims.at_most("batch-norm-repair", told, apart, 2, of=of, unit=unit, source=source),
    ]
