"""Why do deep networks fail between their ends, even when aligned? Their activations lose variance.

The units of two networks agree only in part, so that a mixture of them varies less than they do.
Every layer loses some of what the layer before has left: after ten layers hardly anything of the
input is left. REPAIR gives every unit the mean and the standard deviation that it has at the ends
(Jordan et al., *REPAIR*, ICLR 2023, figures 1 and 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from experiments.collapse.figures import midpoint_figure, ratio_figure
from experiments.collapse.sweep import RepairedSweep, alignments, method_name
from experiments.collapse.tables import (
    Variant,
    accuracy_claims,
    control_claims,
    half_way,
    headline,
    order_claim,
    ratio_by_layer,
)
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    band_meaning,
    claims,
    frame,
    profile_figure,
)
from mconn.experiment.stages import Train
from mconn.training import TrainConfig

VARIANTS: tuple[Variant, ...] = (
    ("naive", "none"),
    ("activations", "none"),
    ("activations", "closed form"),
    ("activations", "REPAIR"),
    ("naive", "REPAIR"),
    ("random", "REPAIR"),
)
METHODS = tuple(method_name(*variant) for variant in VARIANTS)
NAIVE, ALIGNED, CLOSED, REPAIRED = METHODS[:4]
CONTROLS = METHODS[4:]
PAPER = "Jordan et al. 2023"
FIGURE = f"{PAPER}, figure 1"


@dataclass(frozen=True)
class VarianceCollapse(Experiment):
    """Variance and accuracy half way between a shallow and a deep network's seeds.

    Attributes:
        train: the deep networks.
        shallow: the shallow ones, for which variance ratios were measured before.
        points: equispaced points on each line.
        statistics_examples: training examples that statistics are measured on.
        ratios: measured variance ratios of the shallow networks, as (method, layer, ratio).
        expected: published test accuracies of the deep networks half way (%), by variant.
        expected_source: where they were published.
    """

    train: TrainConfig
    shallow: TrainConfig
    points: int = 11
    statistics_examples: int = 5000
    ratios: tuple[tuple[str, int, float], ...] = ()
    expected: tuple[tuple[Variant, float], ...] = ()
    expected_source: str = ""

    def __post_init__(self) -> None:
        for config in (self.train, self.shallow):
            if len(config.seeds) < 2:
                raise ConfigError(f"seeds are {config.seeds}: a line needs two networks")

    def stages(self) -> dict[str, Stage]:
        """Training, the alignments, and a sweep for every variant, for both depths."""
        stages: dict[str, Stage] = {}
        for depth, config in (("shallow", self.shallow), ("deep", self.train)):
            train = Train(config)
            aligned = alignments(train)
            stages[f"{depth} train"] = train
            stages |= {f"{depth} align {m}": a for m, a in aligned.items() if a is not None}
            for method, (alignment, treatment) in zip(METHODS, VARIANTS, strict=True):
                stages[f"{depth} {method}"] = RepairedSweep(
                    train,
                    aligned[alignment],
                    treatment,
                    self.points,
                    self.statistics_examples,
                )
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """The ratios against depth, the accuracies, and whether they are as published."""
        of = {
            depth: {name: each for name, each in results.items() if name.startswith(depth)}
            for depth in ("shallow", "deep")
        }
        profiles, barriers, ratios = (
            {depth: frame(chosen, table) for depth, chosen in of.items()}
            for table in ("profile", "barriers", "ratios")
        )
        names = {
            depth: f"{config.model.depth} x {config.model.width} on {config.data.name}"
            for depth, config in (("shallow", self.shallow), ("deep", self.train))
        }
        deep = profiles["deep"]
        kept = {m: float(half_way(deep, m, "accuracy").mean()) for m in METHODS}
        shown = [m for m in METHODS if m not in CONTROLS]
        drawn = pa.Table.from_pandas(deep[deep.method.isin(shown)], preserve_index=False)
        return Report(
            title=f"Variance collapse and REPAIR: MLP {names['deep']}",
            question="Why is the network half way between two aligned deep networks so much worse "
            "than they are, and is it mended by giving its units the variance that they have at "
            "the ends?",
            summary="test accuracy half way "
            + ", ".join(f"{m} {100 * kept[m]:.1f} %" for m in (NAIVE, ALIGNED, REPAIRED)),
            headline=headline(deep, barriers["deep"], ratios["deep"], METHODS),
            note=f"Half way between two seeds of the deep network ({names['deep']}), on the test "
            "split, means over pairs. The second network is left as it is (naive), permuted to "
            "match the first one's activations, or permuted at random (the control). Variance: "
            "that of the pre-activations of a layer on training examples, summed over units, over "
            "the mean of the ends'; after REPAIR slightly below 1, because not variances but "
            "standard deviations are mixed. Chord barrier in nats per example. No augmentation.",
            sections=[
                Section(
                    "Variance by layer",
                    figures={"ratios": ratio_figure([(names[d], ratios[d]) for d in of], shown)},
                    tables={"ratios": pd.concat(ratios.values())},
                    captions={
                        "ratios": "Variance of the pre-activations half way over the mean of the "
                        "ends', by hidden layer; means over pairs.",
                    },
                ),
                Section(
                    "Accuracy",
                    figures={
                        "midpoints": midpoint_figure(
                            [(names[d], profiles[d], {m: m for m in METHODS}) for d in of]
                        ),
                        "profile": profile_figure(drawn),
                    },
                    tables={"profile": deep, "barriers": barriers["deep"]},
                    captions={
                        "midpoints": "Test accuracy half way. Bars are means over pairs, dots are "
                        "pairs, the line is the mean of the ends. A repair alone, without an "
                        "alignment or with a random one, is the control.",
                        "profile": f"The deep networks along the line. {band_meaning(drawn)}",
                    },
                ),
                Section("Repaired layers", text=results[f"deep {REPAIRED}"].facts["layers"]),
            ],
            claims=[
                *self.ratio_claims(ratios),
                order_claim(deep, (NAIVE, ALIGNED, REPAIRED), f"{PAPER}, figure 3"),
                *(order_claim(deep, (each, REPAIRED), "control") for each in CONTROLS),
                *accuracy_claims(deep, self.expected, self.expected_source, 5),
                *claims.each_with("shallow", control_claims(of["shallow"], profiles["shallow"])),
                *claims.each_with("deep", control_claims(of["deep"], deep)),
            ],
        )

    def ratio_claims(self, ratios: Mapping[str, Frame]) -> list[Claim]:
        """The measured ratios, that they fall with depth, and that the repair restores them."""
        deep = {method: ratio_by_layer(ratios["deep"], method) for method in (NAIVE, ALIGNED)}
        repaired = {depth: table[table.method == REPAIRED] for depth, table in ratios.items()}
        return [
            *(
                claims.near(
                    f"ratio/layer {layer}/{method}",
                    f"variance ratio of layer {layer}, {method}, shallow network",
                    ratio_by_layer(ratios["shallow"], method)[layer - 1],
                    expected,
                    source="pilots of this project",
                    relative=0.4,
                )
                for method, layer, expected in self.ratios
            ),
            *(
                claims.at_most(
                    f"ratio-falls/{method}",
                    f"the variance ratio falls with depth, {method}, deep network",
                    kept[-1],
                    kept[0],
                    strict=True,
                    of="ratio of the last layer",
                    unit="of the first",
                    source=FIGURE,
                )
                for method, kept in deep.items()
            ),
            claims.between(
                "restored-variance",
                "REPAIR restores the mean variance of the ends in both layers, shallow network",
                repaired["shallow"].ratio,
                0.95,
                1.05,
                source=FIGURE,
            ),
            *(
                claims.between(
                    f"goal/{depth}",
                    f"REPAIR reaches its goal, the mixed standard deviation, in every layer of "
                    f"every pair, {depth} network",
                    rows.of_goal,
                    0.99,
                    1.01,
                    source=FIGURE,
                )
                for depth, rows in repaired.items()
            ),
        ]
