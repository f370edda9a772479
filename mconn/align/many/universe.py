"""Many networks moved onto each other, so that going round any cycle of them changes nothing."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np

from mconn import symmetry as groups, trees
from mconn.align.ascent import sweep
from mconn.align.balance import stretches
from mconn.align.cost import Cost
from mconn.align.many.together import Together, pose
from mconn.align.matching import check_finite, check_group, chosen_cost
from mconn.align.starts import start_named
from mconn.errors import ConfigError, StructureError
from mconn.symmetry import Element, Group
from mconn.symmetry.action import check_fits
from mconn.symmetry.elements import identity_part, relative
from mconn.types import Key, Params

SHUFFLED = 0.2
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
    check_networks(group, networks)
    if restarts < 1:
        raise ConfigError(f"restarts is {restarts}: at least one start is needed")
    if not isinstance(start, str) and len(start) != len(networks):
        raise StructureError(
            f"{len(start)} elements are given for {len(networks)} networks: give one for each"
        )
    key = jax.random.key(0) if key is None else key
    unmoved = pose(group, networks, chosen_cost(cost))

    def attempt(key: Key) -> tuple[Together, list[float], bool]:
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        best = unmoved.copy()
        if isinstance(start, str):
            join(group, best, start, generator, key)
        else:
            stand(group, best, start)
        history, fixed_point = ascend_together(group, best, sweeps, generator)
        for _ in range(perturbations):
            other = best.copy()
            perturb(group, other, generator)
            later, is_fixed = ascend_together(group, other, sweeps, generator)
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
        {pair: best.pair(*pair) for pair in pairs(best)},
        tuple(history),
        fixed_point,
    )


def join(
    group: Group, together: Together, start: str, generator: np.random.Generator, key: Key
) -> None:
    """Match the networks one after the other, each to the mean of those before it."""
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


def stand(group: Group, together: Together, elements: Sequence[Element]) -> None:
    """Put every network where its element moves it, relative to network 0."""
    for i, each in enumerate(elements):
        element = relative(group, elements[0], each)
        together.place(i, together.against(i, [0]).position(element))


def ascend_together(
    group: Group, together: Together, sweeps: int, generator: np.random.Generator
) -> tuple[list[float], bool]:
    """Visit the networks until none moves; the sum's history, and whether it came to an end."""
    everyone = list(range(len(together.elements)))
    # Where norms change, the sum depends on the place that network 0 defines.
    movable = everyone[1:] if stretches(group) else everyone
    history = [objective(together)]
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
            history.append(objective(together))
    return history, not changed


def perturb(group: Group, together: Together, generator: np.random.Generator) -> None:
    """Shuffle some units of one network, of every permutation."""
    everyone = list(range(len(together.elements)))
    i = int(generator.choice(everyone[1:]))
    others = [j for j in everyone if j != i]
    position = together.against(i, others).position(together.elements[i])
    for each in group.generators:
        if each.kind == "permutation":
            count = min(each.size, max(2, round(SHUFFLED * each.size)))
            chosen = generator.choice(each.size, count, replace=False)
            part = np.array(identity_part(each))
            part[..., chosen] = generator.permutation(chosen)
            position.move([(each, part)])
    together.place(i, position)


def objective(together: Together) -> float:
    """The sum over all pairs."""
    return sum((together.pair(*pair) for pair in pairs(together)), start=0.0)


def pairs(together: Together) -> list[tuple[int, int]]:
    """All pairs i < j."""
    return list(itertools.combinations(range(len(together.elements)), 2))


def check_networks(group: Group, networks: Sequence[Params]) -> None:
    """Refuse networks that cannot be aligned."""
    if len(networks) < 2:
        raise StructureError(f"{len(networks)} networks are given: a universe needs at least two")
    check_fits(group, networks[0])
    for i, network in enumerate(networks):
        trees.check_same_structure(networks[0], network, ("network 0", f"network {i}"))
        check_finite(f"network {i}", network)
