"""How the free control points of a path are fitted, and what a fit minimises.

The objective is one number from the losses at several points of the path. The mean (Garipov et al.
2018) does not control the maximum, which is what a barrier reports; the soft maximum goes from the
one to the other as its temperature falls.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.paths.path import ControlledPath
from mconn.paths.sampling import Sampler, Uniform
from mconn.training import Optimiser


@dataclass(frozen=True)
class Mean:
    """The mean loss over the points."""

    least_points = 1

    def __call__(self, losses: Float[Array, "points"], done: Float[Array, ""]) -> Float[Array, ""]:
        """The objective; ``done`` is the share of the fit that lies behind, from 0 to 1."""
        return losses.mean()


@dataclass(frozen=True)
class SoftMaximum:
    """tau log mean exp(loss / tau), with a temperature tau that falls geometrically.

    It lies between the mean (tau large) and the maximum (tau small), and its gradient weighs each
    point by the softmax of losses / tau.

    Attributes:
        start: temperature at the beginning, in nats.
        end: temperature at the end, in nats.

    Raises:
        ConfigError: if the temperatures do not fall or are not positive.
    """

    start: float = 1.0
    end: float = 0.01

    least_points = 2

    def __post_init__(self) -> None:
        if not 0 < self.end <= self.start:
            raise ConfigError(
                f"the temperature goes from {self.start} to {self.end}: it must be positive and "
                "must not rise"
            )

    def __call__(self, losses: Float[Array, "points"], done: Float[Array, ""]) -> Float[Array, ""]:
        """The objective; ``done`` is the share of the fit that lies behind, from 0 to 1."""
        temperature = self.start * (self.end / self.start) ** done
        scaled = jax.nn.logsumexp(losses / temperature) - jnp.log(len(losses))
        return temperature * scaled


@dataclass(frozen=True)
class Maximum:
    """The largest loss of the points."""

    least_points = 2

    def __call__(self, losses: Float[Array, "points"], done: Float[Array, ""]) -> Float[Array, ""]:
        """The objective; ``done`` is the share of the fit that lies behind, from 0 to 1."""
        return losses.max()


Objective: TypeAlias = Mean | SoftMaximum | Maximum

Penalty: TypeAlias = Callable[[ControlledPath], Float[Array, ""]]
"""A number that is added to the objective; hashable."""


@dataclass(frozen=True)
class FitConfig:
    """A fit of the free control points by stochastic gradients.

    The defaults are those of Garipov et al. 2018 for a Bezier curve, but for the schedule: the
    mean over uniform t, one t per batch, weight decay of the point.

    Attributes:
        epochs: passes over the data.
        batch_size: examples of one step; an epoch's last, incomplete batch is dropped.
        optimiser: of the control points; it has no weight decay of its own.
        points: points of the path in one step, all on the same batch.
        objective: of the losses at these points.
        sampling: where the points are drawn.
        weight_decay: wd in 0.5 wd |path(t)|^2, which is added to the loss at t. It acts on the
            point, not on the control points, of all leaves that are trained.
        penalty: added to the objective, or None.
        average: the share of the fit, at its end, over which the control points are averaged;
            0 keeps the last ones.
        held: leaves whose names begin so stay as they are: running statistics.

    Raises:
        ConfigError: for a value out of range.
    """

    epochs: int = 30
    batch_size: int = 128
    optimiser: Optimiser = field(default=Optimiser("sgd", learning_rate=0.03))
    points: int = 1
    objective: Objective = field(default=Mean())
    sampling: Sampler = field(default=Uniform())
    weight_decay: float = 0.0
    penalty: Penalty | None = None
    average: float = 0.0
    held: tuple[str, ...] = ("batch_stats",)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "points"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        least = self.objective.least_points
        if self.points < least:
            raise ConfigError(
                f"points is {self.points}: {type(self.objective).__name__} compares the losses of "
                f"one batch at several points, so take at least {least}"
            )
        if self.optimiser.weight_decay:
            raise ConfigError(
                f"the optimiser's weight_decay is {self.optimiser.weight_decay}, which would pull "
                "the control points, not the points of the path, to zero: set the fit's "
                "weight_decay instead"
            )
        if self.optimiser.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"warmup_epochs is {self.optimiser.warmup_epochs} and epochs is {self.epochs}: "
                "the warm-up must end before the fit does"
            )
        if self.weight_decay < 0 or not 0 <= self.average < 1:
            raise ConfigError(
                f"weight_decay is {self.weight_decay} and average is {self.average}: the first "
                "may not be below 0, the second must be at least 0 and below 1"
            )
