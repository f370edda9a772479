"""What is measured of the networks while they are trained."""

import abc
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError
from mconn.progress import Field
from mconn.types import Params

Observed = dict[str, Float[np.ndarray, " measurements"]]
"""Every number at epoch 0 (before training), 1, ...; NaN where it was not measured."""


class Observer(abc.ABC):
    """Measures all networks of a training now and then; it changes nothing of the training.

    Attributes:
        every: epochs from one measurement to the next. The networks before the first epoch and
            after the last one are always measured.
    """

    every: int = 1

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """What `measure` returns, which must not change during a training."""

    @abc.abstractmethod
    def measure(self, networks: Params, initial: Params) -> Mapping[str, float]:
        """The numbers of one moment.

        Args:
            networks: the variables of all seeds, stacked.
            initial: those that they had before the first epoch.
        """

    def show(self, observed: Observed) -> Mapping[str, Field]:
        """Called after every measurement with all of them so far, also those before a stop.

        Returns:
            What to show beside the training's progress until the next measurement.
        """
        return {}

    def is_due(self, epoch: int, epochs: int) -> bool:
        """Whether the networks are measured after so many epochs."""
        return epoch in (0, epochs) or epoch % self.every == 0


def nothing_observed(observer: Observer | None, epochs: int) -> Observed:
    """Room for all measurements of a training.

    Raises:
        ConfigError: if the observer measures less often than never.
    """
    if observer is None:
        return {}
    if observer.every < 1:
        raise ConfigError(f"every is {observer.every}: measure every epoch (1) or more seldom")
    return {name: np.full(epochs + 1, np.nan) for name in sorted(observer.names)}


def observe(
    observer: Observer, observed: Observed, epoch: int, now: Params, start: Params
) -> Mapping[str, Field]:
    """Measure, note the numbers in ``observed``, and show them.

    Returns:
        What to show beside the training's progress.

    Raises:
        ConfigError: if the observer returns other names than it announced.
    """
    measured = observer.measure(now, start)
    if set(measured) != set(observed):
        wrong = sorted(set(measured) ^ set(observed))
        raise ConfigError(
            f"the observer announces {len(observed)} numbers and measures {len(measured)}; "
            f"they differ in {', '.join(wrong)}: return exactly its `names`"
        )
    for name, value in measured.items():
        observed[name][epoch] = value
    return observer.show(observed)
