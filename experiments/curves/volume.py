"""How large are simplexes of low loss between trained networks?

Two trained networks are joined by a shared vertex, which is fitted so that the loss is low on the
segments to it; then by one more, so that the segments become triangles, and so on, with a reward
for the volume (Benton et al., *Loss surface simplexes for mode connecting volumes and fast
ensembling*, ICML 2021, arXiv:2102.13042). As long as the volume does not collapse, the set of low
loss has at least so many dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments._shared.spread import draw_means
from experiments.curves.volume_stages import (
    GROWN,
    INDEPENDENT,
    METHODS,
    RANDOM,
    REGULAR,
    GrownComplexes,
    regular_log_volume,
)
from mconn.experiment import (
    PAGE,
    Claim,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    looks,
    style,
)
from mconn.experiment.stages import Train
from mconn.paths import FitConfig
from mconn.training import TrainConfig

PAPER = "Benton et al. 2021"
FACTOR = 1.5
"""The mean loss on the complex, in units of the ends', that is accepted."""

CLAIMED = (3, 4)
"""Numbers of vertices for which it is."""


@dataclass(frozen=True)
class SimplexVolume(Experiment):
    """Volume and loss of complexes with more and more vertices.

    Attributes:
        train: the networks; two make a pair, and others serve as a control.
        connectors: shared vertices that are added.
        fit: how each of them is fitted.
        samples: points on each complex where the loss is measured.
    """

    train: TrainConfig
    connectors: int
    fit: FitConfig
    samples: int = 200

    def stages(self) -> dict[str, Stage]:
        """Training, and the growth of the complexes."""
        train = Train(self.train)
        grow = GrownComplexes(train, self.connectors, self.fit, self.samples)
        return {"train": train, "grow": grow}

    def report(self, results: Mapping[str, Result]) -> Report:
        """Volume and loss against the number of vertices, and whether they are as published."""
        table, facts = results["grow"].frame("complexes"), results["grow"].facts
        model, pairs, last = self.train.model, table.pair.nunique(), 2 + self.connectors
        ratios = loss_ratios(table)
        ratio = {method: ratios[method, "test", last].mean() for method in METHODS}
        return Report(
            title=f"Simplexes of low loss between trained networks: {self.train.data.name}",
            question="Two networks were trained from different seeds. In how many dimensions does "
            "a set of low loss connect them, and how large is it?",
            summary=f"with {last} vertices the mean test loss on the complex is "
            f"{ratio[GROWN]:.2f} times that of its ends, {ratio[INDEPENDENT]:.1f} times where the "
            f"vertices are other networks ({pairs} pairs)",
            headline=headline(table),
            note=f"MLP {model.depth} x {model.width}. The complex of n vertices has two faces of "
            "n - 1 vertices, each with one of the two networks; only the newest vertex is fitted, "
            f"on the mean train loss. Losses are means over {self.samples} points, uniform in "
            "volume, and over pairs of seeds, with the lowest and the highest pair. The distance "
            "between the two networks is the unit of length. Controls, with the same faces: shared "
            "vertices in random directions, as far from the mean of those before as the fitted "
            "ones; and other trained networks as shared vertices. Nothing was chosen on the test "
            "split; no augmentation.",
            sections=[
                Section(
                    "Volume and loss",
                    figures={"volume": complex_figure(table)},
                    tables={"complexes": table},
                    captions={
                        "volume": "Total volume of the two faces, and the mean loss on them, "
                        "against the number of vertices. Volumes of different dimensions are "
                        "compared with those of regular simplexes of side one (dotted). Bands "
                        "reach from the lowest to the highest pair."
                    },
                )
            ],
            claims=[
                *(
                    claims.at_most(
                        f"low-complex/{split}/{vertices}",
                        f"the mean {split} loss on the fitted complex of {vertices} vertices is "
                        f"below {FACTOR} times that of the ends, for every pair",
                        ratios[GROWN, split, vertices],
                        FACTOR,
                        strict=True,
                        source=PAPER,
                    )
                    for vertices in CLAIMED
                    for split in ("train", "test")
                    if vertices <= last
                ),
                volume_claim(table),
                *(
                    claims.at_least(
                        f"unfitted-complex/{method}/{last}",
                        f"without a fit ({method}) the mean train loss on {last} vertices is above "
                        f"{FACTOR} times that of the ends, for every pair",
                        ratios[method, "train", last],
                        FACTOR,
                        strict=True,
                        source="control",
                    )
                    for method in (RANDOM, INDEPENDENT)
                ),
                formula_claim("float32", float(facts["float32"]), 1e-6),
                formula_claim("float64", float(facts["float64"]), 1e-12),
                claims.equal(
                    "vertices",
                    "the trained networks are vertices, bit for bit",
                    float(facts["held_gap"]),
                    0,
                    source="exact",
                ),
            ],
        )


def loss_ratios(table: Frame) -> Frame:
    """The mean loss on the complex over that of its ends, by method, split, vertices and pair."""
    rows = table.set_index(["method", "split", "vertices", "pair"]).sort_index()
    return rows.loss / rows.end_loss


def volume_claim(table: Frame) -> Claim:
    """No volume is zero, and it falls with every vertex."""
    grown = table[(table.method == GROWN) & (table.split == "train")]
    volumes = grown.pivot(index="pair", columns="vertices", values="log_volume")
    told = "the volume (unit: distance of the ends) is positive, and falls with every vertex"
    finite = volumes.where(np.isfinite(volumes))
    return claims.ordered("volume-falls", told, finite, falling=True, source=PAPER)


def formula_claim(precision: str, error: float, tolerance: float) -> Claim:
    """The volume of a regular simplex is known."""
    numbers_of = ", ".join(map(str, REGULAR))
    told = f"the volume of regular simplexes of {numbers_of} vertices, in {precision}"
    id, of = f"formula/{numbers_of}/{precision}", "relative error"
    return claims.at_most(id, told, error, tolerance, of=of, source="Cayley and Menger")


def headline(table: Frame) -> Frame:
    """Volume, height and losses for every number of vertices and method."""
    rows, ends = [], table[table.split == "train"].end_loss.mean()
    for method in METHODS:
        for vertices, part in table[table.method == method].groupby("vertices"):
            losses = part.groupby("split").loss.agg(["mean", "min", "max"]).T
            row = {
                "method": method,
                "vertices": vertices,
                "log volume": round(part.log_volume.mean(), 2),
                "newest vertex from the mean": round(part.height.mean(), 3),
            }
            for split in ("train", "test"):
                row[f"{split} loss"] = "{:.4f} [{:.4f}, {:.4f}]".format(*losses[split])
            rows.append({**row, "train loss of the ends": round(ends, 4)})
    return pd.DataFrame(rows)


def complex_figure(table: Frame) -> Any:
    """Means over pairs, with the lowest and the highest pair."""
    from matplotlib.figure import Figure

    places, of_split = np.unique(table.vertices), dict(iter(table.groupby("split")))
    with style():
        figure = Figure(figsize=(PAGE, 2.5), layout="constrained")
        volume, *losses = figure.subplots(1, 3)
        for method, look in zip(METHODS, looks(METHODS), strict=True):
            rows = {split: each[each.method == method] for split, each in of_split.items()}
            draw_means(volume, rows["train"], "vertices", "log_volume", look, method)
            for panel, split in zip(losses, ("train", "test"), strict=True):
                draw_means(panel, rows[split], "vertices", "loss", look, "")
        reference = [regular_log_volume(n - 1) + np.log(2) for n in places]
        volume.plot(places, reference, ":", color="#8a8a8a", label="regular, side one")
        volume.set(ylabel="Log volume (unit: distance of ends)")
        for panel, split in zip(losses, ("train", "test"), strict=True):
            end = of_split[split].end_loss.mean()
            panel.axhline(end, linestyle=":", color="#1a1a1a", label="ends")
            panel.set(yscale="log", ylabel=f"Mean {split} loss (nats)")
        for panel in (volume, *losses):
            panel.set(xlabel="Vertices", xticks=places)
        named = [panel.get_legend_handles_labels() for panel in (volume, losses[0])]
        handles, names = (first + second for first, second in zip(*named, strict=True))
        figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure
