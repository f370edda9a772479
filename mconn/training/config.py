"""What is trained, and how; the optimiser as an optax transformation."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import optax

from mconn.checks import check_choice
from mconn.data import DataConfig
from mconn.errors import ConfigError

OptimiserName = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "cosine", "plateau"]


@dataclass(frozen=True)
class Optimiser:
    """The optimiser, its learning rate over time, and its weight decay.

    Attributes:
        name: ``sgd`` (with momentum), ``adam`` or ``adamw``.
        learning_rate: the largest one of the schedule.
        momentum: of ``sgd``; the others do not use it.
        weight_decay: of ``sgd`` it is added to the gradient (an L2 penalty), of ``adamw``
            decoupled from it (Loshchilov and Hutter, arXiv:1711.05101); ``adam`` has none.
        schedule: after the warm-up, ``constant``; or falling to 0 as half a ``cosine``; or a
            ``plateau`` for the first half and then a straight fall to 1 % at 90 % (Garipov et al.
            2018, Izmailov et al. 2018).
        warmup_epochs: epochs in which the learning rate rises from 0 on a line.

    Raises:
        ConfigError: for an unknown name or a value out of range.
    """

    name: OptimiserName = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    warmup_epochs: int = 0

    def __post_init__(self) -> None:
        check_choice("optimiser", self.name, get_args(OptimiserName))
        check_choice("schedule", self.schedule, get_args(Schedule))
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}: it must be above 0")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is {self.momentum}: it must be at least 0 and below 1")
        if self.weight_decay < 0 or self.warmup_epochs < 0:
            raise ConfigError(
                f"weight_decay is {self.weight_decay} and warmup_epochs is {self.warmup_epochs}: "
                "neither may be below 0"
            )
        if self.name == "adam" and self.weight_decay:
            raise ConfigError("adam has no weight decay: choose adamw, or set weight_decay to 0")


def transformation(optimiser: Optimiser, epochs: int, steps: int) -> optax.GradientTransformation:
    """The optax transformation for ``epochs`` epochs of ``steps`` steps."""
    rate = learning_rate(optimiser, epochs, steps)
    if optimiser.name == "adam":
        return optax.adam(rate)
    if optimiser.name == "adamw":
        return optax.adamw(rate, weight_decay=optimiser.weight_decay)
    sgd = optax.sgd(rate, momentum=optimiser.momentum or None)
    if optimiser.weight_decay:
        return optax.chain(optax.add_decayed_weights(optimiser.weight_decay), sgd)
    return sgd


def learning_rate(optimiser: Optimiser, epochs: int, steps: int) -> optax.Schedule:
    """The learning rate as a function of the step, from 0 to ``epochs * steps``."""
    warmup = optimiser.warmup_epochs * steps
    rate, rest = optimiser.learning_rate, epochs * steps - warmup
    if optimiser.schedule == "cosine":
        main = optax.cosine_decay_schedule(rate, rest)
    elif optimiser.schedule == "plateau":
        main = optax.linear_schedule(rate, 0.01 * rate, max(1, int(0.4 * rest)), rest // 2)
    else:
        main = optax.constant_schedule(rate)
    if not warmup:
        return main
    rise = optax.linear_schedule(0.0, optimiser.learning_rate, warmup)
    return optax.join_schedules([rise, main], [warmup])


@dataclass(frozen=True)
class TrainConfig:
    """One training of several seeds.

    Attributes:
        model: a Flax Linen module whose call takes ``(x, train=False)`` and returns logits.
        data: which data set, and how it is prepared.
        optimiser: the optimiser of every seed.
        seeds: one network each; a seed alone decides its network's weights and batches.
        epochs: passes over the training split.
        batch_size: examples of one step; an epoch's last, incomplete batch is dropped.

    Raises:
        ConfigError: for a size below one, a repeated seed, or a warm-up that never ends.
    """

    model: Any
    data: DataConfig
    optimiser: Optimiser = Optimiser()
    seeds: tuple[int, ...] = (0, 1)
    epochs: int = 20
    batch_size: int = 100

    def __post_init__(self) -> None:
        for name, size in (("epochs", self.epochs), ("batch_size", self.batch_size)):
            if size < 1:
                raise ConfigError(f"{name} is {size}: it must be at least 1")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(f"seeds are {self.seeds}: name at least one, and each one once")
        if not all(0 <= seed < 2**31 for seed in self.seeds):
            raise ConfigError(f"seeds are {self.seeds}: each must be at least 0 and below 2**31")
        if self.optimiser.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"warmup_epochs is {self.optimiser.warmup_epochs} and epochs is {self.epochs}: "
                "the warm-up must end before the training does"
            )
