"""Many networks moved onto each other, so that going round any cycle of them changes nothing.

The objective is a sum over all pairs. While the other networks are held, it is, but for a constant
and the factor n - 1, the objective of one pair: the network against the mean of the others.
"""

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from mconn import symmetry as groups, trees
from mconn.align.ascent import start_named, sweep
from mconn.align.cost import Cost, Position, Problem
from mconn.align.matching import check_finite, check_group, chosen_cost
from mconn.align.position import Leaves, WeightPosition, inner, stretches
from mconn.align.similarity import SimilarityProblem
from mconn.align.weights import WeightCost, WeightProblem, wide_leaves
from mconn.errors import ConfigError, StructureError
from mconn.symmetry import (
    Element,
    Generator,
    Group,
    check_fits,
    identity_on_host,
    identity_part,
    relative,
)
from mconn.types import Key, Params


class _Together:
    """Networks, each moved by its element so far. It is changed in place."""

    elements: list[dict[str, Any]]

    def against(self, i: int, others: Sequence[int]) -> Problem:
        """The problem of moving network ``i`` onto the mean of some others, where these are."""
        raise NotImplementedError

    def place(self, i: int, position: Position) -> None:
        self.elements[i] = dict(position.element)

    def pair(self, i: int, j: int) -> float:
        """The objective of two networks where they are."""
        raise NotImplementedError

    def copy(self) -> "_Together":
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list):
                setattr(other, name, list(value))
        return other


class _WeightsTogether(_Together):
    """The objective of a pair is <g_i w_i, g_j w_j>.

    Where the group stretches, it is half of |w_i|^2 + |w_j|^2 - |g_i w_i - g_j w_j|^2, which is the
    same if norms are kept.
    """

    def __init__(self, group: Group, networks: Sequence[Params]) -> None:
        self.group = group
        self.own = [wide_leaves(network) for network in networks]
        self.moved: list[Leaves] = list(self.own)
        self.elements = [identity_on_host(group) for _ in networks]
        self.stretches = stretches(group)

    def against(self, i: int, others: Sequence[int]) -> WeightProblem:
        first, *rest = (self.moved[j] for j in others)
        mean = {}
        for name, leaf in first.items():
            total = sum((leaves[name] for leaves in rest), start=leaf)
            mean[name] = total / len(others)
        return WeightProblem(self.group, mean, self.own[i])

    def place(self, i: int, position: Position) -> None:
        assert isinstance(position, WeightPosition)
        self.elements[i], self.moved[i] = dict(position.element), position.b

    def pair(self, i: int, j: int) -> float:
        a, b = self.moved[i], self.moved[j]
        value = _product(a, b)
        if self.stretches:
            for own, moved in ((self.own[i], a), (self.own[j], b)):
                value -= (_product(moved, moved) - _product(own, own)) / 2
        return value


class _SimilaritiesTogether(_Together):
    """The objective of a pair is the similarity of units that have one place in the universe."""

    def __init__(
        self, group: Group, problems: Mapping[tuple[int, int], SimilarityProblem], count: int
    ) -> None:
        self.group, self.unmoved = group, identity_on_host(group)
        self.elements = [dict(self.unmoved) for _ in range(count)]
        self.pairs = {pair: each.position(self.unmoved) for pair, each in problems.items()}

    def against(self, i: int, others: Sequence[int]) -> SimilarityProblem:
        generators = {generator.name: generator for generator in self.group.generators}

        def similarity(name: str, _: Element) -> np.ndarray | None:
            tables = [self.table(generators[name], j, i) for j in others]
            known = [table for table in tables if table is not None]
            return np.mean(known, axis=0) if known else None

        return SimilarityProblem(self.group, similarity)

    def table(self, generator: Generator, j: int, i: int) -> np.ndarray | None:
        table = self.pairs[min(i, j), max(i, j)].table(generator, self.unmoved)
        if table is None:
            return None
        table = table if j < i else np.swapaxes(table, -1, -2)
        part = self.elements[j][generator.name]
        if generator.kind == "permutation":
            return np.take_along_axis(table, part[..., :, None], axis=-2)
        return part @ table if generator.kind == "orthogonal" else part[..., :, None] * table

    def pair(self, i: int, j: int) -> float:
        return self.against(j, [i]).position(self.elements[j]).objective()


def _pose(group: Group, networks: Sequence[Params], cost: Cost | Problem) -> _Together:
    """Stand all networks where they are."""
    if isinstance(cost, WeightCost):
        return _WeightsTogether(group, networks)
    if not isinstance(cost, Cost):
        raise ConfigError(f"a {type(cost).__name__} is posed for two networks: pass a cost")
    count = len(networks)
    problems = {
        (i, j): cost.prepare(group, networks[i], networks[j])
        for i in range(count)
        for j in range(i + 1, count)
    }
    known = {
        pair: problem
        for pair, problem in problems.items()
        if isinstance(problem, SimilarityProblem) and not problem.coupled
    }
    if len(known) < len(problems):
        raise ConfigError(
            f"{type(cost).__name__} gives no matrix of similarities that holds whatever the other "
            "generators do: align many networks by WeightCost, ActivationCost, or a SimilarityCost "
            "that is not coupled"
        )
    return _SimilaritiesTogether(group, known, count)


def _product(a: Leaves, b: Leaves) -> float:
    return sum((inner(leaf, b[name]) for name, leaf in a.items()), start=0.0)


_SHUFFLED = 0.2
"""The fraction of a network's units that a perturbation shuffles."""


@dataclass(frozen=True)
class Universe:
    """What :func:`match_many` found: one element per network, which moves it into a common place.

    The common place is that of network 0, whose element is the identity.

    Attributes:
        group: the group.
        elements: the element of every network.
        objective: the sum of the objectives of all pairs.
        pairs: the objective of every pair i < j, for weights <g_i w_i, g_j w_j>.
        history: the sum at the start, after each round over the networks, and after each
            perturbation that was kept.
        fixed_point: whether the last round changed nothing, rather than the rounds running out.
    """

    group: Group = field(repr=False)
    elements: tuple[Element, ...] = field(repr=False)
    objective: float
    pairs: Mapping[tuple[int, int], float]
    history: tuple[float, ...]
    fixed_point: bool

    def between(self, i: int, j: int) -> dict[str, np.ndarray]:
        """The element g_i^-1 g_j, which moves network ``j`` onto network ``i``.

        These compose to the identity along every cycle: permutations exactly, and what is computed
        in floating point up to rounding.
        """
        return relative(self.group, self.elements[i], self.elements[j])

    def aligned(self, networks: Sequence[Params]) -> list[Params]:
        """The networks, each moved by its element; ``paths.simplex`` mixes them.

        Raises:
            StructureError: if they are not as many as were matched, or are others.
        """
        if len(networks) != len(self.elements):
            raise StructureError(
                f"{len(self.elements)} networks were matched and {len(networks)} are given: "
                "pass the networks in the order in which they were matched"
            )
        return [
            groups.act(self.group, element, network)
            for element, network in zip(self.elements, networks, strict=True)
        ]


def match_many(
    group: Group,
    networks: Sequence[Params],
    *,
    cost: str | Cost = "weights",
    start: str | Sequence[Element] = "profile",
    restarts: int = 1,
    perturbations: int = 0,
    sweeps: int = 100,
    key: Key | None = None,
) -> Universe:
    """Find one element per network, so that all networks lie close to each other.

    Block coordinate ascent of the sum over all pairs: the networks are visited in random order, and
    each is moved closer to the mean of the others, generator by generator, from where it stands;
    no step lowers the sum. Ainsworth et al. 2023, algorithm 3, for any discovered group; that the
    elements lead to one common place makes them consistent along cycles (Crisostomi et al. 2024,
    arXiv:2405.17897). At the start the networks join one after the other, in random order: each is
    matched to the mean of those before it.

    Args:
        group: the group, from :func:`mconn.symmetry.discover`, or a part of it.
        networks: two or more networks of one architecture.
        cost: what makes units alike: ``weights``, an :class:`ActivationCost`, or a
            :class:`SimilarityCost` that is not coupled.
        start: where a network starts when it joins: ``profile``, ``identity`` or ``random``, as in
            :func:`match`; or all elements, as in `Universe`.
        restarts: how many orders of joining and visits to try; the best sum is kept.
        perturbations: how often to shuffle a fifth of the units of one network after the ascent,
            and ascend again; kept where the sum is larger.
        sweeps: largest number of rounds over the networks, each one sweep over the generators.
        key: decides the orders, random starts and perturbations; ``jax.random.key(0)`` by default.

    Raises:
        StructureError: naming the first leaf in which two networks differ, or in which they are
            others than the group's; or with fewer than two networks.
        MconnError: naming the first leaf that is not finite.
        ConfigError: naming an unknown start, a cost that is for pairs only, or fewer than one
            restart.
    """
    check_group(group)
    _check_networks(group, networks)
    if restarts < 1:
        raise ConfigError(f"restarts is {restarts}: at least one start is needed")
    if not isinstance(start, str) and len(start) != len(networks):
        raise StructureError(
            f"{len(start)} elements are given for {len(networks)} networks: give one for each"
        )
    key = jax.random.key(0) if key is None else key
    unmoved = _pose(group, networks, chosen_cost(cost))

    def attempt(key: Key) -> tuple[_Together, list[float], bool]:
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        best = unmoved.copy()
        if isinstance(start, str):
            _join(group, best, start, generator, key)
        else:
            _stand(group, best, start)
        history, fixed_point = _ascend_together(group, best, sweeps, generator)
        for _ in range(perturbations):
            other = best.copy()
            _perturb(group, other, generator)
            later, is_fixed = _ascend_together(group, other, sweeps, generator)
            if later[-1] > history[-1]:
                best, history, fixed_point = other, [*history, later[-1]], is_fixed
        return best, history, fixed_point

    keys = [key] if restarts == 1 else list(jax.random.split(key, restarts))
    best, history, fixed_point = max(map(attempt, keys), key=lambda found: found[1][-1])
    first = best.elements[0]
    return Universe(
        group,
        tuple(relative(group, first, element) for element in best.elements),
        history[-1],
        {pair: best.pair(*pair) for pair in _pairs(best)},
        tuple(history),
        fixed_point,
    )


def _join(
    group: Group, together: _Together, start: str, generator: np.random.Generator, key: Key
) -> None:
    find = start_named(start)
    order = generator.permutation(len(together.elements)).tolist()
    if stretches(group):
        # The common place must be a network's own: distances depend on it.
        order.sort(key=lambda i: i != 0)
    keys = jax.random.split(key, len(order)) if start == "random" else [key] * len(order)
    for done, i in enumerate(order[1:], start=1):
        position = find(group, together.against(i, order[:done]), "random", keys[i])
        while sweep(group, position, "random", generator):
            pass
        together.place(i, position)


def _stand(group: Group, together: _Together, elements: Sequence[Element]) -> None:
    for i, each in enumerate(elements):
        element = relative(group, elements[0], each)
        together.place(i, together.against(i, [0]).position(element))


def _ascend_together(
    group: Group, together: _Together, sweeps: int, generator: np.random.Generator
) -> tuple[list[float], bool]:
    everyone = list(range(len(together.elements)))
    # Where norms change, the sum depends on the place that network 0 defines.
    movable = everyone[1:] if stretches(group) else everyone
    history = [_objective(together)]
    changed = True
    while changed and len(history) <= sweeps:
        changed = False
        for i in generator.permutation(movable).tolist():
            others = [j for j in everyone if j != i]
            position = together.against(i, others).position(together.elements[i])
            if sweep(group, position, "random", generator):
                together.place(i, position)
                changed = True
        if changed or len(history) == 1:
            history.append(_objective(together))
    return history, not changed


def _perturb(group: Group, together: _Together, generator: np.random.Generator) -> None:
    everyone = list(range(len(together.elements)))
    i = int(generator.choice(everyone[1:]))
    others = [j for j in everyone if j != i]
    position = together.against(i, others).position(together.elements[i])
    for each in group.generators:
        if each.kind == "permutation":
            count = min(each.size, max(2, round(_SHUFFLED * each.size)))
            chosen = generator.choice(each.size, count, replace=False)
            part = np.array(identity_part(each))
            part[..., chosen] = generator.permutation(chosen)
            position.move([(each, part)])
    together.place(i, position)


def _objective(together: _Together) -> float:
    return sum((together.pair(*pair) for pair in _pairs(together)), start=0.0)


def _pairs(together: _Together) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(together.elements)), 2))


def _check_networks(group: Group, networks: Sequence[Params]) -> None:
    if len(networks) < 2:
        raise StructureError(f"{len(networks)} networks are given: a universe needs at least two")
    check_fits(group, networks[0])
    for i, network in enumerate(networks):
        trees.check_same_structure(networks[0], network, ("network 0", f"network {i}"))
        check_finite(f"network {i}", network)
