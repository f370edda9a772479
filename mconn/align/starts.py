"""Where the ascent starts. From the identity it falls into poor local optima."""

from collections.abc import Callable

import jax.numpy as jnp

from mconn import symmetry as groups
from mconn.align.assignment import assign
from mconn.align.cost import Problem
from mconn.choices import check_choice
from mconn.symmetry import Element, Symmetry
from mconn.types import Key


def identity(symmetry: Symmetry, problem: Problem, solver: str, key: Key) -> Element:
    """The networks as they are."""
    return groups.identity(symmetry)


def random(symmetry: Symmetry, problem: Problem, solver: str, key: Key) -> Element:
    """A random element of the group."""
    return groups.random_element(symmetry, key)


def sorted_profile(symmetry: Symmetry, problem: Problem, solver: str, key: Key) -> Element:
    """Fix the generators one after the other, from the inputs on.

    Axes of generators that are not fixed yet are sorted before units are compared. Sorting is
    optimal transport in one dimension, so a unit is judged by the distribution of its weights
    where their order means nothing yet. It recovers permuted residual networks that the
    identity start loses.
    """
    names = [generator.name for generator in symmetry.generators]
    element: Element = {}
    for i, name in enumerate(names):
        similarity = problem.similarity(name, element, unknown=frozenset(names[i:]))
        element[name] = jnp.asarray(assign(similarity, solver))
    return element


STARTS: dict[str, Callable[[Symmetry, Problem, str, Key], Element]] = {
    "profile": sorted_profile,
    "identity": identity,
    "random": random,
}


def start_named(name: str) -> Callable[[Symmetry, Problem, str, Key], Element]:
    """The start of this name.

    Raises:
        ConfigError: if there is none.
    """
    check_choice("start", name, STARTS)
    return STARTS[name]
