"""How large are simplexes of low loss between trained networks?

Two trained networks are joined by a shared vertex, which is fitted so that the loss is low on the
segments to it; then by one more, so that the segments become triangles, and so on, with a reward
for the volume (Benton et al., *Loss surface simplexes for mode connecting volumes and fast
ensembling*, ICML 2021, arXiv:2102.13042). As long as the volume does not collapse, the set of low
loss has at least so many dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from experiments.curves.volume_figures import by_vertices, complex_figure
from experiments.curves.volume_stages import (
    GROWN,
    INDEPENDENT,
    METHODS,
    RANDOM,
    REGULAR,
    GrownComplexes,
)
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage, numbers, where
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
        table, facts = results["grow"].tables["complexes"], results["grow"].facts
        model, pairs = self.train.model, len(set(table["pair"].to_pylist()))
        last = 2 + self.connectors
        ratio = {method: loss_ratios(table, method, "test")[last].mean() for method in METHODS}
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
                *self.loss_claims(table),
                volume_claim(table),
                *(control_claim(table, method, last) for method in (RANDOM, INDEPENDENT)),
                formula_claim("float32", float(facts["float32"]), 1e-6),
                formula_claim("float64", float(facts["float64"]), 1e-12),
                Claim(
                    "the trained networks are vertices, bit for bit",
                    "exact",
                    0,
                    float(facts["held_gap"]),
                    facts["held_gap"] == 0,
                    id="vertices",
                ),
            ],
        )

    def loss_claims(self, table: pa.Table) -> list[Claim]:
        """The loss on small complexes is close to that of the ends."""
        claims = []
        for vertices in CLAIMED:
            for split in ("train", "test"):
                ratios = loss_ratios(table, GROWN, split).get(vertices)
                if ratios is None:
                    continue
                claims.append(
                    Claim(
                        f"the mean {split} loss on the fitted complex of {vertices} vertices is "
                        f"below {FACTOR} times that of the ends, for every pair",
                        PAPER,
                        f"below {FACTOR}",
                        f"{ratios.min():.2f} to {ratios.max():.2f}",
                        bool((ratios < FACTOR).all()),
                        id=f"low-complex/{split}/{vertices}",
                    )
                )
        return claims


def loss_ratios(table: pa.Table, method: str, split: str) -> dict[int, np.ndarray]:
    """The mean loss on the complex over that of its ends: a value per pair, by vertices."""
    chosen = where(table, method=method, split=split)
    places, losses = by_vertices(chosen, "loss")
    ends = by_vertices(chosen, "end_loss")[1]
    return {n: loss / end for n, loss, end in zip(places, losses, ends, strict=True)}


def volume_claim(table: pa.Table) -> Claim:
    """No volume is zero, and it falls with every vertex."""
    volumes = np.array(by_vertices(where(table, method=GROWN, split="train"), "log_volume")[1])
    falls = bool(np.isfinite(volumes).all() and (np.diff(volumes, axis=0) < 0).all())
    means = " > ".join(f"{value:.2f}" for value in volumes.mean(axis=1))
    return Claim(
        "the volume (unit: distance of the ends) is positive, and falls with every vertex",
        PAPER,
        "log V finite, falling, for every pair",
        means,
        falls,
        id="volume-falls",
    )


def control_claim(table: pa.Table, method: str, vertices: int) -> Claim:
    """A control's loss is not low."""
    ratios = loss_ratios(table, method, "train")[vertices]
    return Claim(
        f"without a fit ({method}) the mean train loss on {vertices} vertices is above {FACTOR} "
        "times that of the ends, for every pair",
        "control",
        f"above {FACTOR}",
        f"{ratios.min():.3g} to {ratios.max():.3g}",
        bool((ratios > FACTOR).all()),
        id=f"unfitted-complex/{method}/{vertices}",
    )


def formula_claim(precision: str, error: float, tolerance: float) -> Claim:
    """The volume of a regular simplex is known."""
    numbers_of = ", ".join(map(str, REGULAR))
    return Claim(
        f"the volume of regular simplexes of {numbers_of} vertices, in {precision}",
        "Cayley and Menger",
        "relative error 0",
        f"{error:.1e}",
        error <= tolerance,
        f"{tolerance:g}",
        id=f"formula/{numbers_of}/{precision}",
    )


def headline(table: pa.Table) -> pa.Table:
    """Volume, height and losses for every number of vertices and method."""
    rows = []
    for method in METHODS:
        train, test = (where(table, method=method, split=split) for split in ("train", "test"))
        places, volumes = by_vertices(train, "log_volume")
        heights = by_vertices(train, "height")[1]
        losses = {"train": by_vertices(train, "loss")[1], "test": by_vertices(test, "loss")[1]}
        for i, vertices in enumerate(places):
            row = {
                "method": method,
                "vertices": vertices,
                "log volume": round(float(volumes[i].mean()), 2),
                "newest vertex from the mean": round(float(heights[i].mean()), 3),
            }
            for split, values in losses.items():
                each = values[i]
                row[f"{split} loss"] = f"{each.mean():.4f} [{each.min():.4f}, {each.max():.4f}]"
            ends = numbers(where(table, split="train"), "end_loss")
            row["train loss of the ends"] = round(float(ends.mean()), 4)
            rows.append(row)
    return pa.Table.from_pylist(rows)
