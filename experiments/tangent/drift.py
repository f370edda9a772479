"""How far does the tangent kernel move: with width, through a training, and between two networks?

At infinite width the kernel is the same for every seed and stays where it is, and training is that
of a linear model (Jacot et al., NeurIPS 2018). What is left of this at finite width is measured:
the spread over seeds, the drift in training and how it falls with width, the first correction of
the tangent hierarchy (Huang and Yau, ICML 2020), when in training the kernel moves (Fort et al.,
NeurIPS 2020), and whether the tangent picture holds on the line between two trained networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from experiments._shared.controls import alignment_claims
from experiments._shared.slopes import slope_of
from experiments.tangent.claims import (
    ADAM,
    LAZY,
    PLAIN,
    epoch_claims,
    forecast_claims,
    line_claims,
    spread_claims,
    width_claims,
)
from experiments.tangent.figures import epoch_figure, line_figure, width_figure
from experiments.tangent.network import Parametrisation
from experiments.tangent.training import Epochs, Lines
from experiments.tangent.width import Digits, DriftByWidth, Forecast, Spread
from mconn.errors import ConfigError
from mconn.experiment import Experiment, Report, Result, Section, Stage, frame
from mconn.experiment.stages import Align, Train
from mconn.training import TrainConfig

TREATMENTS: tuple[tuple[Parametrisation, bool], ...] = (
    ("tangent", False),
    ("standard", False),
    ("standard", True),
)


@dataclass(frozen=True)
class TangentDrift(Experiment):
    """Tangent kernels against width, through a training, and along lines between its seeds.

    Attributes:
        train: the training that is followed, and whose seeds are connected.
        digits: training examples of the networks of several widths.
        widths: of the trained ones.
        spread_widths: of those that are not trained.
        depths: hidden layers of those.
        seeds: trained networks of each width.
        spread_seeds: networks of each width before training.
        goal: the loss (half the squared error) that all widths are trained to.
        at: epochs of the training at which kernels are measured.
        examples: test examples whose kernels are measured.
        points: points on each line; an odd number.
        shares: lengths of the step that is forecast, over the largest stable one.
    """

    train: TrainConfig
    digits: Digits
    widths: tuple[int, ...]
    spread_widths: tuple[int, ...]
    depths: tuple[int, ...]
    seeds: int
    spread_seeds: int
    goal: float
    at: tuple[int, ...]
    examples: int
    points: int
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or self.seeds < 2:
            raise ConfigError(
                f"widths are {self.widths}, with {self.seeds} seeds each: a slope with its "
                "interval needs two widths and two seeds"
            )
        if self.points % 2 == 0 or self.points < 3:
            raise ConfigError(f"points is {self.points}: take an odd number, three or more")

    def stages(self) -> dict[str, Stage]:
        """Widths, spread, forecast, epochs, and lines between the trained seeds."""
        seeds = tuple(range(self.seeds))
        train = Train(self.train)
        aligned = Align(train, "activations")
        by_width = {
            f"drift {stage.name}": stage
            for stage in (
                DriftByWidth(self.digits, self.widths, 1, *treatment, seeds, self.goal)
                for treatment in TREATMENTS
            )
        }
        return {
            **by_width,
            "spread": Spread(self.digits, self.spread_widths, self.depths, self.spread_seeds),
            "forecast": Forecast(
                self.digits, self.widths, ("relu", "gelu"), seeds[:2], self.shares
            ),
            "epochs": Epochs(self.train, self.at, self.examples),
            "align": aligned,
            "lines naive": Lines(train, None, self.points, self.examples),
            "lines aligned": Lines(train, aligned, self.points, self.examples),
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """Slopes, speeds, and what happens half way."""
        drift, spread, forecast, through, lines = (
            frame(results, name) for name in ("drift", "spread", "forecast", "epochs", "lines")
        )
        epochs = results["epochs"]
        on_lines = {name: result for name, result in results.items() if name.startswith("lines")}
        slopes = {
            name: slope_of(drift[drift.treatment == name], "drift") for name in (LAZY, PLAIN, ADAM)
        }
        model = self.train.model
        name = f"MLP {model.depth} x {model.width} on {self.train.data.name}"
        half = lines[lines.t == 0.5].groupby("method")["drift"].mean()
        return Report(
            title="Drift of the tangent kernel",
            question="How much of the picture of a fixed tangent kernel is left at finite width: "
            "in training, over seeds, and on the line between two networks?",
            summary="drift ~ width^"
            + ", ".join(f"{slopes[each].value:.2f} ({each})" for each in slopes)
            + f"; half way between seeds {half['naive']:.2f} naive, "
            f"{half['activations']:.2f} aligned",
            headline=pd.DataFrame(
                [
                    {
                        "treatment": each,
                        "slope of drift against width": round(slope.value, 3),
                        "lowest seed": round(slope.low, 3),
                        "highest seed": round(slope.high, 3),
                    }
                    for each, slope in slopes.items()
                ]
            ),
            note="Kernels are contracted: the mean over outputs of the kernel of each. Widths: "
            f"bias-free ReLU networks with one hidden layer, on {self.digits.examples} training "
            f"examples of digits, trained on all of them at once down to a loss of {self.goal:g} "
            "(half the squared error; gradient descent at the inverse of the kernel's largest "
            "eigenvalue over the number of examples, or Adam at 0.001), kernels on the same "
            f"examples. Training and lines: {name}, kernels on {self.examples} test examples. "
            "Bands reach from the lowest to the highest seed or pair.",
            sections=[
                Section(
                    "Width",
                    figures={"width": width_figure(drift, spread, forecast)},
                    tables={"drift": drift, "spread": spread, "forecast": forecast},
                    captions={
                        "width": "Left: relative drift of the kernel in training. Middle: its "
                        "variance over seeds before training, tangent parametrisation. Right: the "
                        "kernel after one step of gradient descent (in units of the largest "
                        "stable one) against kernel + step x derivative.",
                        "spread": "Shift: squared distance of the mean over seeds from the kernel "
                        "of infinite width, relative to it, less its noise.",
                    },
                ),
                Section(
                    "Training",
                    figures={"epochs": epoch_figure(through, epochs.facts)},
                    tables={"epochs": through},
                    captions={
                        "epochs": f"{name}. Left: how far the centred kernel has turned, beside "
                        "two seeds before training; after it they differ by "
                        f"{epochs.facts['seeds after']:.3f}. Middle: from one measured epoch to "
                        "the next."
                    },
                ),
                Section(
                    "Lines",
                    figures={"lines": line_figure(lines)},
                    tables={"lines": lines},
                    captions={
                        "lines": "Kernels along the straight line from one trained seed to "
                        "another, as it is or permuted to match activations. Below left: how far "
                        "the kernel has turned, whatever its size. Below right: root "
                        "mean square of the outputs minus those of the linearisation at t = 0, "
                        "over that of their change."
                    },
                ),
            ],
            claims=[
                *width_claims(drift, self.goal),
                *spread_claims(spread),
                *forecast_claims(forecast),
                *epoch_claims(through, epochs.facts),
                *line_claims(lines, on_lines),
                *alignment_claims([results["align"]]),
            ],
        )
