"""A surface of low loss through four trained networks, fitted like a curve.

A tensor-product Bezier surface has trained networks as corners and its other control points fitted
on uniform points of the square (Ren et al., *Revisiting mode connectivity in neural networks with
Bezier surface*, ICLR 2025); a triangular one has three. The control is the straight surface of the
same corners, with a hump in its middle.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.curves.surface_figures import map_figure
from experiments.curves.surface_stages import STRAIGHT, Shape, SurfaceFits, Tables
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage, numbers, where
from mconn.experiment.stages import Train
from mconn.paths import FitConfig
from mconn.training import TrainConfig

PAPER = "Ren et al. 2025"
SHAPES: tuple[Shape, ...] = ("square", "triangle")
SPLITS = ("train", "test")
SHARE = 0.2
"""The fitted surface's mean loss, as a share of the straight one's, that is accepted."""


@dataclass(frozen=True)
class BezierSurface(Experiment):
    """Losses over fitted surfaces, and over straight ones with the same corners.

    Attributes:
        train: the corners: four seeds a surface.
        degree: of the polynomials.
        fit: how the free control points are fitted.
        grid: points of the evaluation along each parameter.
    """

    train: TrainConfig
    degree: int
    fit: FitConfig
    grid: int = 21

    def stages(self) -> dict[str, Stage]:
        """Training, and the fits of each shape."""
        train = Train(self.train)
        fits = {s: SurfaceFits(train, s, self.degree, self.fit, self.grid) for s in SHAPES}
        return {"train": train, **fits}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The maps, the mean losses, and whether the fit is as good as it should be."""
        maps: Tables = {shape: results[shape].tables["map"] for shape in SHAPES}
        surfaces: Tables = {shape: results[shape].tables["surfaces"] for shape in SHAPES}
        means = {
            (shape, method, split): surface_means(maps[shape], method, split)
            for shape in SHAPES
            for method in (STRAIGHT[shape], "fitted")
            for split in SPLITS
        }
        model, count = self.train.model, len(surfaces["square"])
        straight, fitted = (
            float(means["square", method, "test"].mean()) for method in ("bilinear", "fitted")
        )
        return Report(
            title=f"Bezier surfaces through trained networks: {self.train.data.name}",
            question="Is there a surface of low loss through four networks that were trained from "
            "different seeds?",
            summary=f"mean test loss over the square {fitted:.3g} nats fitted, {straight:.3g} "
            f"bilinear ({count} surfaces)",
            headline=headline(maps),
            note=f"MLP {model.depth} x {model.width}; the seeds are taken four by four, the "
            f"triangle has the first three of each. Degree {self.degree}; only the control points "
            "that are no corners were fitted, on the mean train loss over the surface. Means and "
            f"largest values over a grid of {self.grid} points along each parameter, as mean over "
            "the surfaces with the lowest and the highest. Nothing was chosen on the test split; "
            "no augmentation.",
            sections=[
                Section(
                    "The loss over the surfaces",
                    figures={split: map_figure(maps, split) for split in SPLITS},
                    tables={"map": by_shape(maps), "surfaces": by_shape(surfaces)},
                    captions={
                        split: f"The {split} loss over the first surface of each shape, without "
                        "and with a fit, on one logarithmic scale of colours. White marks are the "
                        "trained networks."
                        for split in SPLITS
                    },
                )
            ],
            claims=[
                *(self.mean_claim(means, shape, split) for shape in SHAPES for split in SPLITS),
                *(claim for shape in SHAPES for claim in form_claims(shape, surfaces[shape])),
            ],
        )

    def mean_claim(self, means: Mapping, shape: Shape, split: str) -> Claim:
        """The fitted surface's mean loss is a small share of the straight one's."""
        shares = means[shape, "fitted", split] / means[shape, STRAIGHT[shape], split]
        return Claim(
            f"the mean {split} loss over the fitted {shape} is below {SHARE} of that over the "
            f"{STRAIGHT[shape]} one, for every surface",
            PAPER,
            f"below {SHARE}",
            f"{shares.min():.3f} to {shares.max():.3f}",
            bool((shares < SHARE).all()),
            id=f"mean-loss/{shape}/{split}",
        )


def surface_means(table: pa.Table, method: str, split: str) -> np.ndarray:
    """The mean loss over every surface."""
    chosen = where(table, method=method, split=split)
    surface, loss = numbers(chosen, "surface"), numbers(chosen, "loss")
    return np.array([loss[surface == each].mean() for each in np.unique(surface)])


def form_claims(shape: Shape, surfaces: pa.Table) -> list[Claim]:
    """The surface goes through its corners, and both of its parameters move the network."""
    gap = float(numbers(surfaces, "corner_gap").max())
    u, v = numbers(surfaces, "speed_u"), numbers(surfaces, "speed_v")
    shares = np.minimum(u, v) / np.maximum(u, v)
    return [
        Claim(
            f"the corners of every fitted {shape} are the trained networks",
            "exact",
            0,
            f"{gap:.1g}",
            gap <= 1e-6,
            "1e-6 in any weight",
            id=f"corners/{shape}",
        ),
        Claim(
            f"both parameters move the network on every fitted {shape}: the lower mean speed over "
            "the higher",
            "control",
            "above 0.1",
            f"{shares.min():.2f}",
            bool((shares > 0.1).all()),
            id=f"both-parameters-move/{shape}",
        ),
    ]


def headline(maps: Tables) -> pa.Table:
    """Mean and largest losses, and the corners', for every shape, method and split."""
    rows = []
    for shape, table in maps.items():
        for method in (STRAIGHT[shape], "fitted"):
            for split in SPLITS:
                chosen = where(table, method=method, split=split)
                means = surface_means(table, method, split)
                rows.append(
                    {
                        "surface": shape,
                        "method": method,
                        "split": split,
                        "mean loss": f"{means.mean():.4f} [{means.min():.4f}, {means.max():.4f}]",
                        "largest loss": round(float(numbers(chosen, "loss").max()), 4),
                        "loss of the corners": round(
                            float(numbers(chosen.filter(pc.field("is_corner")), "loss").mean()), 4
                        ),
                        "lowest accuracy": round(float(numbers(chosen, "accuracy").min()), 4),
                    }
                )
    return pa.Table.from_pylist(rows)


def by_shape(tables: Tables) -> pa.Table:
    """The tables of all shapes in one."""
    return pa.concat_tables(
        [
            table.append_column("shape", pa.array([shape] * len(table)))
            for shape, table in tables.items()
        ]
    )
