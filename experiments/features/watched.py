"""Do features tell, while networks are trained, that a barrier rises between them?

Principal angles of attribute subspaces and the similarity of representations are proposed as
alarms: let them drift apart, and the networks part. Seeds of one architecture are watched from
their initialisation on. The angle in sample space and the similarity say what two networks have in
common as functions of the examples; the barrier on the straight line depends on the order of their
units as well, which neither can see.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mconn import diagnostics
from mconn.diagnostics import MATCHED, NAIVE, SAMPLE_SPACE, SIMILARITY
from mconn.errors import ConfigError
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage
from mconn.experiment.diagnostic_figures import diagnostics_figure
from mconn.experiment.stages import Watch
from mconn.experiment.tables import numbers, where
from mconn.training import TrainConfig

NOTES = "notes of this project, open direction 3"


@dataclass(frozen=True)
class WatchedTraining(Experiment):
    """Train seeds, and watch their features and the barriers between them.

    Attributes:
        train: the networks; the first seed is the reference of all others.
        every: epochs between measurements.
        points: points on every line.
        examples: training examples on which all is measured.
    """

    train: TrainConfig
    every: int = 1
    points: int = 11
    examples: int = 1000

    def __post_init__(self) -> None:
        if len(self.train.seeds) < 2:
            raise ConfigError(f"seeds are {self.train.seeds}: two networks are compared, train two")

    def stages(self) -> dict[str, Stage]:
        """One training."""
        measures = (
            diagnostics.RunningBarrier(self.points),
            diagnostics.ReferenceSimilarity(),
            diagnostics.SubspaceAngles(diagnostics.Classes()),
        )
        return {"watch": Watch(self.train, measures, self.every, self.examples)}

    def report(self, results: Mapping[str, Result]) -> Report:
        """What was tracked, and whether the features told of the barrier."""
        table = results["watch"].tables["diagnostics"]
        naive, matched = trajectory(table, NAIVE), trajectory(table, MATCHED)
        layer = [name for name in table["layer"].to_pylist() if name][-1]
        similarity = trajectory(table, SIMILARITY, layer)
        angle = trajectory(table, f"{SAMPLE_SPACE}: classes", layer)
        pairs = len(naive)
        return Report(
            title=f"Watched training: {type(self.train.model).__name__} on {self.train.data.name}",
            question="While several seeds are trained, do the angles between their attribute "
            "subspaces, or the similarity of their features, tell of the barrier between them?",
            summary=f"while the barrier rises from {naive[:, 0].mean():.2g} to "
            f"{naive[:, -1].mean():.2g} nats (matched {matched[:, -1].mean():.2g}), the angle "
            f"between seeds falls from {angle[:, 0].mean():.0f}° to {angle[:, -1].mean():.0f}° and "
            f"the similarity is {similarity[:, -1].mean():.2f} ({pairs} pairs)",
            headline=headline(table, layer),
            note=f"Means over {pairs} pairs of a seed with the first one, on the first "
            f"{self.examples} examples of the training split: chord barrier of the loss on "
            f"{self.points} points (nats per example), as they are and with the weights of one "
            f"matched; debiased linear CKA and the largest principal angle, in sample space, "
            f"between the subspaces of the class means, both of {layer} after its nonlinearity.",
            sections=[
                Section(
                    "Tracked during training",
                    figures={"diagnostics": diagnostics_figure(table)},
                    tables={"diagnostics": table},
                    captions={
                        "diagnostics": "Lines are means over pairs (or over networks, from the "
                        "start), bands reach from the lowest to the highest. Sample space: angles "
                        "between what the examples are along each network's own directions, which "
                        "a permutation of units leaves as they are. Neuron space: the turn of "
                        "those directions themselves, of every network from its own start."
                    },
                )
            ],
            claims=[
                Claim(
                    "the naive barrier between seeds rises during training",
                    "Ainsworth et al. 2023, figure 3",
                    "last at least 3 times the first, every pair",
                    f"{naive[:, 0].mean():.3g} to {naive[:, -1].mean():.3g}",
                    bool((naive[:, -1] >= 3 * np.maximum(naive[:, 0], 1e-6)).all()),
                    id="naive-barrier-rises",
                ),
                Claim(
                    "the matched barrier rises and falls again during training",
                    "Ainsworth et al. 2023, figure 3",
                    "last below half of the largest, on the mean",
                    f"{matched.mean(axis=0)[-1]:.3g} after {matched.mean(axis=0).max():.3g}",
                    bool(matched.mean(axis=0)[-1] < matched.mean(axis=0).max() / 2),
                    id="matched-barrier-returns",
                ),
                alarm_claim("the angle between attribute subspaces, in sample space", angle, naive),
                alarm_claim("dissimilarity (1 - CKA)", 1 - similarity, naive),
                Claim(
                    "features are alike at the end although the naive barrier is high",
                    "science notes of this project, section 6, item 3",
                    "CKA above .6 and naive barrier above .3, every pair",
                    f"CKA {similarity[:, -1].min():.2f}, barrier {naive[:, -1].min():.2f}",
                    bool(similarity[:, -1].min() > 0.6 and naive[:, -1].min() > 0.3),
                    id="features-alike",
                ),
            ],
        )


def trajectory(table: pa.Table, quantity: str, layer: str = "") -> np.ndarray:
    """A quantity over the measured epochs, a row per pair."""
    rows = where(table, quantity=quantity, layer=layer)
    pairs = list(dict.fromkeys(rows["networks"].to_pylist()))
    return np.array([numbers(where(rows, networks=pair), "value") for pair in pairs])


def alarm_claim(name: str, alarm: np.ndarray, barrier: np.ndarray) -> Claim:
    """The claim that a quantity rises with the barrier, by their rank correlation over epochs."""
    from scipy.stats import spearmanr

    found = [
        float(np.asarray(spearmanr(a, b))[0]) if np.ptp(a) and np.ptp(b) else 0.0
        for a, b in zip(alarm, barrier, strict=True)
    ]
    return Claim(
        f"{name} flags the rising barrier between seeds",
        NOTES,
        "rank correlation with the naive barrier over epochs at least .5, every pair",
        f"{min(found):.2f} to {max(found):.2f}",
        min(found) >= 0.5,
        id=f"alarm/{name}",
    )


def headline(table: pa.Table, layer: str) -> pa.Table:
    """Before, early in, and after the training."""
    names = {
        "naive barrier": trajectory(table, NAIVE),
        "matched barrier": trajectory(table, MATCHED),
        "CKA": trajectory(table, SIMILARITY, layer),
        "angle (°)": trajectory(table, f"{SAMPLE_SPACE}: classes", layer),
    }
    epochs = np.unique(numbers(table, "epoch"))
    chosen = sorted({0, 1, len(epochs) // 2, len(epochs) - 1})
    return pa.Table.from_pylist(
        [
            {"epoch": int(epochs[at])}
            | {name: round(float(values[:, at].mean()), 3) for name, values in names.items()}
            for at in chosen
        ]
    )
