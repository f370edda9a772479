"""Several networks at once: one common place, stars, triangles, and the mean of them all.

That any two of several networks are joined by a low line says nothing of what lies between three of
them. Networks are aligned pair by pair and all at once (Ainsworth et al., *Git Re-Basin*, ICLR
2023, algorithm 3; Crisostomi et al. 2024, C2M3); the loss is drawn over the triangles between them;
and a star network is trained, whose lines to the others are all low (Sonthalia et al. 2024).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from experiments.many.aligned import AlignMany, Mixtures
from experiments.many.claims import all_claims, relative_change
from experiments.many.figures import bars_table, simplex_figure
from experiments.many.star import Star, StarLines
from mconn.errors import ConfigError
from mconn.experiment import (
    Experiment,
    Report,
    Result,
    Section,
    Stage,
    barrier_bars,
    numbers,
    where,
)
from mconn.experiment.stages import Align, Sweep, Train
from mconn.training import TrainConfig

LINES = ("naive", "random", "weights", "weights together", "activations", "activations together")
STARS = ("star", "control")
MIXED = ("naive", "random", "weights", "weights together", "activations", "activations together")


@dataclass(frozen=True)
class ManyModels(Experiment):
    """Train sources and others, align the sources by pairs and all at once, train a star.

    Attributes:
        train: the sources.
        others: seeds of networks that the star never sees.
        star_epochs: passes over the training split for the star, and for its control.
        points: equispaced points on each line.
        steps: along an edge of a triangle.
    """

    train: TrainConfig
    others: tuple[int, ...]
    star_epochs: int
    points: int
    steps: int

    def __post_init__(self) -> None:
        if len(self.train.seeds) < 3:
            raise ConfigError(f"seeds are {self.train.seeds}: a triangle needs three networks")
        if not self.others or set(self.others) & set(self.train.seeds):
            raise ConfigError(
                f"others are {self.others}: choose seeds beside {self.train.seeds}, so that the "
                "star is tested on networks that it has not seen"
            )

    def stages(self) -> dict[str, Stage]:
        """Lines and mixtures after every alignment, and the lines of star and control."""
        train, others = Train(self.train), Train(replace(self.train, seeds=self.others))
        together = AlignMany(train, "weights")
        alignments: dict[str, Align | None] = {
            "naive": None,
            "random": Align(train, "random", keys=1),
            "weights": Align(train, "weights", keys=1),
            "weights together": together,
            "activations": Align(train, "activations", keys=1),
            "activations together": AlignMany(train, "activations"),
        }
        stages: dict[str, Stage] = {"train": train, "others": others}
        for method in LINES:
            stages[f"lines {method}"] = Sweep(train, alignments[method], self.points)
            alignment = alignments[method]
            if alignment is not None:
                stages[f"align {method}"] = alignment
        for method in MIXED:
            stages[f"mixtures {method}"] = Mixtures(train, alignments[method], self.steps)
        for name in STARS:
            star = Star(train, together, self.star_epochs, on_lines=name == "star")
            stages[name] = star
            stages[f"{name} to sources"] = StarLines(star, train, self.points)
            stages[f"{name} to others"] = StarLines(star, others, self.points)
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """Barriers, triangles, means, and whether they are as expected."""
        barriers = bars_table(results, LINES, STARS)
        means = {
            (method, split): float(
                numbers(where(barriers, method=method, split=split), "value").mean()
            )
            for method in dict.fromkeys(barriers["method"].to_pylist())
            for split in ("train", "test")
        }
        merged = labelled(results, "mixtures", "merged", MIXED)
        simplex = labelled(results, "mixtures", "simplex", MIXED)
        triple = simplex["triple"][0].as_py()
        shown = ("naive", "weights together", "activations together")
        star = results["star to sources"].tables["barriers"].to_pylist()[0]
        count = len(self.train.seeds)
        return Report(
            title=f"{type(self.train.model).__name__} on {self.train.data.name}: "
            f"{count} networks at once",
            question="What lies between several aligned networks: on the lines between two, on the "
            "triangles between three, at the mean of them all, and on the lines to a network that "
            "is trained to lie low towards all of them?",
            summary=f"train barrier {means['weights', 'train']:.3g} between two networks, "
            f"{means['star to others', 'train']:.3g} from the star to networks that it has not "
            f"seen; the mean of {count} has a test loss "
            f"{100 * relative_change(merged, 'weights together'):+.0f} % (weights) and "
            f"{100 * relative_change(merged, 'activations together'):+.0f} % (activations) against "
            "single networks",
            headline=headline(means),
            note="Mean chord barrier in nats per example: of all pairs of "
            f"{count} sources by the way in which the second is moved (each pair by itself, or "
            "all networks together), and of the lines from the star to its sources, and to "
            f"{len(self.others)} other networks. The control is trained like the star, from the "
            "same mean, but alone and not on lines. Networks are aligned to star and control by "
            "weights.",
            sections=[
                Section(
                    "Lines",
                    figures={"lines": barrier_bars(select_bars(barriers), width=6.75)},
                    tables={"barriers": barriers},
                    captions={
                        "lines": "Chord barrier of the loss. Bars are means; dots are single "
                        "lines with their 95 % bootstrap interval over examples. The star's own "
                        f"loss is {star['star_loss'] if star['split'] == 'train' else np.nan:.2g} "
                        "on train.",
                        "barriers": "Every line with its paired standard error and 95 % interval "
                        "over examples.",
                    },
                ),
                Section(
                    "Triangles",
                    text="The weights of a point sum to one; corners are the networks. A loss that "
                    "is low on all edges need not be low inside: 27 l_1 l_2 l_3 vanishes on the "
                    "edges and is 1 at the centre.",
                    figures={"triangle": simplex_figure(simplex, shown, triple)},
                    tables={"simplex": simplex},
                    captions={
                        "triangle": f"Train loss over the triangle between the networks {triple}, "
                        f"at {len(where(simplex, triple=triple, method='naive', split='train'))} "
                        "points.",
                        "simplex": "Loss and accuracy at all points of all triangles.",
                    },
                ),
                Section(
                    "The mean of all networks",
                    tables={"merged": merged},
                    captions={
                        "merged": f"Loss of the mean of {count} networks, the mean loss of single "
                        "ones with the paired standard error of the difference over examples, and "
                        "the loss of the mean of their logits."
                    },
                ),
            ],
            claims=all_claims(means, simplex, merged, results, self.train.seeds),
        )


def labelled(
    results: Mapping[str, Result], kind: str, name: str, methods: tuple[str, ...]
) -> pa.Table:
    """The tables of one name of the stages of several methods, with a column for the method."""
    rows = []
    for method in methods:
        table = results[f"{kind} {method}"].tables[name]
        rows += [{"method": method, **row} for row in table.to_pylist()]
    return pa.Table.from_pylist(rows)


def headline(means: Mapping[tuple[str, str], float]) -> pa.Table:
    """The mean barriers."""
    methods = dict.fromkeys(method for method, _ in means)
    return pa.Table.from_pylist(
        [
            {
                "lines": method,
                "train barrier": round(means[method, "train"], 4),
                "test barrier": round(means[method, "test"], 4),
            }
            for method in methods
        ]
    )


def select_bars(barriers: pa.Table) -> pa.Table:
    """The lines that are drawn: not those of the controls."""
    import pyarrow.compute as pc

    controls = ["random", "control to sources", "control to others"]
    return barriers.filter(~pc.field("method").isin(controls))
