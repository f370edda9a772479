"""Block coordinate ascent over the generators of the group, and where it starts."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import numpy as np

from mconn import symmetry as groups
from mconn.align.cost import NONE, Overlap, Position, Problem
from mconn.align.position import Leaves, stretches
from mconn.align.solvers import margins, solve
from mconn.align.weights import WeightProblem
from mconn.checks import check_choice
from mconn.symmetry import Element, Generator, Group, identity_on_host, relative
from mconn.types import Key

_ORDERS = ("random", "margin")


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
        check_choice("schedule", self.order, _ORDERS)


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
    for each in _in_schedule(list(group.generators), position, schedule, generator):
        changed = _improve(position, each) or changed
    return changed


def _in_schedule(
    generators: list[Generator], position: Position, schedule: str, generator: np.random.Generator
) -> list[Generator]:
    if schedule == "random":
        return [generators[i] for i in generator.permutation(len(generators))]
    sure = {g.name: _sureness(g, position, NONE) for g in generators}
    return sorted(generators, key=lambda g: -sure[g.name])


def _improve(position: Position, generator: Generator) -> bool:
    if position.is_settled(generator):
        return False
    overlap = position.overlap(generator)
    return overlap is not None and position.try_move(generator, solve(generator, overlap))


def _sureness(generator: Generator, position: Position, unknown: frozenset[str]) -> float:
    overlap = position.overlap(generator, unknown)
    if overlap is None or generator.kind != "permutation":
        return float("-inf")
    matched = overlap.cross[1]
    matched = np.take_along_axis(matched, solve(generator, overlap)[..., None, :], axis=-1)
    gaps = margins(generator, Overlap({1: matched}, {}))
    own = np.abs(np.diagonal(matched, axis1=-2, axis2=-1)).mean()
    return float("inf") if gaps is None or own == 0 else float(np.mean(gaps) / own)


def compact(group: Group) -> Group:
    """The subgroup of the elements that keep norms."""
    generators = tuple(
        replace(generator, kind="orthogonal") if generator.kind == "general linear" else generator
        for generator in group.generators
        if generator.kind != "scaling"
    )
    return replace(group, generators=generators)


def _shortest(group: Group, leaves: Leaves) -> tuple[Element, Leaves]:
    element = groups.canonical_element(group, dict(leaves))
    moved = groups.act(group, element, dict(leaves))
    return element, {name: np.asarray(leaf) for name, leaf in moved.items()}


def _between(group: Group, first: Element, aligned: Element, second: Element) -> Element:
    lifted = groups.lift(group, aligned)
    return relative(group, first, groups.compose(group, lifted, second))


_SWEEPS = 100
"""Of the ascent that aligns the shortest representatives."""

_Start = Callable[[Group, Problem, str, Key], Position]


def _identity(group: Group, problem: Problem, schedule: str, key: Key) -> Position:
    return problem.position(identity_on_host(group))


def _random(group: Group, problem: Problem, schedule: str, key: Key) -> Position:
    element = groups.random_element(group, key)
    return problem.position({name: np.asarray(part) for name, part in element.items()})


def _sorted_profile(group: Group, problem: Problem, schedule: str, key: Key) -> Position:
    """Fix the generators one after the other.

    Axes of generators that are not fixed yet are sorted before units are compared. Sorting is
    optimal transport in one dimension, so a unit is judged by the distribution of its weights
    where their order means nothing yet. It recovers permuted residual networks that the
    identity start loses. Permutations of copies come before what is inside a copy, and generators
    follow each other from the inputs on, or, scheduled by margin, the surest match first. Where
    the group stretches, the shortest representatives are aligned (`mconn.align.ascent`).
    """
    if isinstance(problem, WeightProblem) and stretches(group):
        (first, a), (second, b) = (_shortest(group, x) for x in (problem.a, problem.b))
        part = compact(group)
        found = _sorted_profile(part, WeightProblem(part, a, b), schedule, key)
        ascend(part, found, Schedule(schedule, _SWEEPS), key)
        return problem.position(_between(group, first, found.element, second))
    position = _identity(group, problem, schedule, key)
    # Angles and factors are found in the ascent.
    kinds = ("permutation", "sign", "orthogonal", "general linear")
    left = [generator for generator in group.generators if generator.kind in kinds]
    left = sorted(left, key=lambda g: (len(g.fibres), g.kind == "sign"))
    solved: set[str] = set()
    while left:
        unknown = frozenset(generator.name for generator in left)
        generator = left[0] if schedule == "random" else _surest(left, position, unknown)
        left.remove(generator)
        overlap = position.overlap(generator, unknown)
        if overlap is None or not any(each.any() for each in overlap.cross.values()):
            continue
        steps = position.step(generator, solve(generator, overlap), unknown)
        position.move(steps)
        position.settle(generator, unknown)
        solved |= {each.name for each, _ in steps}
        left = [each for each in left if each.name not in solved]
    return position


def _surest(generators: list[Generator], position: Position, unknown: frozenset[str]) -> Generator:
    first = [g for g in generators if len(g.fibres) == len(generators[0].fibres)]
    return max(first, key=lambda generator: _sureness(generator, position, unknown))


_STARTS: dict[str, _Start] = {"profile": _sorted_profile, "identity": _identity, "random": _random}


def start_named(name: str) -> _Start:
    """The start of this name."""
    check_choice("start", name, _STARTS)
    return _STARTS[name]
