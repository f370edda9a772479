"""Where weight matching stands: b as it has been moved so far, and what is known of its overlaps.

The overlap of a generator is a sum over its sites. Each term is kept, and renewed only when another
generator moves the same leaf; if that moved few units, only their share is computed anew. Late
sweeps, which move little, so cost little.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from mconn.align.cost import NONE, Overlap
from mconn.align.overlap import (
    Step,
    cross,
    diagonal,
    inside,
    is_whole_axis,
    norms_along,
    overlap_of_copies,
    signs_of,
    sorted_along,
    steps_inside,
)
from mconn.align.solvers import gain, own_overlap
from mconn.symmetry import (
    Element,
    Generator,
    Group,
    Site,
    followed_by,
    identity_on_host,
    in_order,
    move_leaf,
)

Leaves = Mapping[str, Float[np.ndarray, "..."]]

STRETCHING = ("scaling", "general linear")
"""Kinds under which the norm of b changes."""

SMALLEST_GAIN = 1e-6
"""Below this, relative to the overlap, a gain is the rounding of single-precision sums."""

_SMALLEST_CLIMB = 1e-5
"""The same for matrices, factors and angles, which several generators approach by turns, ever
slower."""


class WeightPosition:
    """See :class:`mconn.align.cost.Position`. The objective is <a, g b> - (|g b|^2 - |b|^2) / 2.

    Of kinds that keep norms the second term is zero; in any case the objective is, but for a
    constant, minus half the squared distance.
    """

    def __init__(self, group: Group, a: Leaves, b: Leaves, element: Element) -> None:
        self.group = group
        self.a, self.b = dict(a), dict(b)
        self.acting: dict[str, list[tuple[Generator, Site]]] = {}
        for generator in group.generators:
            for site in generator.sites:
                self.acting.setdefault(site.leaf, []).append((generator, site))
        self.stretched = {
            leaf
            for leaf, acting in self.acting.items()
            if any(generator.kind in STRETCHING for generator, _ in acting)
        }
        self.norms = {leaf: inner(self.b[leaf], self.b[leaf]) for leaf in self.stretched}
        self.values: dict[str, float] = {}
        self.terms: dict[tuple[str, Site], np.ndarray] = {}
        self.overlaps: dict[str, Overlap] = {}
        self.settled: set[str] = set()
        self.element = identity_on_host(group)
        for generator in in_order(group):
            part = np.asarray(element[generator.name])
            if not np.array_equal(part, self.element[generator.name]):
                self.move([(generator, part)])

    def objective(self) -> float:
        """The sum over leaves; those that did not change are not computed again."""
        return sum((self.value(leaf) for leaf in self.a), start=0.0)

    def value(self, leaf: str) -> float:
        """The objective of one leaf."""
        if leaf not in self.values:
            self.values[leaf] = self.value_of(leaf, self.b[leaf])
        return self.values[leaf]

    def value_of(self, leaf: str, b: Float[np.ndarray, "..."]) -> float:
        """What the objective of one leaf would be."""
        value = inner(self.a[leaf], b)
        return value - (inner(b, b) - self.norms[leaf]) / 2 if leaf in self.stretched else value

    def settle(self, generator: Generator, unknown: frozenset[str]) -> None:
        """Settled, if no site has an axis of a generator that was unknown."""
        others = unknown - {generator.name}
        is_exact = not any(self.unknown_axes(generator, site, others) for site in generator.sites)
        has_companions = signs_of(self.group, generator) is not None
        if is_exact and self.is_linear(generator) and not has_companions:
            self.settled.add(generator.name)

    def is_settled(self, generator: Generator) -> bool:
        """Whether its overlap is what it was when the generator was solved."""
        return generator.name in self.settled

    def overlap(self, generator: Generator, unknown: frozenset[str] = NONE) -> Overlap:
        """The overlap at this position."""
        if unknown:
            return self.overlap_of(generator, unknown)
        if generator.name not in self.overlaps:
            self.overlaps[generator.name] = self.overlap_of(generator, unknown)
        return self.overlaps[generator.name]

    def overlap_of(self, generator: Generator, unknown: frozenset[str]) -> Overlap:
        """The overlap, computed."""
        inner_ones = inside(self.group, generator)
        if inner_ones:
            return overlap_of_copies(generator, inner_ones, self.seen, unknown)
        sums: dict[int, np.ndarray] = {}
        for site in generator.sites:
            power = site.power if generator.kind in (*STRETCHING, "rotation") else 1
            term = self.term(generator, site, unknown)
            sums[power] = sums[power] + term if power in sums else term
        if signs_of(self.group, generator) is not None:
            return Overlap({1: np.abs(sums[1])}, {})
        if generator.kind not in STRETCHING:
            return Overlap(sums, {})
        grams: dict[int, np.ndarray] = {}
        compare = diagonal if generator.kind == "scaling" else cross
        for site in generator.sites:
            if self.seen(generator, site, unknown) is None:
                continue
            term = compare(generator, site, self.b[site.leaf], self.b[site.leaf])
            grams[site.power] = grams[site.power] + term if site.power in grams else term
        return Overlap(sums, grams)

    def term(self, generator: Generator, site: Site, unknown: frozenset[str]) -> np.ndarray:
        """What one site adds to the overlap."""
        compare = diagonal if generator.kind in ("scaling", "sign") else cross
        a, b = self.a[site.leaf], self.b[site.leaf]
        if self.unknown_axes(generator, site, unknown):
            leaves = self.seen(generator, site, unknown)
            return (
                compare(generator, site, *leaves) if leaves else 0 * compare(generator, site, a, b)
            )
        if compare is diagonal:
            return diagonal(generator, site, a, b)
        key = (generator.name, site)
        if key not in self.terms:
            self.terms[key] = cross(generator, site, a, b)
        return self.terms[key]

    def unknown_axes(
        self, generator: Generator, site: Site, unknown: frozenset[str]
    ) -> list[tuple[Generator, int]]:
        """The other axes of the leaf on which unknown generators act."""
        own = {site.axis, *(place.axis for place in site.fibres)}
        return [
            (other, place.axis)
            for other, place in self.acting[site.leaf]
            if other.name in unknown and place.axis not in own
        ]

    def seen(
        self, generator: Generator, site: Site, unknown: frozenset[str]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The leaves of a and b, with what is left of them whatever the unknown generators do.

        Entries along an axis of unknown order are sorted, of unknown sign made positive, and along
        an axis that may be turned only their norm is kept. That tells units apart, but not how
        they would be turned. Of an axis that may be any linear image nothing is left.
        """
        others = self.unknown_axes(generator, site, unknown)
        if not others:
            return self.a[site.leaf], self.b[site.leaf]
        if generator.kind != "permutation" or any(g.kind == "general linear" for g, _ in others):
            return None
        turned = {axis for other, axis in others if other.kind in ("orthogonal", "rotation")}
        flipped = any(other.kind == "sign" for other, _ in others)
        mixed = {axis for other, axis in others if other.kind == "permutation"} - turned

        def invariant(leaf: np.ndarray) -> np.ndarray:
            leaf = norms_along(np.abs(leaf) if flipped else leaf, turned)
            return sorted_along(leaf, mixed)

        return invariant(self.a[site.leaf]), invariant(self.b[site.leaf])

    def step(
        self, generator: Generator, part: np.ndarray, unknown: frozenset[str] = NONE
    ) -> list[Step]:
        """The generator's part, with the best of what its units can do by themselves."""
        inner_ones = inside(self.group, generator)
        if inner_ones:
            return steps_inside(generator, part, inner_ones, self.seen, unknown)
        signs = signs_of(self.group, generator)
        if signs is None:
            return [(generator, part)]
        overlap = sum(self.term(generator, site, unknown) for site in generator.sites)
        matched = np.take_along_axis(overlap, part[..., None], axis=-1)[..., 0]
        return [(generator, part), (signs, np.where(matched < 0, -1.0, 1.0))]

    def try_move(self, generator: Generator, part: np.ndarray) -> bool:
        """Move, if the objective rises by more than rounding."""
        steps = self.step(generator, part)
        is_linear = len(steps) == 1 and self.is_linear(generator)
        if is_linear:
            overlap = self.overlap(generator).cross[1]
            own = own_overlap(generator, overlap)
            size = np.abs(own).sum(dtype=np.float64)
            least = _SMALLEST_CLIMB if generator.kind == "orthogonal" else SMALLEST_GAIN
            rises = bool(gain(generator, overlap, part) > least * size)
        else:
            leaves = after(steps, self.b)
            before = sum(self.value(leaf) for leaf in leaves)
            size = sum(abs(self.value(leaf)) for leaf in leaves)
            moved = sum(self.value_of(leaf, b) for leaf, b in leaves.items())
            is_discrete = all(each.kind in ("permutation", "sign") for each, _ in steps)
            least = SMALLEST_GAIN if is_discrete else _SMALLEST_CLIMB
            rises = bool(moved - before > least * size)
        if rises:
            self.move(steps)
        if is_linear or not rises:
            self.settled.add(generator.name)
        return rises

    def is_linear(self, generator: Generator) -> bool:
        """Whether the objective is linear in the generator, so that its overlap tells the gain."""
        axes = {(site.leaf, site.axis) for site in generator.sites}
        counts = Counter(leaf for leaf, _ in axes)
        keeps_norms = generator.kind in ("permutation", "sign", "orthogonal")
        return keeps_norms and not inside(self.group, generator) and max(counts.values()) == 1

    def move(self, steps: list[Step]) -> None:
        """Move b, whatever the objective says."""
        for generator, part in steps:
            for site in generator.sites:
                self.move_site(generator, site, part)
            part = followed_by(self.group, self.element, generator, part)
            self.element = {**self.element, generator.name: part}

    def move_site(self, generator: Generator, site: Site, part: np.ndarray) -> None:
        """Move one leaf at one site, and renew the terms of the overlaps that it is part of."""
        a, before = self.a[site.leaf], self.b[site.leaf]
        is_plain = generator.kind == "permutation" and is_whole_axis(generator, site, before.shape)
        changed = np.flatnonzero(part != np.arange(len(part))) if is_plain else None
        if is_plain:
            moved = before.take(part, axis=site.axis)
        else:
            moved = move_leaf(generator, site, part, before)
        for other, place in self.acting[site.leaf]:
            term = self.terms.pop((other.name, place), None)
            self.settled.discard(other.name)
            self.overlaps.pop(other.name, None)
            if term is None:
                continue
            if (other, place) == (generator, site):
                if generator.kind == "permutation" and not generator.fibres:
                    self.terms[other.name, place] = term.take(part, axis=1)
            elif (
                changed is not None
                and 2 * len(changed) <= len(part)
                and not other.fibres
                and place.axis != site.axis
            ):
                # The term is linear in b: only the units that moved count.
                old = before.take(changed, axis=site.axis)
                new = before.take(part[changed], axis=site.axis)
                share = cross(other, place, a.take(changed, axis=site.axis), new - old)
                self.terms[other.name, place] = term + share
        self.b[site.leaf] = moved
        self.values.pop(site.leaf, None)


def after(steps: Sequence[tuple[Generator, Any]], leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves that some steps change, after them."""
    changed: dict[str, Any] = {}
    for generator, part in steps:
        for site in generator.sites:
            leaf = changed.get(site.leaf, leaves[site.leaf])
            changed[site.leaf] = move_leaf(generator, site, part, leaf)
    return changed


def inner(a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]) -> float:
    """<a, b>: rows in the leaves' precision, their sum in double precision."""
    a, b = (x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1) for x in (a, b))
    return float(np.einsum("ij,ij->i", a, b).sum(dtype=np.float64))


def stretches(group: Group) -> bool:
    """Whether some generator does not keep norms."""
    return any(generator.kind in STRETCHING for generator in group.generators)
