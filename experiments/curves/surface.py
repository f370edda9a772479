"""A surface of low loss through four trained networks, fitted like a curve.

A tensor-product Bezier surface has trained networks as corners and its other control points fitted
on uniform points of the square (Ren et al., *Revisiting mode connectivity in neural networks with
Bezier surface*, ICLR 2025); a triangular one has three. The control is the straight surface of the
same corners, with a hump in its middle.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from experiments.curves.surface_figures import map_figure
from experiments.curves.surface_stages import STRAIGHT, Shape, SurfaceFits
from mconn.experiment import Claim, Experiment, Frame, Report, Result, Section, Stage, claims
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
        maps, surfaces = (
            pd.concat(results[shape].frame(name).assign(shape=shape) for shape in SHAPES)
            for name in ("map", "surfaces")
        )
        means: Frame = maps.groupby(["shape", "method", "split", "surface"])["loss"].mean()
        model, count = self.train.model, len(surfaces) // len(SHAPES)
        straight, fitted = (means["square", each, "test"].mean() for each in ("bilinear", "fitted"))
        return Report(
            title=f"Bezier surfaces through trained networks: {self.train.data.name}",
            question="Is there a surface of low loss through four networks that were trained from "
            "different seeds?",
            summary=f"mean test loss over the square {fitted:.3g} nats fitted, {straight:.3g} "
            f"bilinear ({count} surfaces)",
            headline=headline(maps, means),
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
                    tables={"map": maps, "surfaces": surfaces},
                    captions={
                        split: f"The {split} loss over the first surface of each shape, without "
                        "and with a fit, on one logarithmic scale of colours. White marks are the "
                        "trained networks."
                        for split in SPLITS
                    },
                )
            ],
            claims=[
                *(
                    claims.share_of(
                        f"mean-loss/{shape}/{split}",
                        f"the mean {split} loss over the fitted {shape} is below {SHARE} of that "
                        f"over the {STRAIGHT[shape]} one, for every surface",
                        means[shape, "fitted", split],
                        means[shape, STRAIGHT[shape], split],
                        most=SHARE,
                        of=f"that over the {STRAIGHT[shape]} one",
                        source=PAPER,
                    )
                    for shape in SHAPES
                    for split in SPLITS
                ),
                *(
                    claim
                    for shape in SHAPES
                    for claim in form_claims(shape, surfaces[surfaces["shape"] == shape])
                ),
            ],
        )


def form_claims(shape: Shape, surfaces: Frame) -> list[Claim]:
    """The surface goes through its corners, and both of its parameters move the network."""
    speeds = surfaces[["speed_u", "speed_v"]]
    return [
        claims.at_most(
            f"corners/{shape}",
            f"the corners of every fitted {shape} are the trained networks",
            surfaces.corner_gap,
            1e-6,
            of="difference of any weight",
            source="exact",
        ),
        claims.at_least(
            f"both-parameters-move/{shape}",
            f"both parameters move the network on every fitted {shape}: the lower mean speed over "
            "the higher",
            speeds.min(axis=1) / speeds.max(axis=1),
            0.1,
            strict=True,
            source="control",
        ),
    ]


def headline(maps: Frame, means: Frame) -> Frame:
    """Mean and largest losses, and the corners', for every shape, method and split."""
    rows = []
    for keys, here in maps.groupby(["shape", "method", "split"], sort=False):
        mean = means[keys]
        rows.append(
            {
                **dict(zip(("surface", "method", "split"), keys, strict=True)),
                "mean loss": f"{mean.mean():.4f} [{mean.min():.4f}, {mean.max():.4f}]",
                "largest loss": round(here.loss.max(), 4),
                "loss of the corners": round(here[here.is_corner].loss.mean(), 4),
                "lowest accuracy": round(here.accuracy.min(), 4),
            }
        )
    return pd.DataFrame(rows)
