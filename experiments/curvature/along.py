"""Does the Hessian's largest eigenvalue say anything of barriers, and does it fall with width?

The notes say that the largest eigenvalue along the path is O(1/width), so that wide networks have
no barrier. Three parametrisations of the same networks show that its exponent is a matter of the
parametrisation, and the one in which it is -1 keeps its barrier. The curvature identity says why:
what makes a barrier is negative curvature in the line's direction, which the largest eigenvalue
does not bound; and in networks with ReLU a part of it sits in kinks, where no Hessian shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from experiments._shared.controls import alignment_claims
from experiments._shared.slopes import slope_of
from experiments.curvature.claims import (
    Published,
    kink_claims,
    law_claims,
    mean_field_slopes,
    published_claims,
    slopes,
    traces,
    width_controls,
)
from experiments.curvature.figures import (
    direction_figure,
    kink_figure,
    spectrum_figure,
    width_figure,
)
from experiments.curvature.line_claims import line_claims
from experiments.curvature.lines import NAIVE, Directions, Extremes
from experiments.curvature.network import PARAMETRISATIONS, RATES, Loss
from experiments.curvature.width import AFTER, PLACES, CurvatureByWidth
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage, frame
from mconn.experiment.stages import Align, Train
from mconn.training import TrainConfig


@dataclass(frozen=True)
class PathCurvature(Experiment):
    """Curvature against width, along lines, and what kinks hide of it.

    Attributes:
        smooth: networks with tanh, whose Hessian is the whole second derivative.
        kinked: networks with ReLU.
        losses: that networks of several widths minimise.
        widths: of their hidden layer.
        seeds: networks of each width.
        goal: the loss that they are trained to.
        points: points on each line.
        eigenvalue_points: those with eigenvalues, among them.
        steps: nodes of spectral densities.
        probes: random vectors for them.
        published: slopes of pilots at these widths.
    """

    smooth: TrainConfig
    kinked: TrainConfig
    losses: tuple[Loss, ...]
    widths: tuple[int, ...]
    seeds: int
    goal: float
    points: int = 101
    eigenvalue_points: int = 11
    steps: int = 100
    probes: int = 4
    published: Published = ()

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or self.seeds < 2:
            raise ConfigError(
                f"widths are {self.widths}, with {self.seeds} seeds each: a slope and a line need "
                "two widths and two seeds"
            )
        step, rest = divmod(self.points - 1, max(self.eigenvalue_points - 1, 1))
        if rest or step < 1 or self.eigenvalue_points % 2 == 0 or self.eigenvalue_points < 3:
            raise ConfigError(
                f"eigenvalue_points is {self.eigenvalue_points} and points is {self.points}: take "
                "an odd number, three or more, whose points are among the others, such as 11 and "
                "101"
            )

    def stages(self) -> dict[str, Stage]:
        """Widths, and the lines of both kinds of networks."""
        smooth, kinked = Train(self.smooth), Train(self.kinked)
        matched = {train: Align(train, "activations") for train in (smooth, kinked)}
        return {
            **{
                f"widths {loss}": CurvatureByWidth(
                    self.smooth.data, loss, self.widths, self.seeds, self.goal
                )
                for loss in self.losses
            },
            "align smooth": matched[smooth],
            "align kinked": matched[kinked],
            "directions smooth": Directions(smooth, matched[smooth], self.points),
            "directions kinked": Directions(kinked, matched[kinked], self.points),
            "extremes": Extremes(
                smooth, matched[smooth], self.eigenvalue_points, self.steps, self.probes
            ),
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """Slopes, the curvature along lines, and the share that kinks hide."""
        widths, lines, directions, kinks, extremes, densities = (
            frame(results, name)
            for name in ("widths", "lines", "directions", "kinks", "extremes", "densities")
        )
        tanh, tanh_kinks = (rows[rows.activation == "tanh"] for rows in (directions, kinks))
        missed = 100 * kinks.groupby(["activation", "method"])["missed"].mean()["relu", NAIVE]
        model, name = self.smooth.model, self.smooth.data.name
        networks = f"MLP {model.depth} x {model.width} on {name}"
        pairs = kinks["pair"].nunique()
        after = {kind: slopes(widths, kind)[self.losses[0], AFTER].value for kind in RATES}
        stays = ", ".join(f"{slope.value:.2f}" for slope in mean_field_slopes(lines, "barrier"))
        rates = ", ".join(f"{RATES[kind]:g} {kind}" for kind in PARAMETRISATIONS)
        return Report(
            title="Curvature along paths",
            question="Is the Hessian's largest eigenvalue O(1/width), and would that keep wide "
            "networks free of barriers?",
            summary="largest eigenvalue of trained networks ~ width^"
            + ", ".join(f"{value:.2f} ({kind})" for kind, value in after.items())
            + f"; the barrier in mean field ~ width^{stays}; second derivatives miss "
            f"{missed:.0f} % of ReLU barriers",
            headline=self.headline(widths, lines),
            note="Exponents of the width, from means over "
            f"{self.seeds} seeds at widths {', '.join(map(str, self.widths))}: bias-free ReLU "
            f"networks with one hidden layer, on all training examples of {name}, trained on all "
            f"of them at once by Adam (rates {rates}) down to a loss of {self.goal:g} "
            "(cross-entropy in nats, or half the squared error). Largest eigenvalue of the Hessian "
            "of the mean training loss, which does not see the kinks of ReLU, before training, "
            "after it, and half way on the line to the next seed, which is not matched; barrier of "
            "that line above its chord.",
            sections=[
                Section(
                    "Width",
                    figures={"widths": width_figure(widths, lines)},
                    tables={"widths": widths, "width_lines": lines},
                    captions={
                        "widths": "Bands reach from the lowest to the highest seed or line; the "
                        "numbers are the slopes. Right: the barrier of naive lines."
                    },
                ),
                Section(
                    "Lines",
                    figures={"directions": direction_figure(tanh, extremes)},
                    tables={"directions": directions, "extremes": extremes},
                    captions={
                        "directions": f"{networks}, tanh, training loss, {pairs} pairs of seeds: "
                        "thin lines, with 95 % bands over examples; thick: their mean. Shaded: "
                        "where its curvature in the line's direction is negative. Scales differ "
                        "between the columns, except for the largest eigenvalue: matching takes "
                        "away most of the barrier and of the negative curvature."
                    },
                ),
                Section(
                    "Spectrum",
                    figures={"spectrum": spectrum_figure(densities)},
                    tables={"traces": traces(densities), "densities": densities},
                    captions={
                        "spectrum": "Share of eigenvalues per unit, by stochastic Lanczos "
                        "quadrature; every node is a bell as wide as 1 % of the largest.",
                        "traces": f"Standard errors over {self.probes} random vectors, the same "
                        "at every point.",
                    },
                ),
                Section(
                    "Kinks",
                    figures={"kinks": kink_figure(directions, kinks)},
                    tables={"kinks": kinks},
                    captions={
                        "kinks": f"{networks}. Height of the training loss above the chord, and "
                        "what the second derivative by automatic differentiation explains of it "
                        "(one naive line). Right: the share that is missed; a dot per line with "
                        "its standard error over examples, and the mean."
                    },
                ),
            ],
            claims=[
                *published_claims(widths, self.published),
                *law_claims(widths, lines),
                *line_claims(tanh, tanh_kinks, extremes),
                *kink_claims(kinks),
                *width_controls(widths, self.goal),
                *alignment_claims([results["align smooth"], results["align kinked"]]),
            ],
        )

    def headline(self, widths: Frame, lines: Frame) -> Frame:
        """A row per loss and parametrisation."""
        rows = []
        for kind in PARAMETRISATIONS:
            found, line = slopes(widths, kind), lines[lines.parametrisation == kind]
            for loss in self.losses:
                row = {place: round(found[loss, place].value, 2) for place in PLACES}
                barrier = round(slope_of(line[line.trained_on == loss], "barrier").value, 2)
                rows.append({"loss": loss, "parametrisation": kind, **row, "barrier": barrier})
        return pd.DataFrame(rows)
