"""What a fit minimises: one number from the losses at several points of the path.

The mean (Garipov et al. 2018) does not control the maximum, which is what a barrier reports; the
soft maximum goes from the one to the other as its temperature falls.
"""

from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.errors import ConfigError


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
