"""One network moved onto another: the start, the ascent from it, and what is said of the result."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.align.ascent import Schedule, ascend, start_named
from mconn.align.contribution import ContributionCost
from mconn.align.cost import Cost, Position, Problem
from mconn.align.similarity import ActivationCost
from mconn.align.solvers import margins
from mconn.align.weights import CovarianceCost, WeightCost, wide_leaves
from mconn.checks import check_choice, check_kind
from mconn.errors import ConfigError, MconnError
from mconn.symmetry import Element, Group, act, check_fits
from mconn.types import ApplyFn, Key, Params


@dataclass(frozen=True)
class Match:
    """What :func:`match` found.

    Objective and barrier are different things: the best match of the weights can be the worst
    path. Judge a match by :func:`mconn.landscape.barrier`.

    Attributes:
        element: the element g; :meth:`apply` moves a network by it.
        objective: what the ascent maximised, in the cost's unit.
        margins: for every generator that is matched unit by unit, how much the objective loses if
            a unit changes its place (see `mconn.align.solvers.margins`), in the order of a's units.
            Where margins are near zero other matches are as good: an ambiguity of the networks.
        history: the objective at the start and after each sweep that changed something.
        fixed_point: whether the last sweep changed nothing, rather than the sweeps running out.
        group: the group.
        problem: what was solved.
    """

    element: Element
    objective: float
    margins: Mapping[str, Float[np.ndarray, "..."]]
    history: tuple[float, ...]
    fixed_point: bool
    group: Group = field(repr=False)
    problem: Problem = field(repr=False)

    def apply(self, b: Params) -> Params:
        """The aligned network: ``symmetry.act(group, element, b)``."""
        return act(self.group, self.element, b)

    @functools.cached_property
    def bound(self) -> float:
        """A number that no element's objective exceeds; computed when it is first asked for."""
        return self.problem.bound()


def match(
    group: Group,
    a: Params,
    b: Params,
    *,
    cost: str | Cost | Problem = "weights",
    start: str | Element = "profile",
    schedule: str | Schedule = "random",
    restarts: int = 1,
    key: Key | None = None,
) -> Match:
    """Find the element of the group that moves ``b`` closest to ``a``.

    Block coordinate ascent: visit the generators; for each, hold the others, and project its
    overlap onto the generator's group: linear assignment for permutations, the polar factor for
    orthogonal matrices, a quartic's root for scalings, Gauss-Newton for invertible matrices, and
    assignment over the inner solutions for permuted heads. No step lowers the objective. Ainsworth
    et al. 2023, algorithm 1, for any cost and any discovered group.

    ::

        found = align.match(group, a, b, cost=align.ActivationCost(apply, inputs))
        profile = landscape.evaluate(eval_fn, paths.line(a, found.apply(b)), 25, data)

    It runs on the host, where nothing needs to be compiled; :func:`mconn.align.climb` is the same
    for permutations inside ``jit`` and ``vmap``.

    Args:
        group: the group, from :func:`mconn.symmetry.discover`, or a part of it:
            ``symmetry.permutations(group)``, ``group.restricted(["permutation", "orthogonal"])``.
        a: the network that stays.
        b: the network that is moved.
        cost: what makes units alike: ``weights``, or one that sees data, such as
            ``ActivationCost(apply, inputs)``; or the ``problem`` of a match of the same networks,
            which is not posed again.
        start: ``profile`` (sorted profiles), ``identity``, ``random``, or an element.
        schedule: the order of visits: ``random``, or ``margin``, the surest matches first; or a
            `Schedule`, which bounds the number of sweeps too.
        restarts: how many starts to try: after ``start`` random ones. The best result is kept.
            Narrow networks, which have few units to tell apart, gain from some.
        key: decides the order of visits and the random start; ``jax.random.key(0)`` by default.

    Raises:
        StructureError: naming the first leaf in which the networks differ from each other, or
            from the network that the group was discovered for; or an argument of another kind.
        MconnError: naming the first leaf that is not finite.
        ConfigError: naming an unknown cost, start or schedule, or fewer than one start.
    """
    check_group(group)
    cost = chosen_cost(cost)
    trees.check_same_structure(a, b)
    check_fits(group, a)
    for name, network in (("a", a), ("b", b)):
        check_finite(name, network)
    schedule = Schedule(schedule) if isinstance(schedule, str) else schedule
    if restarts < 1:
        raise ConfigError(f"restarts is {restarts}: at least one start is needed")
    key = jax.random.key(0) if key is None else key
    problem = cost if isinstance(cost, Problem) else cost.prepare(group, a, b)

    def attempt(number: int) -> tuple[Position, list[float], bool]:
        own = key if number == 0 else jax.random.fold_in(key, number)
        if number > 0 or isinstance(start, str):
            begin = start_named("random" if number > 0 else str(start))
            position = begin(group, problem, schedule.order, own)
        else:
            position = problem.position(start)
        return position, *ascend(group, position, schedule, own)

    attempts = map(attempt, range(restarts))
    position, history, fixed_point = max(attempts, key=lambda found: found[1][-1])
    gaps = {}
    for generator in group.generators:
        overlap = position.overlap(generator)
        found = None if overlap is None else margins(generator, overlap)
        if found is not None:
            gaps[generator.name] = found
    element = dict(position.element)
    return Match(element, history[-1], gaps, tuple(history), fixed_point, group, problem)


def chosen_cost(cost: str | Cost | Problem) -> Cost | Problem:
    """The cost, which may be given by its name."""
    if isinstance(cost, str):
        return cost_named(cost)
    way_out = "pass 'weights', ActivationCost(apply, inputs) or SimilarityCost(function)"
    check_kind("cost", cost, (Cost, Problem), way_out)
    return cost


def check_group(group: Group) -> None:
    """Refuse what is no group, such as the network's function."""
    check_kind("group", group, Group, "make it with symmetry.discover(apply, params, inputs)")


def check_finite(name: str, network: Params) -> None:
    """Refuse a network that has diverged."""
    for leaf, value in wide_leaves(network).items():
        if not np.isfinite(value).all():
            raise MconnError(
                f"leaf '{leaf}' of {name} is not finite: the network has diverged, "
                "align an earlier checkpoint"
            )


_WITH_DATA: dict[str, Callable[..., Any]] = {
    "activations": ActivationCost,
    "covariance": CovarianceCost,
    "contribution": ContributionCost,
}

COSTS = ("weights", *_WITH_DATA)
"""The names of the costs."""


def cost_named(
    name: str,
    apply: ApplyFn | None = None,
    inputs: Float[Array | np.ndarray, "n ..."] | None = None,
) -> Cost:
    """The cost of a name, with its defaults.

    Args:
        name: ``weights``, ``activations``, ``covariance`` or ``contribution``.
        apply: the network, (params, inputs) -> outputs; all but ``weights`` need it.
        inputs: examples, shape (n, ...); all but ``weights`` need some.

    Raises:
        ConfigError: naming an unknown cost, or one that needs the network and examples.
    """
    check_choice("cost", name, COSTS)
    if name == "weights":
        return WeightCost()
    make = _WITH_DATA[name]
    if apply is None or inputs is None:
        raise ConfigError(
            f"the cost '{name}' compares units on data, which a name does not have: pass "
            f"align.{make.__name__}(apply, inputs)"
        )
    return make(apply, inputs)
