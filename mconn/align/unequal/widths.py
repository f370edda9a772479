"""Two groups of one form and other widths: which units of one network are like which of another."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mconn.errors import StructureError, SymmetryError
from mconn.symmetry import Generator, Group, Site, permutations


@dataclass(frozen=True)
class Cut:
    """A segment of an axis of the first network's leaf, and what acts on it.

    ``acting`` has the generator's name and its sites in both networks, the innermost factor first.
    """

    start: int
    length: int
    acting: tuple[tuple[str, Site, Site], ...]


@dataclass(frozen=True)
class Pairing:
    """Two groups whose generators have the same names and act on the same axes.

    Attributes:
        first: the permutations of the first group.
        second: those of the second.
        cuts: for every leaf and axis the segments on which something acts, in their order.
    """

    first: Group
    second: Group
    cuts: dict[str, dict[int, list[Cut]]]

    @property
    def generators(self) -> dict[str, Generator]:
        """The first group's generators."""
        return {generator.name: generator for generator in self.first.generators}

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many units every generator has in the first and in the second network."""
        return {g.name: (g.size, self.second[g.name].size) for g in self.first.generators}

    def check_mixable(self, name: str) -> None:
        """Refuse a generator whose units cannot be averaged or divided."""
        sites = self.generators[name].sites
        for site in sites:
            if site.makes == site.reads:
                why = "both makes and reads" if site.makes else "is not known to make or read"
                raise SymmetryError(
                    f"leaf '{site.leaf}' {why} the units of '{name}' along axis {site.axis}, which "
                    "can then only be permuted, not averaged or divided: keep their number"
                )
        if not any(site.reads for site in sites):
            raise SymmetryError(
                f"no leaf reads the units of '{name}' (the network contracts them with each "
                "other), so that copies of a unit cannot share what it sends out: keep their number"
            )


def pair(first: Group, second: Group, names: tuple[str, str]) -> Pairing:
    """Pair the permutations of two groups.

    Raises:
        StructureError: naming the first generator, site or leaf in which the networks differ in
            more than widths.
    """
    first, second = permutations(first), permutations(second)
    for here, there, mine, others in (
        (*names, first, second),
        (*reversed(names), second, first),
    ):
        for name in mine.sizes:
            if name not in others.sizes:
                raise StructureError(
                    f"the generator '{name}' of {here} is missing in {there}: only networks of one "
                    "form, but for their widths, can be matched"
                )
    cuts: dict[str, dict[int, dict[int, Cut]]] = {}
    for generator in first.generators:
        other = second[generator.name]
        sites, others = in_places(generator), in_places(other)
        if [signature(site) for site in sites] != [signature(site) for site in others]:
            raise StructureError(
                f"the generator '{generator.name}' acts on other leaves or axes in {names[0]} than "
                f"in {names[1]}: only networks of one form, but for their widths, can be matched"
            )
        for site, there in zip(sites, others, strict=True):
            places = cuts.setdefault(site.leaf, {}).setdefault(site.axis, {})
            before = places[site.start].acting if site.start in places else ()
            acting = sorted((*before, (generator.name, site, there)), key=lambda a: -a[1].outer)
            length = site.outer * generator.size * site.inner
            places[site.start] = Cut(site.start, length, tuple(acting))
    ordered = {
        leaf: {axis: [axes[axis][start] for start in sorted(axes[axis])] for axis in axes}
        for leaf, axes in cuts.items()
    }
    pairing = Pairing(first, second, ordered)
    check_shapes(pairing, names)
    return pairing


def in_places(generator: Generator) -> list[Site]:
    """The sites in the order of leaves, axes and places along them."""
    return sorted(generator.sites, key=lambda site: (site.leaf, site.axis, site.start, site.outer))


def signature(site: Site) -> tuple[str, int, bool, bool]:
    """What two sites share that correspond to each other."""
    return site.leaf, site.axis, site.makes, site.reads


def check_shapes(pairing: Pairing, names: tuple[str, str]) -> None:
    """Refuse networks with other sizes where no generator accounts for it."""
    first, second = dict(pairing.first.leaves), dict(pairing.second.leaves)
    if not (first and second):
        return
    for leaf in [*first, *second]:
        for here, there, leaves in ((*names, second), (*reversed(names), first)):
            if leaf not in leaves:
                raise StructureError(
                    f"leaf '{leaf}' of {here} is missing in {there}: only networks of one form, "
                    "but for their widths, can be matched"
                )
        expected = carried_shape(pairing, leaf, first[leaf])
        if expected != second[leaf]:
            raise StructureError(
                f"leaf '{leaf}' has shape {first[leaf]} in {names[0]} and {second[leaf]} in "
                f"{names[1]}, but would have {expected} by the widths alone: only networks of one "
                "form, but for their widths, can be matched"
            )


def carried_shape(pairing: Pairing, leaf: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a leaf of the first network in the widths of the second."""
    sizes = list(shape)
    for axis, cuts in pairing.cuts.get(leaf, {}).items():
        for cut in cuts:
            length = cut.length
            for name, _, _ in cut.acting:
                old, new = pairing.sizes[name]
                length = length // old * new
            sizes[axis] += length - cut.length
    return tuple(sizes)


def along(
    matrix: Float[np.ndarray, "new old"], piece: np.ndarray, axis: int, outer: int
) -> np.ndarray:
    """A segment with the units along an axis mapped; they are the factor behind ``outer``."""
    old = matrix.shape[1]
    before = math.prod(piece.shape[:axis]) * outer
    opened = piece.reshape(before, old, -1)
    # Half precision is computed in single; whole numbers and flags are only permuted.
    is_wide = piece.dtype.kind in "iubc" or piece.dtype == np.float64
    kind = piece.dtype if is_wide else np.dtype(np.float32)
    moved = np.matmul(matrix.astype(kind), opened.astype(kind)).astype(piece.dtype)
    return moved.reshape(*piece.shape[:axis], -1, *piece.shape[axis + 1 :])
