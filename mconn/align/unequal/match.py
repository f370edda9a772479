"""Two networks of one form and different widths, matched and merged."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from mconn.align.matching import check_finite, check_group
from mconn.align.position import SMALLEST_GAIN
from mconn.align.unequal.likeness import UnequalActivations, UnequalPosition
from mconn.align.unequal.methods import METHODS, Method
from mconn.align.unequal.soft import Pairing, blend, carry, is_permutation, made, pair
from mconn.align.weights import wide_leaves
from mconn.checks import check_choice, check_kind
from mconn.errors import ConfigError
from mconn.symmetry import Group, check_fits
from mconn.types import Params


@dataclass(frozen=True)
class UnequalMatch:
    """What :func:`match_unequal` found.

    Attributes:
        maps: for every generator how much of each unit of a goes with each of b, (n_a, n_b); rows
            normalised they carry b's units to a, columns normalised a's to b.
        objective: minus half the squared distance between the network with more parameters and
            the other one in its architecture, where several units are averaged that of each (see
            `UnequalPosition.objective`); with activations, the similarity of matched units.
        history: the objective after the start and after each sweep that raised it.
        margins: for every generator and unit of its wider side (of a, if none is) by how much its
            match is more alike than the next best. Negative where units stood in each other's way.
        groups: the groups of a and b.
        a, b: the networks.
    """

    maps: Mapping[str, Float[np.ndarray, "n m"]]
    objective: float
    history: tuple[float, ...]
    margins: Mapping[str, Float[np.ndarray, "_"]]
    groups: tuple[Group, Group] = field(repr=False)
    a: Params = field(repr=False)
    b: Params = field(repr=False)

    @functools.cached_property
    def unmatched(self) -> dict[str, tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]]:
        """For every generator the units of a, and those of b, that have no match."""
        return {
            name: (np.flatnonzero(matrix.sum(axis=1) == 0), np.flatnonzero(matrix.sum(axis=0) == 0))
            for name, matrix in self.maps.items()
        }

    def carried(self, into: str = "a") -> Params:
        """The other network in the architecture of this one."""
        check_choice("into", into, ("a", "b"))
        here, there = self.groups
        if into == "a":
            return carry(there, here, self.maps, self.b)
        return carry(here, there, {name: m.T for name, m in self.maps.items()}, self.a)

    def merge(self, into: str = "a", weight: float = 0.5) -> Params:
        """The merged network in the architecture of a or of b.

        Units that have no match in the other network are kept as they are, and what they send out
        counts as much as their network.

        Args:
            into: whose architecture.
            weight: of b; at 0 and 1 this is a or b, one of them carried.

        Raises:
            ConfigError: if there is no such architecture, or the weight is outside [0, 1].
        """
        moved = self.carried(into)
        alone = {
            name: matrix.sum(axis=1 if into == "a" else 0) == 0
            for name, matrix in self.maps.items()
        }
        if into == "a":
            return blend(self.a, moved, weight, (made(self.groups[0], alone, self.a), {}))
        return blend(moved, self.b, weight, ({}, made(self.groups[1], alone, self.b)))


def match_unequal(
    group_a: Group,
    a: Params,
    group_b: Group,
    b: Params,
    *,
    method: str | Method = "semi-permutation",
    cost: str | UnequalActivations = "weights",
    start: str = "profile",
    sweeps: int = 20,
) -> UnequalMatch:
    """Match the units of two networks of one form whose widths may differ.

    By weights: the generators are matched one after the other, then again as long as that brings
    the networks closer. By activations each generator is matched once.

    Args:
        group_a: the group of a, from :func:`mconn.symmetry.discover`; its permutations matter.
        a: a network.
        group_b: the group of b.
        b: a network of other widths.
        method: ``semi-permutation``, ``assignment``, ``transport``, or one of
            `SemiPermutation`, `Assignment`, `Transport` of `mconn.align.unequal.methods`.
        cost: ``weights``, or an :class:`UnequalActivations`, which compares units on data.
        start: where weights are compared first: ``profile`` (axes that have not been matched are
            compared by their quantiles) or ``order`` (they are taken in the networks' order).
        sweeps: the most sweeps over the generators after the start; 0 leaves one pass from the
            inputs on.

    Raises:
        StructureError: naming the generator or leaf in which the networks differ in more than
            widths.
        SymmetryError: naming a leaf whose units cannot be averaged or divided, where widths
            differ.
        ConfigError: naming an unknown method or start, or a setting that the widths do not allow.
        MconnError: naming the first leaf that is not finite.
    """
    check_choice("start", start, ("profile", "order"))
    for each in (group_a, group_b):
        check_group(each)
    if isinstance(method, str):
        check_choice("method", method, METHODS)
        method = METHODS[method]()
    way_out = "pass SemiPermutation(), Assignment() or Transport(), or one of their names"
    check_kind("method", method, Method, way_out)
    if isinstance(cost, str) and cost != "weights":
        raise ConfigError(
            f"the cost '{cost}' is not 'weights', and other costs need the networks and examples: "
            "pass align.UnequalActivations(apply_a, apply_b, inputs)"
        )
    pairing = pair(group_b, group_a, ("b", "a"))
    for label, group, network in (("a", pairing.second, a), ("b", pairing.first, b)):
        check_fits(group, network)
        check_finite(label, network)
    for name, (here, there) in pairing.sizes.items():
        if here != there:
            pairing.check_mixable(name)
    groups = pairing.second, pairing.first
    if not isinstance(cost, str):
        return _by_activations(pairing, method, cost, groups, a, b)
    sides = wide_leaves(a), wide_leaves(b)
    turned = sum(x.size for x in sides[0].values()) < sum(x.size for x in sides[1].values())
    if turned:
        pairing = pair(group_a, group_b, ("a", "b"))
        sides = sides[::-1]
    position = UnequalPosition(pairing, *sides)
    history = _ascend(position, method, start, sweeps)
    maps, gaps = {}, {}
    for name, matrix in position.maps.items():
        likeness = position.likeness(name)
        gaps[name] = _margins(matrix, likeness.gain(matrix.shape[1] / matrix.shape[0]))
        maps[name] = matrix.T if turned else matrix
    return UnequalMatch(maps, history[-1], tuple(history), gaps, groups, a, b)


def _ascend(position: UnequalPosition, method: Method, start: str, sweeps: int) -> list[float]:
    names = list(position.pairing.generators)
    if start == "order":
        position.maps = {name: _in_order(*position.pairing.sizes[name]) for name in names}
    for name in names:
        position.maps[name] = _solved(position, method, name)
    history = [position.objective(position.maps)]
    for _ in range(sweeps):
        best = history[-1]
        for name in names:
            maps = {**position.maps, name: _solved(position, method, name)}
            objective = position.objective(maps)
            if objective > best + SMALLEST_GAIN * abs(best):
                position.maps, best = maps, objective
        if best == history[-1]:
            break
        history.append(best)
    return history


def _solved(position: UnequalPosition, method: Method, name: str) -> Float[np.ndarray, "n m"]:
    matrix = method.coupling(name, position.likeness(name))
    if not is_permutation(matrix):
        position.pairing.check_mixable(name)
    return matrix


def _in_order(old: int, new: int) -> Float[np.ndarray, "new old"]:
    ends = np.arange(new + 1) / new, np.arange(old + 1) / old
    upper = np.minimum(ends[0][1:, None], ends[1][None, 1:])
    lower = np.maximum(ends[0][:-1, None], ends[1][None, :-1])
    return np.maximum(upper - lower, 0)


def _by_activations(
    pairing: Pairing,
    method: Method,
    cost: UnequalActivations,
    groups: tuple[Group, Group],
    a: Params,
    b: Params,
) -> UnequalMatch:
    found = cost.likeness(groups, a, b)
    maps, gaps, total = {}, {}, 0.0
    for name, (old, new) in pairing.sizes.items():
        if name not in found:
            maps[name] = _in_order(old, new)
            continue
        matrix = method.coupling(name, found[name])
        maps[name] = matrix
        gaps[name] = _margins(matrix, found[name].made)
        total += float((matrix / max(matrix.sum(), 1e-30) * found[name].made).sum())
    return UnequalMatch(maps, total, (total,), gaps, groups, a, b)


def _margins(
    matrix: Float[np.ndarray, "n m"], similarity: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, "_"]:
    if matrix.shape[0] < matrix.shape[1]:
        matrix, similarity = matrix.T, similarity.T
    match = matrix.argmax(axis=1)[:, None]
    own = np.take_along_axis(similarity, match, axis=1)[:, 0]
    others = similarity.copy()
    np.put_along_axis(others, match, -np.inf, axis=1)
    return own - others.max(axis=1)
