"""Do barriers tell whether two networks rely on different cues? And what does fine-tuning do?

Networks that read the image and networks that read a cue beside it are compared on the straight
line, before and after the units of one are matched to the other (Lubana et al., *Mechanistic mode
connectivity*, ICML 2023, arXiv:2211.08422, figures 3 and 4). That different mechanisms mean a
barrier was proved for interpolating ReLU networks of one hidden layer and mechanisms of different
complexity; the converse is their conjecture 1. Neither is a law for all networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from experiments.mechanisms.claims import finetuning_claims, line_claims, mechanism_claims
from experiments.mechanisms.digits import SETS, STRENGTH, CueTrain
from experiments.mechanisms.figures import NAMES, finetuning_figure, sets_figure
from experiments.mechanisms.finetuning import HEIGHT, Finetune
from experiments.mechanisms.lines import METHODS, PAIRINGS, TRUE_LABELS, CueLines, FinetunedLines
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Report, Result, Section, Stage, numbers, where
from mconn.training import TrainConfig


@dataclass(frozen=True)
class Mechanisms(Experiment):
    """Train with and without the cue, compare on lines, fine-tune off the cue.

    Attributes:
        cued: networks that are trained with the cue.
        plain: as many, with other seeds, that are trained without.
        rates: learning rates of fine-tuning, in ascending order.
        finetune_epochs: passes over the clean images.
        clean: training images that have no cue in fine-tuning.
        points: equispaced points on each line.
        published: whether the known numbers should be met.
    """

    cued: TrainConfig
    plain: TrainConfig
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)
    finetune_epochs: int = 20
    clean: int = 350
    points: int = 25
    published: bool = True

    def __post_init__(self) -> None:
        if len(self.cued.seeds) < 2:
            raise ConfigError(
                f"seeds are {self.cued.seeds}: a line between networks of one mechanism needs two"
            )

    def stages(self) -> dict[str, Stage]:
        """Two trainings, the lines, and two ways of fine-tuning at every rate."""
        cued, plain = CueTrain(self.cued, "true"), CueTrain(self.plain, "none")
        finetuned = {
            f"{method} {rate:g}": Finetune(cued, method, rate, self.finetune_epochs, self.clean)
            for method in ("clean", "barrier")
            for rate in self.rates
        }
        return {
            "cued": cued,
            "plain": plain,
            "lines": CueLines(cued, plain, self.points),
            **finetuned,
            "fine-tuned lines": FinetunedLines(cued, tuple(finetuned.values()), self.points),
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """Accuracies on the four sets, barriers by pairing, and fine-tuning."""
        lines, tuned = results["lines"].tables, results["fine-tuned lines"].tables
        headline = barrier_table(lines["barriers"])
        after = finetuning_table(tuned, self.rates)
        rows = {(row["pair"], row["method"]): row for row in headline.to_pylist()}
        return Report(
            title="Mechanisms and barriers: digits with a cue",
            question="Do networks that rely on different cues have a barrier between them that no "
            "permutation takes away, and networks that rely on the same one none?",
            summary="mean train barrier with the cue, naive to matched: "
            + ", ".join(
                f"{pairing} {' to '.join(rows[pairing, method]['with cue'] for method in METHODS)}"
                for pairing in PAIRINGS
            ),
            headline=headline,
            note="Mean train chord barrier [lowest, highest pair] in nats on images without and "
            "with the cue. Pairs: a network that relies on the image and one that relies on the "
            "cue (different), or two of one kind. Matched: the second network's hidden units are "
            "permuted to match the first one's activations. Ends with unlike losses lift the "
            "chord; no matched line between different mechanisms rises above the higher end by "
            f"more than its barrier. The cue is one of ten inputs at {STRENGTH:g}, beside pixels "
            "from 0 to 1.",
            sections=[
                Section(
                    "Along the lines",
                    figures={"sets": sets_figure(lines["profile"])},
                    tables={"barriers": lines["barriers"], "profile": lines["profile"]},
                    captions={
                        "sets": "Test accuracy on the four sets: "
                        + ", ".join(f"{name} ({NAMES[name]})" for name in SETS)
                        + ". In the last, the cue's class counts as right. Means over pairs with "
                        "the lowest and the highest; the left column leads from a network that "
                        "relies on the image to one that relies on the cue.",
                    },
                ),
                Section(
                    "Fine-tuning off the cue",
                    f"From the networks that rely on the cue, with {self.clean} images without it, "
                    f"for {self.finetune_epochs} epochs.",
                    figures={"finetuning": finetuning_figure(tuned["profile"], self.rates)},
                    tables={"finetuned": after},
                    captions={
                        "finetuning": "Loss on training images with the cue, on the line from the "
                        "network before fine-tuning (t = 0) to the one after. Connectivity-based "
                        f"fine-tuning pushes it to {HEIGHT:g} in the middle half.",
                        "finetuned": "Test accuracy (%) after fine-tuning on the four sets, mean "
                        "over seeds, and the train barrier with the cue on the line from the "
                        "start.",
                    },
                ),
            ],
            claims=[
                *mechanism_claims(lines["profile"], self.published),
                *line_claims(lines["barriers"], lines["profile"]),
                *finetuning_claims(tuned, self.rates),
            ],
        )


def barrier_table(barriers: pa.Table) -> pa.Table:
    """The mean train barrier with its range, by pairing and method."""
    rows = []
    for pairing in PAIRINGS:
        for method in METHODS:
            row = {"pair": pairing, "method": method}
            for name, title in zip(TRUE_LABELS, ("without cue", "with cue"), strict=True):
                chosen = where(barriers, pairing=pairing, method=method, split="train", set=name)
                row[title] = ranged(numbers(chosen, "value"))
            rows.append(row)
    return pa.Table.from_pylist(rows)


def finetuning_table(tables: Mapping[str, pa.Table], rates: tuple[float, ...]) -> pa.Table:
    """Accuracies and the barrier after fine-tuning, by method and rate."""
    ends = where(tables["profile"], split="test", metric="accuracy").to_pylist()
    barriers = where(tables["barriers"], split="train", set="C").to_pylist()
    rows = []
    for method in ("clean", "barrier"):
        for rate in rates:
            here = [r for r in ends if (r["method"], r["rate"], r["t"]) == (method, rate, 1.0)]
            heights = [r["value"] for r in barriers if (r["method"], r["rate"]) == (method, rate)]
            accuracies = {
                name: round(100 * float(np.mean([r["value"] for r in here if r["set"] == name])), 1)
                for name in SETS
            }
            rows.append(
                {
                    "method": {"clean": "clean images", "barrier": "connectivity-based"}[method],
                    "rate": rate,
                    **accuracies,
                    "barrier": ranged(np.array(heights)),
                }
            )
    return pa.Table.from_pylist(rows)


def ranged(values: np.ndarray) -> str:
    """A mean with the lowest and the highest."""
    return f"{values.mean():.3f} [{values.min():.3f}, {values.max():.3f}]"
