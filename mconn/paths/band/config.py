"""How an elastic band is relaxed: its cycles, and the rule of one step."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from mconn.errors import ConfigError
from mconn.training import Optimiser


@dataclass(frozen=True)
class Cycle:
    """Steps between two looks at the whole chain; None means as in the cycle before.

    Attributes:
        steps: of the optimiser. The first cycle has to say.
        learning_rate: the largest one of the cycle; the optimiser's in the first cycle.
        insert: how many pivots are inserted at most before the first step, where the chain sags
            most; 0 in the first cycle.

    Raises:
        ConfigError: for a value out of range.
    """

    steps: int | None = None
    learning_rate: float | None = None
    insert: int | None = None

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise ConfigError(f"steps is {self.steps}: a cycle needs at least 1")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}: it must be above 0")
        if self.insert is not None and self.insert < 0:
            raise ConfigError(f"insert is {self.insert}: it must be at least 0")


def auto_neb() -> tuple[Cycle, ...]:
    """The 14 cycles of the published AutoNEB (Draxler et al. 2018, appendix)."""
    return (
        Cycle(1000, 0.1),
        *[Cycle(insert=2)] * 3,
        *[Cycle(2000)] * 2,
        *[Cycle(1000, 0.01, insert=0)] * 4,
        *[Cycle(learning_rate=0.001)] * 4,
    )


@dataclass(frozen=True)
class BandConfig:
    """The relaxation of a band.

    The defaults are those of AutoNEB (Draxler et al. 2018, code), but that a step shows all pivots
    the same batch.

    Attributes:
        cycles: each as its difference from the one before.
        batch_size: examples of one step, the same for all pivots.
        optimiser: of every pivot by itself, begun anew in every cycle; its schedule is that of a
            cycle, and its weight decay must be 0.
        spring: the springs' constant, in nats per squared length. Infinite ones hold the pivots at
            their share of the length: after every step they are put back along the chain.
        weight_decay: wd in 0.5 wd |x|^2, which is added to the loss of a pivot x.
        sub_points: points of every segment, between its two pivots, at which the chain is
            evaluated after a cycle.
        threshold: how far the loss inside a segment must exceed the straight line between its two
            pivots' losses for a pivot to be inserted, as a share of the chain's range of losses.
            (.1 is the published code's, the paper says .2.)
        held: leaves whose names begin so stay as they are: running statistics. They do not count
            in lengths, and lie on a straight line in an inserted pivot.

    Raises:
        ConfigError: for a value out of range.
    """

    cycles: tuple[Cycle, ...] = field(default_factory=auto_neb)
    batch_size: int = 512
    optimiser: Optimiser = field(
        default=Optimiser("sgd", learning_rate=0.1, momentum=0.9, schedule="constant")
    )
    spring: float = math.inf
    weight_decay: float = 0.0
    sub_points: int = 9
    threshold: float = 0.1
    held: tuple[str, ...] = ("batch_stats",)

    def __post_init__(self) -> None:
        if not self.cycles:
            raise ConfigError("there is no cycle: a band needs at least one")
        if self.cycles[0].steps is None:
            raise ConfigError("the first cycle has no steps: there is none before it to take from")
        for name in ("batch_size", "sub_points"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not self.spring > 0:
            raise ConfigError(f"spring is {self.spring}: it must be above 0, or infinite")
        if self.weight_decay < 0 or self.threshold < 0:
            raise ConfigError(
                f"weight_decay is {self.weight_decay} and threshold is {self.threshold}: neither "
                "may be below 0"
            )
        if self.optimiser.weight_decay:
            raise ConfigError(
                f"the optimiser's weight_decay is {self.optimiser.weight_decay}, which would pull "
                "along the band, too: set the band's weight_decay instead"
            )
        if self.optimiser.warmup_epochs:
            raise ConfigError(
                f"warmup_epochs is {self.optimiser.warmup_epochs}: the band counts steps, not "
                "epochs, so leave it at 0"
            )

    def resolved(self) -> "list[Resolved]":
        """Every cycle with all its numbers."""
        steps, rate, insert = 0, self.optimiser.learning_rate, 0
        found = []
        for cycle in self.cycles:
            steps = steps if cycle.steps is None else cycle.steps
            rate = rate if cycle.learning_rate is None else cycle.learning_rate
            insert = insert if cycle.insert is None else cycle.insert
            found.append(Resolved(steps, rate, insert))
        return found


class Resolved(NamedTuple):
    """A cycle without reference to the one before."""

    steps: int
    learning_rate: float
    insert: int


@dataclass(frozen=True)
class Rule:
    """What the compiled program of a step depends on; see `BandConfig`."""

    optimiser: Optimiser
    spring: float
    weight_decay: float
    held: tuple[str, ...]
