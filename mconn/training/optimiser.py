"""The optimiser's description as an optax transformation."""

import optax

from mconn.training.config import Optimiser


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
