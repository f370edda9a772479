"""Do features tell, while networks are trained, that a barrier rises between them?

Principal angles of attribute subspaces and the similarity of representations are proposed as
alarms. Seeds of one architecture are watched from their initialisation on. The angle in sample
space and the similarity say what two networks have in common as functions of the examples; the
barrier on the straight line depends on the order of their units as well, which neither can see.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mconn import diagnostics, experiment
from mconn.diagnostics import MATCHED, NAIVE, SAMPLE_SPACE, SIMILARITY
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage, claims
from mconn.experiment.stages import Watch
from mconn.training import TrainConfig

AINSWORTH, TABLE = "Ainsworth et al. 2023, figure 3", "diagnostics"
NOTES = "science notes of this project, section 6, item 3"
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
        figure = experiment.diagnostics_figure(results["watch"].tables[TABLE])
        layer = [name for name in table.layer if name][-1]
        wide = table.pivot_table("value", ["quantity", "layer", "networks"], "epoch")
        naive, matched = wide.loc[NAIVE, ""], wide.loc[MATCHED, ""]
        angle, similar = wide.loc[f"{SAMPLE_SPACE}: classes", layer], wide.loc[SIMILARITY, layer]
        tracked = {"naive barrier": naive, "matched barrier": matched, "CKA": similar}
        means = pd.DataFrame({k: v.mean() for k, v in {**tracked, "angle (°)": angle}.items()})
        chosen, first, last = {0, 1, len(means) // 2, len(means) - 1}, means.iloc[0], means.iloc[-1]
        return Report(
            title=f"Watched training: {type(self.train.model).__name__} on {self.train.data.name}",
            question="While several seeds are trained, do the angles between their attribute "
            "subspaces, or the similarity of their features, tell of the barrier between them?",
            summary=f"while the barrier rises from {first['naive barrier']:.2g} to "
            f"{last['naive barrier']:.2g} nats (matched {last['matched barrier']:.2g}), the angle "
            f"between seeds falls from {first['angle (°)']:.0f}° to {last['angle (°)']:.0f}° "
            f"and the similarity is {last['CKA']:.2f} ({len(naive)} pairs)",
            headline=means.iloc[sorted(chosen)].round(3).reset_index(),
            note=f"Means over {len(naive)} pairs of a seed with the first one, on the first "
            f"{self.examples} training examples: chord barrier of the loss on {self.points} points "
            "(nats), as they are and with the weights of one matched; debiased linear CKA and the "
            "largest principal angle, in sample space, between the subspaces of the class means, "
            f"both of {layer} after its nonlinearity.",
            sections=[
                Section("Tracked during training", "", {TABLE: figure}, {TABLE: table}, CAPTIONS)
            ],
            claims=judge(naive, matched.mean(), angle, similar),
        )


def judge(naive: Frame, matched: Frame, angle: Frame, similar: Frame) -> list[claims.Claim]:
    """The naive barrier rises, the matched one returns, and what told of it; a row per pair."""
    start, end = naive.iloc[:, 0].clip(lower=1e-6), naive.iloc[:, -1]
    alike = np.minimum(similar.iloc[:, -1] / 0.6, end / 0.3)
    told = "the naive barrier between seeds rises during training"
    back = "the matched barrier rises and falls again during training"
    both = "features are alike at the end although the naive barrier is high"
    high = "CKA over .6 and naive barrier over .3, every pair,"
    rise = {"least": 3, "of": "the first, every pair", "source": AINSWORTH}
    fall = {"most": 0.5, "of": "the largest, on the mean", "source": AINSWORTH}
    return [
        claims.share_of("naive-barrier-rises", told, end, start, **rise),
        claims.share_of("matched-barrier-returns", back, matched.iloc[-1], matched.max(), **fall),
        alarm_claim("the angle between attribute subspaces, in sample space", angle, naive),
        alarm_claim("dissimilarity (1 - CKA)", 1 - similar, naive),
        claims.at_least("features-alike", both, alike, 1, of=high, source=NOTES),
    ]


def alarm_claim(name: str, alarm: Frame, barrier: Frame) -> claims.Claim:
    """A quantity rises with the barrier, by their rank correlation over epochs."""
    found = alarm.rank(axis=1).corrwith(barrier.rank(axis=1), axis=1).fillna(0)
    told = f"{name} flags the rising barrier between seeds"
    of, source = "rank correlation with the naive barrier over epochs", "notes, open direction 3"
    return claims.at_least(f"alarm/{name}", told, found, 0.5, of=of, source=source)
