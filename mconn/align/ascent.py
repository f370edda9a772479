"""Block coordinate ascent over the generators of the group."""

from dataclasses import dataclass

import jax
import numpy as np

from mconn.align.cost import NONE, Overlap, Position
from mconn.align.solve import margins, solve
from mconn.checks import check_choice
from mconn.symmetry import Generator, Group
from mconn.types import Key

ORDERS = ("random", "margin")


@dataclass(frozen=True)
class Schedule:
    """How an ascent visits the generators.

    Attributes:
        order: of the visits in a sweep: ``random``, or ``margin``, the surest matches first.
        sweeps: the most sweeps over the generators; 0 leaves the start as it is.

    Raises:
        ConfigError: naming an unknown order.
    """

    order: str = "random"
    sweeps: int = 100

    def __post_init__(self) -> None:
        check_choice("schedule", self.order, ORDERS)


def ascend(
    group: Group, position: Position, schedule: Schedule, key: Key
) -> tuple[list[float], bool]:
    """Sweep until nothing changes; the objective's history, and whether it came to an end.

    The position is moved in place.
    """
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    history = [position.objective()]
    changed = True
    while changed and len(history) <= schedule.sweeps:
        changed = sweep(group, position, schedule.order, generator)
        if changed or len(history) == 1:
            history.append(position.objective())
    return history, not changed


def sweep(group: Group, position: Position, schedule: str, generator: np.random.Generator) -> bool:
    """Visit every generator once; whether that raised the objective."""
    changed = False
    for each in in_schedule(list(group.generators), position, schedule, generator):
        changed = improve(position, each) or changed
    return changed


def in_schedule(
    generators: list[Generator],
    position: Position,
    schedule: str,
    generator: np.random.Generator,
) -> list[Generator]:
    """The generators in the order in which a sweep visits them."""
    if schedule == "random":
        return [generators[i] for i in generator.permutation(len(generators))]
    sure = {g.name: sureness(g, position, NONE) for g in generators}
    return sorted(generators, key=lambda g: -sure[g.name])


def improve(position: Position, generator: Generator) -> bool:
    """Give one generator its best part; whether that raised the objective."""
    if position.is_settled(generator):
        return False
    overlap = position.overlap(generator)
    return overlap is not None and position.try_move(generator, solve(generator, overlap))


def sureness(generator: Generator, position: Position, unknown: frozenset[str]) -> float:
    """The mean margin of the optimal match, relative to the mean gain of a unit."""
    overlap = position.overlap(generator, unknown)
    if overlap is None or generator.kind != "permutation":
        return float("-inf")
    matched = overlap.cross[1]
    matched = np.take_along_axis(matched, solve(generator, overlap)[..., None, :], axis=-1)
    gaps = margins(generator, Overlap({1: matched}, {}))
    own = np.abs(np.diagonal(matched, axis1=-2, axis2=-1)).mean()
    return float("inf") if gaps is None or own == 0 else float(np.mean(gaps) / own)
