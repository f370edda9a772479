"""Two networks of one architecture, merged only where their units are alike.

Units that are like no unit of the other network are kept from both, and the merged network is
wider by as many. Between no budget (the ordinary merge) and all of it (both networks side by side,
whose outputs are averaged) it trades size for loss. Stoica et al. 2024, *ZipIt*; Nasery et al.
2025, *PLeaS*, whose budgets differ by layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from mconn import trees
from mconn.align.cost import Cost
from mconn.align.matching import check_group, match
from mconn.align.unequal.likeness import UnequalPosition
from mconn.align.unequal.soft import blend, carry, carry_leaf, check_roles, made, pair, rebuilt
from mconn.align.weights import wide_leaves
from mconn.errors import ConfigError
from mconn.symmetry import Element, Group, permutations
from mconn.types import Key, Params


@dataclass(frozen=True)
class PartialMatch:
    """What :func:`match_partial` found.

    Attributes:
        element: the permutation of b's units that matches all of them.
        alone: for every generator the units of a that keep apart from b's, and b's aligned units in
            the same places from a's.
        distances: for every generator the squared distance of its matched units, in a's order:
            over all weights that make or read a unit.
        group: the permutations of the architecture.
        a, b: the networks; b has been moved by the element.
    """

    element: Element
    alone: Mapping[str, Int[np.ndarray, "_"]]
    distances: Mapping[str, Float[np.ndarray, "n"]]
    group: Group = field(repr=False)
    a: Params = field(repr=False)
    b: Params = field(repr=False)

    @property
    def widths(self) -> dict[str, int]:
        """The units of every generator in the merged network."""
        return {name: size + len(self.alone[name]) for name, size in self.group.sizes.items()}

    def merge(self, weight: float = 0.5) -> Params:
        """The merged network: matched units, then those of a that are alone, then those of b.

        Matched units are averaged with the ``weight`` of b. Units of one network read what it has
        in the matched units, and nothing of the other's own; what they send out counts as much as
        their network. The merged function is only approximate where units are averaged, and where
        a normaliser (LayerNorm) averages over the units of both networks.

        Raises:
            ConfigError: if the weight is outside [0, 1].
        """
        pairing = pair(self.group, self.group, ("a", "a"))
        sides, masks = [], []
        for which, network in enumerate((self.a, self.b)):
            maps, apart = self.places(which)
            leaves = {name: np.asarray(x) for name, x in trees.named_leaves(network).items()}
            check_roles(pairing, maps, leaves)
            mask = made(self.group, apart, network)
            wide = {k: carry_leaf(pairing, maps, k, value) for k, value in leaves.items()}
            sides.append(rebuilt(network, wide))
            masks.append({k: carry_leaf(pairing, maps, k, mask[k]) for k in mask})
        return blend(sides[0], sides[1], weight, (masks[0], masks[1]))

    def places(
        self, which: int
    ) -> tuple[dict[str, Float[np.ndarray, "wide n"]], dict[str, Bool[np.ndarray, "n"]]]:
        """Where the units of a (0) or b (1) go, and which of them are alone."""
        maps, apart = {}, {}
        for name, size in self.group.sizes.items():
            alone = self.alone[name]
            matched = np.setdiff1d(np.arange(size), alone)
            maps[name] = np.zeros((size + len(alone), size))
            maps[name][np.arange(len(matched)), matched] = 1
            own = len(matched) + which * len(alone) + np.arange(len(alone))
            maps[name][own, alone] = 1
            apart[name] = np.isin(np.arange(size), alone)
        return maps, apart


def match_partial(
    group: Group,
    a: Params,
    b: Params,
    *,
    budget: float | Mapping[str, float],
    cost: str | Cost = "weights",
    start: str = "profile",
    key: Key | None = None,
) -> PartialMatch:
    """Match the units of two networks of one architecture, but for those that are least alike.

    All units are matched as by :func:`mconn.align.match`; then the pairs are parted whose weights
    are furthest apart, since these lose most in the mean. On three pairs of digits networks 3 x 256
    a quarter of the units leaves a mean merged loss of .110 then, of .140 if they are drawn at
    random, and of .146 if those with the smallest inner product are parted (they are the small
    ones); without any it is .322.

    Args:
        group: the group of the architecture; its permutations matter.
        a: a network.
        b: another one.
        budget: which fraction of the units stays alone, of every generator or of each by name
            (others have none). The merged network has that fraction more units.
        cost: what makes units alike, as in :func:`mconn.align.match`.
        start: as in :func:`mconn.align.match`.
        key: as in :func:`mconn.align.match`.

    Raises:
        ConfigError: if a budget is outside [0, 1], or for a generator that does not exist.
        SymmetryError: naming a leaf whose units cannot be kept apart.
        StructureError, MconnError: as :func:`mconn.align.match`.
    """
    check_group(group)
    group = permutations(group)
    budgets = _budgets_of(group, budget)
    pairing = pair(group, group, ("a", "b"))
    for name, fraction in budgets.items():
        if fraction > 0:
            pairing.check_mixable(name)
    found = match(group, a, b, cost=cost, start=start, key=key)
    order = {name: np.eye(len(p))[np.asarray(p)] for name, p in found.element.items()}
    here, moved = trees.to_numpy(a), carry(group, group, order, trees.to_numpy(b))
    position = UnequalPosition(pairing, wide_leaves(here), wide_leaves(moved))
    position.maps = {name: np.eye(size) for name, size in group.sizes.items()}
    distances, alone = {}, {}
    for name, size in group.sizes.items():
        distances[name] = position.likeness(name).matched_distances()
        furthest = np.argsort(-distances[name], kind="stable")
        alone[name] = np.sort(furthest[: round(budgets[name] * size)])
    return PartialMatch(found.element, alone, distances, group, here, moved)


def _budgets_of(group: Group, budget: float | Mapping[str, float]) -> dict[str, float]:
    names = list(group.sizes)
    budgets = dict(budget) if isinstance(budget, Mapping) else dict.fromkeys(names, budget)
    for name, fraction in budgets.items():
        if name not in names:
            raise ConfigError(
                f"the budget names the generator '{name}': the network has {', '.join(names)}"
            )
        if not 0 <= fraction <= 1:
            raise ConfigError(
                f"the budget of '{name}' is {fraction}: it is the fraction of units that stay "
                "alone, from 0 to 1"
            )
    return {name: float(budgets.get(name, 0.0)) for name in names}
