"""How alike the units of two networks are whose widths differ.

As in weight matching a unit is compared by everything that makes it and reads it, along the other
axes as they have been matched so far. Axes that have not are compared by their distributions: what
is sorted and averaged over as many quantiles as the other network has entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Array, Float

from mconn.align.overlap import sorted_last
from mconn.align.position import Leaves
from mconn.align.similarity import in_batches, similarities
from mconn.align.unequal.soft import Pairing, along_axis, carry_leaf
from mconn.symmetry import Group, Site, View
from mconn.types import ApplyFn, Params

_Norms = tuple[Float[np.ndarray, "n"], Float[np.ndarray, "m"]]


@dataclass(frozen=True)
class Likeness:
    """Inner products of n units of a with m units of b, and the units' squared norms.

    Those of the entries that make the units are kept apart from those that read them, which are
    divided among copies of a unit. The norms may be of b's units as the other maps carry them.
    """

    made: Float[np.ndarray, "n m"]
    read: Float[np.ndarray, "n m"]
    made_norms: _Norms
    read_norms: _Norms

    @property
    def transposed(self) -> "Likeness":
        """The same with a and b in each other's place."""
        (made_a, made_b), (read_a, read_b) = self.made_norms, self.read_norms
        return Likeness(self.made.T, self.read.T, (made_b, made_a), (read_b, read_a))

    def gain(self, share: float) -> Float[np.ndarray, "n m"]:
        """What half the squared distance falls by; a share of what b's unit sends out counts."""
        norms = self.made_norms[1] + share**2 * self.read_norms[1]
        return self.made + share * self.read - norms / 2

    def matched_distances(self) -> Float[np.ndarray, "n"]:
        """The squared distance of every unit of a from the unit of b in its place."""
        norms = sum(self.made_norms) + sum(self.read_norms)
        return norms - 2 * np.diagonal(self.made + self.read)


class UnequalPosition:
    """Where the matching of two widths stands, with maps for the generators matched so far."""

    def __init__(self, pairing: Pairing, a: Leaves, b: Leaves) -> None:
        self.pairing, self.a, self.b = pairing, a, b
        self.maps: dict[str, np.ndarray] = {}

    def objective(self, maps: Mapping[str, np.ndarray]) -> float:
        """Minus half the mean squared distance of a from the parts of b that the maps average.

        Where every unit of a has one unit of b this is the squared distance of a from what b
        becomes. Where it has more the distance is larger than that of the mean, which a flat map
        would make small. The objective is linear in each of the maps if their sums are given
        (CO-optimal transport, Redko et al. 2020).
        """
        total = 0.0
        for leaf, value in self.b.items():
            a = self.a[leaf]
            carried = carry_leaf(self.pairing, maps, leaf, value)
            squares = carry_leaf(self.pairing, maps, leaf, value**2, squares=True)
            total += float(np.vdot(a, carried)) - float(np.vdot(a, a) + squares.sum()) / 2
        return total

    def likeness(self, name: str) -> Likeness:
        """How alike the units of one generator are, while the others are as they are."""
        m, n = self.pairing.sizes[name]
        sums = {role: (np.zeros((n, m)), np.zeros(n), np.zeros(m)) for role in ("made", "read")}
        for cuts in self.pairing.cuts.values():
            acting = [each for axis in cuts.values() for cut in axis for each in cut.acting]
            for site, there in [(site, there) for other, site, there in acting if other == name]:
                units = self.units(name, site, there)
                if units is None:
                    continue
                a, b = units
                cross, norms_a, norms_b = sums["read" if site.reads else "made"]
                cross += a @ b.T
                norms_a += np.einsum("ij,ij->i", a, a)
                norms_b += np.einsum("ij,ij->i", b, b)
        made, read = sums["made"], sums["read"]
        return Likeness(made[0], read[0], (made[1], made[2]), (read[1], read[2]))

    def units(
        self, name: str, site: Site, there: Site
    ) -> tuple[Float[np.ndarray, "n rest"], Float[np.ndarray, "m rest"]] | None:
        """The units of a and b at one site; None where they have nothing in common yet."""
        a, b = self.a[site.leaf], self.b[site.leaf]
        shrunk, unknown = 1.0, []
        for axis, cuts in self.pairing.cuts[site.leaf].items():
            b = along_axis(b, axis, cuts, self.maps, skip=site)
            for other, place, _ in [each for cut in cuts for each in cut.acting]:
                if other not in self.maps and place.axis != site.axis:
                    unknown.append(axis)
                    old, new = self.pairing.sizes[other]
                    # Copies of a unit share what it sends out.
                    shrunk *= old / new if place.reads and not place.makes else 1
        here = self.moved_place(site)
        if unknown:
            a, b = (sorted_last(leaf, set(unknown)) for leaf in (a, b))
            b = shrunk * quantiles(b, a.shape[-1])
        axis = site.axis - sum(other < site.axis for other in set(unknown))
        generator_a, generator_b = self.pairing.second[name], self.pairing.first[name]
        units_a = View(generator_a, replace(there, axis=axis), a.shape).read(a)
        units_b = View(generator_b, replace(here, axis=axis), b.shape).read(b)
        return (units_a, units_b) if units_a.shape[1] == units_b.shape[1] else None

    def moved_place(self, site: Site) -> Site:
        """Where a site of b is when the other generators' maps have been applied."""
        start, outer, inner = site.start, site.outer, site.inner
        for cut in self.pairing.cuts[site.leaf][site.axis]:
            length = cut.length
            for name, other, _ in cut.acting:
                if name not in self.maps or other == site:
                    continue
                old, new = self.pairing.sizes[name]
                length = length // old * new
                if cut.start == site.start and other.outer < site.outer:
                    outer = outer // old * new
                elif cut.start == site.start:
                    inner = inner // old * new
            if cut.start < site.start:
                start += length - cut.length
        return replace(site, start=start, outer=outer, inner=inner)


def quantiles(values: Float[np.ndarray, "... m"], n: int) -> Float[np.ndarray, "... n"]:
    """Sorted values as n quantiles: the means of their quantile function over n equal parts.

    Their inner product with n sorted values is that of the optimal transport in one dimension.
    """
    m = values.shape[-1]
    zero = np.zeros_like(values[..., :1])
    integral = np.concatenate([zero, np.cumsum(values, axis=-1)], axis=-1) / m
    ends = np.arange(n + 1) * m / n
    below = np.minimum(ends.astype(int), m - 1)
    step = integral[..., below + 1] - integral[..., below]
    return np.diff(integral[..., below] + (ends - below) * step, axis=-1) * n


@dataclass(frozen=True)
class UnequalActivations:
    """Units are alike if they are active together; for networks of other widths.

    The similarity of two units is the correlation of their activations over data, as in
    :class:`mconn.align.ActivationCost`, always normalised.

    Attributes:
        apply_a: the first network, (params, inputs) -> outputs.
        apply_b: the second.
        inputs: examples, shape (n, ...).
        centred: subtract each unit's mean (Pearson's correlation), or do not (the cosine).
        batch_size: examples in one pass; a few that are left over are not used.
    """

    apply_a: ApplyFn
    apply_b: ApplyFn
    inputs: Float[Array | np.ndarray, "n ..."]
    centred: bool = False
    batch_size: int = 1000

    def likeness(self, groups: tuple[Group, Group], a: Params, b: Params) -> dict[str, Likeness]:
        """The likeness of the units of every generator that has activations.

        Args:
            groups: the groups of a and b.
            a: the first network.
            b: the second.

        Raises:
            DataError: with fewer than two examples.
            ConfigError: if a batch would be empty.
        """
        batches = in_batches(self.inputs, self.batch_size)
        sides = (groups[0], self.apply_a), (groups[1], self.apply_b)
        tables = similarities(sides, self.centred, True, a, b, batches)
        return {name: _likeness_of(table) for name, table in tables.items()}


def _likeness_of(table: Float[np.ndarray, "n m"]) -> Likeness:
    nothing = np.zeros(table.shape[0]), np.zeros(table.shape[1])
    return Likeness(table, np.zeros(table.shape), nothing, nothing)
