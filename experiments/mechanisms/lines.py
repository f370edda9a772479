"""Lines between networks that rely on the same or on different cues, measured on all four sets."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.mechanisms.digits import CueTrain, cue_sets, load_digits
from experiments.mechanisms.finetuning import Finetune
from mconn import align, landscape, paths, symmetry, trees
from mconn.data import Split
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import point_rows
from mconn.types import Params

PAIRINGS = ("different", "both cue", "both image")
"""What the networks at the ends rely on."""

METHODS = ("naive", "matched")
TRUE_LABELS = ("NC", "C")
"""The sets on which both networks can be right: barriers are measured there."""


@dataclass(frozen=True)
class CueLines(Stage):
    """The lines between networks, before and after the second one's units are matched.

    Units are matched by their activations on the training images, each without and with the cue.
    Its table ``profile`` has a row per pairing, method, pair, split, set, metric and point;
    its table ``barriers`` a chord barrier of the loss per pairing, method, pair, split and set.

    Attributes:
        cued: the networks that were trained with the cue.
        plain: as many that were trained without.
        points: equispaced points on each line.
    """

    cued: CueTrain
    plain: CueTrain
    points: int = 25

    def __post_init__(self) -> None:
        if len(self.cued.config.seeds) != len(self.plain.config.seeds):
            raise ConfigError("train as many networks with the cue as without: pairs need both")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Pair after pair, with one compiled program per split."""
        apply = self.cued.config.model.apply
        dataset = load_digits(self.cued.config, context)
        splits = {"train": cue_sets(dataset.train), "test": cue_sets(dataset.test)}
        seen = np.concatenate([splits["train"][name].inputs for name in TRUE_LABELS])
        networks = {name: inputs[name].tree for name in ("cued", "plain")}
        group = symmetry.permutations(
            symmetry.discover(apply, trees.index(networks["cued"], 0), seen[:2])
        )
        profiles, barriers = [], []
        pairs = list(self.pairs(networks))
        with context.progress.task("cue lines", total=len(pairs), unit="pair") as task:
            for done, (pairing, pair, a, b) in enumerate(pairs, start=1):
                cost = align.ActivationCost(apply, seen)
                moved = symmetry.act(group, align.match(group, a, b, cost=cost).element, b)
                for method, end in zip(METHODS, (b, moved), strict=True):
                    labels = {"pairing": pairing, "method": method, "pair": pair}
                    for split, sets in splits.items():
                        found = measured(apply, paths.line(a, end), self.points, sets)
                        profiles += [{**labels, "split": split, **row} for row in found[0]]
                        barriers += [{**labels, "split": split, **row} for row in found[1]]
                task.update(done)
        return Result(
            tables={
                "profile": pa.Table.from_pylist(profiles),
                "barriers": pa.Table.from_pylist(barriers),
            }
        )

    def pairs(self, networks: Mapping[str, Params]) -> Iterator[tuple[str, str, Params, Params]]:
        """The pairing, the name and the ends of every line."""
        count = len(self.cued.config.seeds)
        for i in range(count):
            plain, cued = (trees.index(networks[name], i) for name in ("plain", "cued"))
            yield "different", f"{i}-{i}", plain, cued
        for pairing, name in (("both cue", "cued"), ("both image", "plain")):
            for i, j in itertools.combinations(range(count), 2):
                yield pairing, f"{i}-{j}", *(trees.index(networks[name], k) for k in (i, j))


@dataclass(frozen=True)
class FinetunedLines(Stage):
    """The lines from the networks before to the networks after fine-tuning.

    Its tables are those of `CueLines`, with a ``rate`` and the fine-tuning as the method.

    Attributes:
        train: the networks before.
        finetuned: the networks after, by several ways from the same start.
        points: equispaced points on each line.
    """

    train: CueTrain
    finetuned: tuple[Finetune, ...]
    points: int = 25

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Line after line, with one compiled program per split."""
        config = self.train.config
        dataset = load_digits(config, context)
        splits = {"train": cue_sets(dataset.train), "test": cue_sets(dataset.test)}
        profiles, barriers = [], []
        for how, result in zip(self.finetuned, inputs["finetuned"], strict=True):
            for i, seed in enumerate(config.seeds):
                ends = (trees.index(tree, i) for tree in (inputs["train"].tree, result.tree))
                line = paths.line(*ends)
                labels = {"method": how.method, "rate": how.learning_rate, "pair": str(seed)}
                for split, sets in splits.items():
                    found = measured(config.model.apply, line, self.points, sets)
                    profiles += [{**labels, "split": split, **row} for row in found[0]]
                    barriers += [{**labels, "split": split, **row} for row in found[1]]
        return Result(
            tables={
                "profile": pa.Table.from_pylist(profiles),
                "barriers": pa.Table.from_pylist(barriers),
            }
        )


def measured(
    apply: Any, path: paths.Path, points: int, sets: Mapping[str, Split]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The points of a path on every set, and its chord barriers where the labels are true."""
    eval_fn, ts = landscape.Classification(apply), np.linspace(0, 1, points)
    profiles, barriers = [], []
    for name, examples in sets.items():
        profile = landscape.evaluate(eval_fn, path, ts, examples)
        profiles += [{"set": name, **row} for row in point_rows(profile)]
        if name in TRUE_LABELS:
            barriers.append({"set": name, **asdict(landscape.barrier(profile))})
    return profiles, barriers
