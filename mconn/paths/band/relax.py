"""One cycle of a band, a few steps at a time."""

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.errors import DivergenceError
from mconn.paths.band.config import BandConfig, Resolved, Rule
from mconn.paths.band.program import begin, run_steps
from mconn.progress import Task
from mconn.training.optimiser import learning_rate
from mconn.trees import to_numpy
from mconn.types import Batch, EvalFn, Params

STEPS_PER_CALL = 100
"""Steps between two looks at the losses, for divergence and for progress."""


class Band(NamedTuple):
    """A band between two cycles, on the host.

    Attributes:
        controls: its pivots, stacked, ends included.
        shares: of every segment in the length.
    """

    controls: Params
    shares: Float[np.ndarray, "segments"]

    @property
    def pivots(self) -> int:
        """Their number, ends included."""
        return len(self.shares) + 1


@dataclass(frozen=True)
class Relaxation:
    """What all cycles of a band share.

    Attributes:
        eval_fn: whose metric ``loss`` is minimised.
        config: of the band.
        seed: decides the batches.
        data: all examples, on the device.
        end_losses: of both ends on all examples.
    """

    eval_fn: EvalFn
    config: BandConfig
    seed: tuple[int, ...]
    data: Batch
    end_losses: Float[Array, "2 examples"]

    def cycle(self, band: Band, number: int, cycle: Resolved, task: Task, before: int) -> Band:
        """The band after the steps of a cycle.

        Args:
            band: before them.
            number: of the cycle, from 1.
            cycle: its steps and learning rate.
            task: where to report to.
            before: steps of the cycles before.

        Raises:
            DivergenceError: if a loss is not finite.
        """
        config, examples = self.config, self.end_losses.shape[1]
        rule = rule_of(config)
        rows = batches((*self.seed, number), examples, config.batch_size, cycle.steps)
        rates = step_rates(config, cycle)
        state = begin(band.controls, rule)
        for start in range(0, cycle.steps, STEPS_PER_CALL):
            began = time.perf_counter()
            part = slice(start, start + STEPS_PER_CALL)
            state, losses = run_steps(
                state,
                band.shares,
                rows[part],
                rates[part],
                self.end_losses,
                self.data,
                eval_fn=self.eval_fn,
                rule=rule,
            )
            losses = np.asarray(losses)
            refuse_divergence(losses, number, start, cycle.learning_rate)
            seconds = time.perf_counter() - began
            task.update(
                before + start + len(losses),
                cycle=number,
                pivots=band.pivots,
                loss=float(losses[-1].max()),
                speed=f"{losses.size * config.batch_size / seconds:,.0f} examples/s",
            )
        return Band(to_numpy(state.controls), band.shares)


def rule_of(config: BandConfig) -> Rule:
    """The rule of a step, which is that of all cycles: their learning rates are arguments."""
    optimiser = replace(config.optimiser, learning_rate=1.0, schedule="constant")
    return Rule(optimiser, config.spring, config.weight_decay, config.held)


def batches(
    seed: tuple[int, ...], examples: int, size: int, steps: int
) -> Int[np.ndarray, "steps size"]:
    """The examples of every step: passes over the data, each in its own random order."""
    generator = np.random.default_rng(seed)
    per_pass = examples // size
    orders = [
        generator.permutation(examples)[: per_pass * size] for _ in range(-(-steps // per_pass))
    ]
    return np.concatenate(orders).reshape(-1, size)[:steps].astype(np.int32)


def step_rates(config: BandConfig, cycle: Resolved) -> Float[np.ndarray, "steps"]:
    """The learning rate of every step of a cycle."""
    optimiser = replace(config.optimiser, learning_rate=cycle.learning_rate)
    rates = jax.jit(learning_rate(optimiser, 1, cycle.steps))(np.arange(cycle.steps))
    return np.broadcast_to(np.asarray(rates, np.float32), cycle.steps)


def refuse_divergence(
    losses: Float[np.ndarray, "steps free"], cycle: int, before: int, rate: float
) -> None:
    """Refuse steps in which a loss is not finite."""
    if np.isfinite(losses).all():
        return
    step, pivot = np.argwhere(~np.isfinite(losses))[0]
    raise DivergenceError(
        f"the loss of pivot {pivot + 1} is not finite at step {before + step + 1} of cycle "
        f"{cycle}: lower the learning rate, now {rate}"
    )
