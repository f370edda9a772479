"""Polygonal chains through networks that have the units of one network in other places.

Such a chain can have thousands of knots, so they are not stored as networks: a knot is a table of
which unit of the given network stands where.

The step-wise curve from a network to a permuted one exchanges two units at a time. A permutation of
n units with c cycles is n - c exchanges, each a straight segment. The network at every knot is a
permutation of the first, so the loss there is the same, and the barrier of the curve is the largest
of single exchanges: lower than that of the straight line, but not zero (two permuted networks are
isolated points of their orbit). With a spare unit it is zero, see `mconn.paths.spare`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from mconn.checks import check_kind
from mconn.errors import SymmetryError
from mconn.paths import domain
from mconn.paths.path import Path
from mconn.symmetry import (
    Element,
    Generator,
    Group,
    Site,
    View,
    act,
    identity_part,
    in_order,
    take_along,
)
from mconn.trees import leaf_name
from mconn.types import Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Arrangement:
    """Where the units of one generator stand: at every knot of a chain, for every copy of them.

    Attributes:
        made: the unit whose incoming weights stand in each place.
        read: the unit whose outgoing weights stand there.
        dead: where the outgoing weights are zero instead.
    """

    made: Int[Array | np.ndarray, "knots *places"]
    read: Int[Array | np.ndarray, "knots *places"]
    dead: Bool[Array | np.ndarray, "knots *places"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rearranged(Path):
    """Straight segments between networks in which units were moved.

    Attributes:
        params: the network whose units are moved.
        arrangements: {generator name: the places of its units}, all with the same number of knots.
        group: these generators, all permutations.
    """

    params: Params
    arrangements: dict[str, Arrangement]
    group: Group = field(metadata={"static": True})

    domain = domain.INTERVAL

    @property
    def knots(self) -> int:
        """The number of networks that the chain goes through."""
        return len(jax.tree.leaves(self.arrangements)[0])

    def __call__(self, t: Any) -> Params:
        """The network at ``t``; at 0 and 1 exactly the first and the last knot."""
        place = jnp.asarray(t, float) * (self.knots - 1)
        first = jnp.clip(jnp.floor(place).astype(int), 0, self.knots - 2)
        share = place - first

        def mix(before: Array, after: Array) -> Array:
            # Where nothing moves nothing may change, not even by rounding.
            mixed = before + share.astype(before.dtype) * (after - before)
            mixed = jnp.where(before == after, before, mixed)
            return jnp.where(share == 0, before, jnp.where(share == 1, after, mixed))

        return jax.tree.map(mix, self.knot(first), self.knot(first + 1))

    def knot(self, number: Any) -> Params:
        """The network at a knot."""
        moves: dict[str, list[tuple[Generator, Site]]] = {}
        for generator in in_order(self.group):
            for site in generator.sites:
                moves.setdefault(site.leaf, []).append((generator, site))

        def move(path: tuple[Any, ...], leaf: Any) -> Array:
            leaf = jnp.asarray(leaf)
            for generator, site in moves.get(leaf_name(path), ()):
                view = View(generator, site, leaf.shape)
                leaf = view.write(leaf, self.units(generator, site, number, view.read(leaf)))
            return leaf

        return jax.tree_util.tree_map_with_path(move, self.params)

    def units(self, generator: Generator, site: Site, number: Any, units: Array) -> Array:
        """The units of a site, rearranged."""
        arrangement = self.arrangements[generator.name]
        made, read, dead = (
            jnp.asarray(table)[number][..., None]
            for table in (arrangement.made, arrangement.read, arrangement.dead)
        )
        if not site.reads:
            return take_along(units, made, axis=-2)
        return jnp.where(dead, 0, take_along(units, read, axis=-2))


def rearranged(group: Group, params: Params, arrangements: Mapping[str, Arrangement]) -> Rearranged:
    """The chain that first moves the units of the first generator, then those of the next."""
    counts = {name: len(each.made) - 1 for name, each in arrangements.items()}
    knots = np.arange(sum(counts.values()) + 1)
    tables, done = {}, 0
    for name, arrangement in arrangements.items():
        at = np.clip(knots - done, 0, counts[name])
        tables[name] = jax.tree.map(lambda table, at=at: jnp.asarray(table[at]), arrangement)
        done += counts[name]
    moved = tuple(g for g in group.generators if g.name in arrangements)
    kept = Group(moved, group.pinned, group.leaves)
    return Rearranged(params, tables, kept)


def permuted_generators(group: Group, element: Element) -> list[Generator]:
    """The permutations that the element really moves.

    Raises:
        SymmetryError: naming the generator, if the element has a part that is no permutation.
    """
    moved = []
    for generator in group.generators:
        part = np.asarray(element[generator.name])
        if np.array_equal(part, identity_part(generator)):
            continue
        if generator.kind != "permutation":
            raise SymmetryError(
                f"the element has a {generator.kind} of '{generator.name}', and an arc of "
                "permutations moves units only: see paths.orbit for the continuous part, and join "
                "the two with paths.concatenate"
            )
        moved.append(generator)
    if not moved:
        raise SymmetryError("the element is the identity: there is no unit to move")
    return moved


def cycles(order: Int[np.ndarray, "units"]) -> list[list[int]]:
    """The cycles of a permutation that are longer than one.

    Place ``cycle[i]`` receives the unit of place ``cycle[i + 1]``, and the last one that of the
    first.
    """
    left = dict(enumerate(order.tolist()))
    found = []
    while left:
        cycle, unit = [], next(iter(left))
        while unit in left:
            cycle.append(unit)
            unit = left.pop(unit)
        if len(cycle) > 1:
            found.append(cycle)
    return found


def stepwise(group: Group, element: Element, params: Params) -> Rearranged:
    """The step-wise curve from ``params`` to ``act(group, element, params)``.

    Args:
        group: the group of the network.
        element: an element of it whose only parts are permutations.
        params: the network.

    Raises:
        SymmetryError: if the element is the identity or is no permutation; names the generator.
        StructureError: if the network or the element is not of this group.
    """
    check_kind("group", group, Group, "make it with symmetry.discover")
    act(group, element, params)
    arrangements = {}
    for generator in permuted_generators(group, element):
        orders = _exchanges(np.asarray(element[generator.name]))
        arrangements[generator.name] = Arrangement(orders, orders, np.zeros(orders.shape, bool))
    return rearranged(group, params, arrangements)


def _exchanges(part: Int[np.ndarray, "*copies units"]) -> Int[np.ndarray, "knots *copies units"]:
    size = part.shape[-1]
    order = np.broadcast_to(np.arange(size), part.shape).copy()
    orders = [order.copy()]
    for copy in np.ndindex(part.shape[:-1]):
        for cycle in cycles(part[copy]):
            for place, other in itertools.pairwise(cycle):
                here, there = (*copy, place), (*copy, other)
                order[here], order[there] = order[there], order[here]
                orders.append(order.copy())
    return np.stack(orders)
