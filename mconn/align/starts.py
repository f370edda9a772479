"""Where the ascent starts. From the identity it falls into poor local optima."""

from collections.abc import Callable

import numpy as np

from mconn import symmetry as groups
from mconn.align.ascent import Schedule, ascend, sureness
from mconn.align.balance import between, compact, shortest, stretches
from mconn.align.cost import Position, Problem
from mconn.align.costs.weights import WeightProblem
from mconn.align.solve import solve
from mconn.checks import check_choice
from mconn.symmetry import Generator, Group
from mconn.symmetry.elements import identity_on_host
from mconn.types import Key

SWEEPS = 100
"""Of the ascent that aligns the shortest representatives."""

Start = Callable[[Group, Problem, str, Key], Position]


def identity(group: Group, problem: Problem, schedule: str, key: Key) -> Position:
    """The networks as they are."""
    return problem.position(identity_on_host(group))


def random(group: Group, problem: Problem, schedule: str, key: Key) -> Position:
    """A random element of the group."""
    element = groups.random_element(group, key)
    return problem.position({name: np.asarray(part) for name, part in element.items()})


def sorted_profile(group: Group, problem: Problem, schedule: str, key: Key) -> Position:
    """Fix the generators one after the other.

    Axes of generators that are not fixed yet are sorted before units are compared. Sorting is
    optimal transport in one dimension, so a unit is judged by the distribution of its weights
    where their order means nothing yet. It recovers permuted residual networks that the
    identity start loses. Permutations of copies come before what is inside a copy, and generators
    follow each other from the inputs on, or, scheduled by margin, the surest match first. Where
    the group stretches, the shortest representatives are aligned (`mconn.align.balance`).
    """
    if isinstance(problem, WeightProblem) and stretches(group):
        (first, a), (second, b) = (shortest(group, x) for x in (problem.a, problem.b))
        part = compact(group)
        found = sorted_profile(part, WeightProblem(part, a, b), schedule, key)
        ascend(part, found, Schedule(schedule, SWEEPS), key)
        return problem.position(between(group, first, found.element, second))
    position = identity(group, problem, schedule, key)
    # Angles and factors are found in the ascent.
    kinds = ("permutation", "sign", "orthogonal", "general linear")
    left = [generator for generator in group.generators if generator.kind in kinds]
    left = sorted(left, key=lambda g: (len(g.fibres), g.kind == "sign"))
    solved: set[str] = set()
    while left:
        unknown = frozenset(generator.name for generator in left)
        generator = left[0] if schedule == "random" else surest(left, position, unknown)
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


def surest(generators: list[Generator], position: Position, unknown: frozenset[str]) -> Generator:
    """The generator whose units are told apart best, of those with the fewest fibres."""
    first = [g for g in generators if len(g.fibres) == len(generators[0].fibres)]
    return max(first, key=lambda generator: sureness(generator, position, unknown))


STARTS: dict[str, Start] = {"profile": sorted_profile, "identity": identity, "random": random}


def start_named(name: str) -> Start:
    """The start of this name.

    Raises:
        ConfigError: if there is none.
    """
    check_choice("start", name, STARTS)
    return STARTS[name]
