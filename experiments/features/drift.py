"""What do the layers of a network half way between two others compute?

One guess is a rotation: the features at every point of a path of low loss are those of its end in
another orthonormal basis. They are not. Layer by layer they are close to the *blend* of the ends'
features (Zhou et al., *Going beyond linear mode connectivity*, NeurIPS 2023, figure 2), and a blend
loses variance, which no rotation does. The study follows the features along the lines between
seeds, aligned and not; compares networks with permuted copies of themselves; measures how far
layers are from affine maps; and looks at what the networks along lines and curves answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from experiments._shared.controls import certificate_claims
from experiments.features.drift_claims import (
    MATCHED,
    NAIVE,
    RANDOM,
    Expected,
    at,
    average_claim,
    condition_claims,
    connectivity_claims,
    copy_claims,
    coupling_claims,
    expected_claims,
    fitted_claims,
    linearity_claims,
    output_claims,
    random_control,
)
from experiments.features.drift_figures import (
    copy_figure,
    cosine_figure,
    coupling_figure,
    linearity_figure,
    output_figure,
)
from experiments.features.drift_stages import FeatureDrift, LayerLinearity, OutputsAlong
from experiments.features.permuted_copies import PermutedCopies
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage, frame
from mconn.experiment.stages import Align, Connect, Sweep, Train
from mconn.paths import FitConfig
from mconn.training import TrainConfig

METHODS = (NAIVE, MATCHED, RANDOM)


@dataclass(frozen=True)
class Drift(Experiment):
    """Features and outputs along the paths between seeds.

    Attributes:
        train: the networks.
        fit: of the Bezier curves between them.
        points: equispaced points on each path, an odd number.
        expected: measured values half way.
        converged: whether networks and curves are trained long enough for claims that need it.
    """

    train: TrainConfig
    fit: FitConfig
    points: int = 11
    expected: tuple[Expected, ...] = ()
    converged: bool = True

    def __post_init__(self) -> None:
        if len(self.train.seeds) < 2:
            raise ConfigError(f"seeds are {self.train.seeds}: a line needs two networks")

    def stages(self) -> dict[str, Stage]:
        """Training, alignments, curves, and what is measured along the paths."""
        train = Train(self.train)
        aligned = {
            NAIVE: None,
            MATCHED: Align(train, "activations"),
            RANDOM: Align(train, "random"),
        }
        curve = Connect(train, self.fit)
        stages: dict[str, Stage] = {"train": train, "curves": curve}
        for method, align in aligned.items():
            if align is not None:
                stages[f"align {method}"] = align
            stages[f"sweep {method}"] = Sweep(train, align, self.points)
            stages[f"drift {method}"] = FeatureDrift(train, align, self.points)
            stages[f"outputs {method}"] = OutputsAlong(train, align, points=self.points)
        stages["sweep bezier"] = Sweep(train, points=self.points, curve=curve)
        stages["outputs bezier"] = OutputsAlong(train, curve=curve, points=self.points)
        stages["copies"] = PermutedCopies(train)
        stages["linearity"] = LayerLinearity(train)
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """The residuals by layer, the copies, the outputs, and what they refute."""
        coupling, conditions, cosines, outputs, energies, barriers = (
            frame(results, name)
            for name in ("coupling", "conditions", "cosines", "outputs", "energies", "barriers")
        )
        similarities, copies, heights, linearity = (
            frame(results, name)
            for name in ("similarities", "copies", "copy_barriers", "linearity")
        )
        chord = barriers[(barriers.kind == "chord") & (barriers.metric == "loss")]
        seen = results[f"drift {NAIVE}"].facts["examples"]
        tested = results[f"outputs {NAIVE}"].facts["examples"]
        pairs = coupling["pair"].nunique()
        here = at(coupling, MATCHED)
        last = 100 * here.loc[here.index[-1][0]].select_dtypes("number").mean()
        model, name = self.train.model, self.train.data.name
        aligned = [results[f"align {method}"] for method in (MATCHED, RANDOM)]
        return Report(
            title=f"Features along paths: MLP {model.depth} x {model.width} on {name}",
            question="Half way between two trained networks, are the features of a layer those of "
            "an end in another basis, or the blend of both ends' features? And what do the "
            "networks there answer?",
            summary="half way between aligned networks the ends' features of the last layer leave "
            f"{last['drift']:.1f} % unexplained as they are, "
            f"{last['rotation_residual']:.1f} % rotated, "
            f"{last['blend_residual']:.1f} % blended",
            headline=self.headline(coupling, chord),
            note="At t = 1/2 if not said otherwise, means over "
            f"{pairs} {'pair' if pairs == 1 else 'pairs'} of seeds. Shares of the sum of squares "
            f"of a layer's features on {seen} training examples, uncentred, that are not "
            "explained by the first end's features as they are (drift), by their best rotation "
            "(rotation), or by the best multiple c of the blend of both ends' (blend). Variance "
            "over the mean of the ends'. Chord barrier of the training loss in nats. The second "
            "network is left as it is (naive), matched by its activations, or permuted at random "
            "(the control). No augmentation.",
            sections=[
                Section(
                    "Layers along the line",
                    figures={
                        "coupling": coupling_figure(coupling),
                        "cosines": cosine_figure(cosines),
                    },
                    tables={
                        "coupling": coupling,
                        "conditions": conditions,
                    },
                    captions={
                        "coupling": "What is left of a layer's features unexplained, on a "
                        "logarithmic scale; means over pairs. A rotation explains the other end "
                        "equally well whether the networks are aligned or not.",
                        "cosines": "Half way, 1 - cos of every example's features to the blend of "
                        "the ends' features, against 1 - cos between the ends, for the first "
                        "pair. Below the diagonal the blend is the better description.",
                        "conditions": "Distances from the two conditions of Zhou et al.'s theorem "
                        "1: of the nonlinearity of blended pre-activations from the blend, half "
                        "way, and of commutativity. The first layer commutes exactly, for it "
                        "reads the inputs.",
                    },
                ),
                Section(
                    "Permuted copies",
                    figures={"copies": copy_figure(similarities, copies)},
                    tables={"similarities": similarities, "copy_barriers": heights},
                    captions={
                        "copies": "Left: the largest principal angle between the ten leading "
                        "directions of the features of a network and of its permuted copy, which "
                        "computes the same. Dots are seeds. Right: training loss on the line to "
                        "the copy, and to the copy moved back by matching activations.",
                    },
                ),
                Section(
                    "Affine layers",
                    figures={"linearity": linearity_figure(linearity)},
                    tables={"linearity": linearity},
                    captions={
                        "linearity": "Squared second difference of the features over the squared "
                        "first difference, between pairs of training examples; a step of 1 spans "
                        "the pair. Means over seeds. An affine map has none; what is below 1e-6 is "
                        "drawn there."
                    },
                ),
                Section(
                    "Outputs",
                    figures={"outputs": output_figure(outputs)},
                    tables={"outputs": outputs, "energies": energies, "barriers": chord},
                    captions={
                        "outputs": f"On {tested} test examples, means over pairs. Ensembles "
                        "average the probabilities of the first end and of the point, against the "
                        "better of the two. Calibration: ECE with 15 bins of equal width; thin "
                        "lines are what perfectly calibrated networks of the same confidences "
                        "would show on so few examples. Bands are two standard errors over "
                        "examples.",
                        "energies": "Sum over steps of the Jensen-Shannon divergence (nats); the "
                        "motion it estimates, and the least for these ends (their squared "
                        "Fisher-Rao distance).",
                    },
                ),
            ],
            claims=[
                *expected_claims(coupling, self.expected),
                *connectivity_claims(coupling),
                *coupling_claims(coupling, chord),
                *condition_claims(conditions),
                *copy_claims(similarities, heights),
                *linearity_claims(linearity),
                *output_claims(energies),
                *((average_claim(outputs),) if self.converged else ()),
                *(fitted_claims(outputs, energies) if self.converged else ()),
                random_control(coupling),
                *certificate_claims(aligned),
            ],
        )

    def headline(self, coupling: Frame, chord: Frame) -> Frame:
        """A row per method and layer."""
        measures = {
            "drift": "drift",
            "rotation_residual": "rotation",
            "blend_residual": "blend",
            "coefficient": "c",
            "variance_ratio": "variance",
        }
        height = chord[chord.split == "train"].groupby("method")["value"].mean()
        rows = []
        for method in METHODS:
            half, end = (at(coupling, method, t).groupby("layer") for t in (0.5, 1))
            row = half[list(measures)].mean().rename(columns=measures)
            row["rotation, t = 1"] = end["rotation_residual"].mean()
            row["train barrier"] = height[method]
            rows.append(row.round(3).reset_index().assign(method=method))
        table = pd.concat(rows, ignore_index=True)
        return table[["method", *table.columns.drop("method")]]
