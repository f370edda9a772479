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

from mconn import diagnostics
from mconn.diagnostics import MATCHED, NAIVE, SAMPLE_SPACE, SIMILARITY
from mconn.errors import ConfigError
from mconn.experiment import (
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    diagnostics_figure,
)
from mconn.experiment.stages import Watch
from mconn.training import TrainConfig

AINSWORTH = "Ainsworth et al. 2023, figure 3"
TABLE = "diagnostics"
CAPTIONS = {
    TABLE: "Lines are means over pairs (or over networks, from the start), bands reach from the "
    "lowest to the highest. Sample space: angles between what the examples are along each "
    "network's own directions, which a permutation of units leaves as they are. Neuron space: the "
    "turn of those directions themselves, of every network from its own start."
}


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
        barrier, similar = diagnostics.RunningBarrier(self.points), diagnostics.ReferenceSimilarity
        measures = (barrier, similar(), diagnostics.SubspaceAngles(diagnostics.Classes()))
        return {"watch": Watch(self.train, measures, self.every, self.examples)}

    def report(self, results: Mapping[str, Result]) -> Report:
        """What was tracked, and whether the features told of the barrier."""
        table = results["watch"].frame(TABLE)
        drawn = diagnostics_figure(results["watch"].tables[TABLE])
        layer = [name for name in table.layer if name][-1]
        angle = trajectory(table, f"{SAMPLE_SPACE}: classes", layer)
        similar = trajectory(table, SIMILARITY, layer)
        naive, matched = trajectory(table, NAIVE), trajectory(table, MATCHED)
        tracked = {"naive barrier": naive, "matched barrier": matched, "CKA": similar}
        tracked["angle (°)"] = angle
        means = {name: values.mean(axis=0) for name, values in tracked.items()}
        epochs = np.unique(table.epoch)
        chosen = sorted({0, 1, len(epochs) // 2, len(epochs) - 1})
        return Report(
            title=f"Watched training: {type(self.train.model).__name__} on {self.train.data.name}",
            question="While several seeds are trained, do the angles between their attribute "
            "subspaces, or the similarity of their features, tell of the barrier between them?",
            summary=f"while the barrier rises from {naive[:, 0].mean():.2g} to "
            f"{naive[:, -1].mean():.2g} nats (matched {matched[:, -1].mean():.2g}), the angle "
            f"between seeds falls from {angle[:, 0].mean():.0f}° to {angle[:, -1].mean():.0f}° "
            f"and the similarity is {similar[:, -1].mean():.2f} ({len(naive)} pairs)",
            headline=[
                {"epoch": int(epochs[at])}
                | {name: round(float(values[at]), 3) for name, values in means.items()}
                for at in chosen
            ],
            note=f"Means over {len(naive)} pairs of a seed with the first one, on the first "
            f"{self.examples} training examples: chord barrier of the loss on {self.points} points "
            "(nats), as they are and with the weights of one matched; debiased linear CKA and the "
            "largest principal angle, in sample space, between the subspaces of the class means, "
            f"both of {layer} after its nonlinearity.",
            sections=[
                Section("Tracked during training", "", {TABLE: drawn}, {TABLE: table}, CAPTIONS)
            ],
            claims=[
                claims.share_of(
                    "naive-barrier-rises",
                    "the naive barrier between seeds rises during training",
                    naive[:, -1] / np.maximum(naive[:, 0], 1e-6),
                    1,
                    least=3,
                    of="the first, every pair",
                    source=AINSWORTH,
                ),
                claims.share_of(
                    "matched-barrier-returns",
                    "the matched barrier rises and falls again during training",
                    means["matched barrier"][-1] / means["matched barrier"].max(),
                    1,
                    most=0.5,
                    of="the largest, on the mean",
                    source=AINSWORTH,
                ),
                alarm_claim("the angle between attribute subspaces, in sample space", angle, naive),
                alarm_claim("dissimilarity (1 - CKA)", 1 - similar, naive),
                claims.at_least(
                    "features-alike",
                    "features are alike at the end although the naive barrier is high",
                    np.minimum(similar[:, -1] / 0.6, naive[:, -1] / 0.3),
                    1,
                    of="CKA over .6 and naive barrier over .3, every pair,",
                    source="science notes of this project, section 6, item 3",
                ),
            ],
        )


def trajectory(table: Frame, quantity: str, layer: str = "") -> np.ndarray:
    """A quantity over the measured epochs, a row per pair."""
    rows = table[(table.quantity == quantity) & (table.layer == layer)]
    return np.array([part.value for _, part in rows.groupby("networks", sort=False)])


def alarm_claim(name: str, alarm: np.ndarray, barrier: np.ndarray) -> claims.Claim:
    """A quantity rises with the barrier, by their rank correlation over epochs."""
    from scipy.stats import spearmanr

    found = [
        float(np.asarray(spearmanr(a, b))[0]) if np.ptp(a) and np.ptp(b) else 0.0
        for a, b in zip(alarm, barrier, strict=True)
    ]
    statement = f"{name} flags the rising barrier between seeds"
    of, source = "rank correlation with the naive barrier over epochs", "notes, open direction 3"
    return claims.at_least(f"alarm/{name}", statement, found, 0.5, of=of, source=source)
