"""Do barriers tell whether two networks rely on different cues? And what does fine-tuning do?

Networks that read the image and networks that read a cue beside it are compared on the straight
line, before and after the units of one are matched to the other (Lubana et al., *Mechanistic mode
connectivity*, ICML 2023, arXiv:2211.08422, figures 3 and 4). That different mechanisms mean a
barrier was proved for interpolating ReLU networks of one hidden layer and mechanisms of different
complexity; the converse is their conjecture 1. Neither is a law for all networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments._shared.lines import ranged
from experiments.mechanisms.claims import finetuning_claims, line_claims, mechanism_claims
from experiments.mechanisms.digits import SETS, STRENGTH, CueTrain
from experiments.mechanisms.figures import NAMES, finetuning_figure, sets_figure
from experiments.mechanisms.finetuning import HEIGHT, Finetune
from experiments.mechanisms.lines import METHODS, PAIRINGS, TRUE_LABELS, CueLines, FinetunedLines
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage
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
        (profile, barriers), (tuned, raised) = (
            [results[stage].frame(name) for name in ("profile", "barriers")]
            for stage in ("lines", "fine-tuned lines")
        )
        told, after = barrier_table(barriers), finetuning_table(tuned, raised)
        shown = (
            told["with cue"].unstack().loc[list(PAIRINGS), list(METHODS)].agg(" to ".join, axis=1)
        )
        return Report(
            title="Mechanisms and barriers: digits with a cue",
            question="Do networks that rely on different cues have a barrier between them that no "
            "permutation takes away, and networks that rely on the same one none?",
            summary="mean train barrier with the cue, naive to matched: "
            + ", ".join(f"{pairing} {found}" for pairing, found in shown.items()),
            headline=told.reset_index(),
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
                    figures={"sets": sets_figure(profile)},
                    tables={"barriers": barriers, "profile": profile},
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
                    figures={"finetuning": finetuning_figure(tuned)},
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
                *mechanism_claims(profile, self.published),
                *line_claims(barriers, profile),
                *finetuning_claims(tuned),
            ],
        )


def barrier_table(barriers: Frame) -> Frame:
    """The mean train barrier with its range, by pairing and method."""
    train = barriers[barriers.split == "train"].rename(columns={"pairing": "pair", "pair": "of"})
    found = train.groupby(["pair", "method", "set"], sort=False).value.agg(ranged).unstack()
    found = found[list(TRUE_LABELS)].set_axis(["without cue", "with cue"], axis=1)
    return found.loc[[(pairing, method) for pairing in PAIRINGS for method in METHODS]]


def finetuning_table(profile: Frame, barriers: Frame) -> Frame:
    """Accuracies and the barrier after fine-tuning, by method and rate."""
    labels = ["method", "rate"]
    ends = profile.query("split == 'test' and metric == 'accuracy' and t == 1")
    found = (100 * ends.pivot_table("value", labels, "set", sort=False)[list(SETS)]).round(1)
    heights = barriers.query("split == 'train' and set == 'C'").groupby(labels).value
    found = found.assign(barrier=heights.agg(ranged)).reset_index().rename_axis(columns=None)
    names = {"clean": "clean images", "barrier": "connectivity-based"}
    return found.replace({"method": names})
