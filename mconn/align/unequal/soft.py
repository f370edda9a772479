"""Networks carried into an architecture of other widths by soft maps of their units.

A map of n new units from m old ones is a matrix that is not negative. Where units are made, its
rows are brought to the sum one: a new unit is a mean of old ones. Where they are read, its columns
are: what an old unit sent out is divided among the new units that have it. If every old unit is in
the map, and every new unit has one old unit at most, the function stays as it is (Net2Net, Chen,
Goodfellow and Shlens 2016); otherwise units are averaged as in OT fusion (Singh and Jaggi 2020).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from mconn import trees
from mconn.checks import check_choice
from mconn.errors import ConfigError, StructureError, SymmetryError
from mconn.symmetry import Generator, Group, Site, check_fits, permutations
from mconn.types import Params


@dataclass(frozen=True)
class _Cut:
    """A segment of an axis of the first network's leaf, and what acts on it.

    ``acting`` has the generator's name and its sites in both networks, the innermost factor first.
    """

    start: int
    length: int
    acting: tuple[tuple[str, Site, Site], ...]


@dataclass(frozen=True)
class Pairing:
    """Two groups of permutations with generators of the same names on the same axes.

    For every leaf and axis the cuts are the segments on which something acts, in their order.
    """

    first: Group
    second: Group
    cuts: dict[str, dict[int, list[_Cut]]]

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
    """Pair the permutations of two groups; refuses what differs in more than widths."""
    first, second = permutations(first), permutations(second)
    for here, there, mine, others in ((*names, first, second), (*reversed(names), second, first)):
        for name in mine.sizes:
            if name not in others.sizes:
                raise StructureError(
                    f"the generator '{name}' of {here} is missing in {there}: only networks of one "
                    "form, but for their widths, can be matched"
                )
    cuts: dict[str, dict[int, dict[int, _Cut]]] = {}
    for generator in first.generators:
        other = second[generator.name]
        sites, others = _in_places(generator), _in_places(other)
        if [_signature(site) for site in sites] != [_signature(site) for site in others]:
            raise StructureError(
                f"the generator '{generator.name}' acts on other leaves or axes in {names[0]} than "
                f"in {names[1]}: only networks of one form, but for their widths, can be matched"
            )
        for site, there in zip(sites, others, strict=True):
            places = cuts.setdefault(site.leaf, {}).setdefault(site.axis, {})
            before = places[site.start].acting if site.start in places else ()
            acting = sorted((*before, (generator.name, site, there)), key=lambda a: -a[1].outer)
            length = site.outer * generator.size * site.inner
            places[site.start] = _Cut(site.start, length, tuple(acting))
    ordered = {
        leaf: {axis: [axes[axis][start] for start in sorted(axes[axis])] for axis in axes}
        for leaf, axes in cuts.items()
    }
    pairing = Pairing(first, second, ordered)
    _check_shapes(pairing, names)
    return pairing


def _in_places(generator: Generator) -> list[Site]:
    return sorted(generator.sites, key=lambda site: (site.leaf, site.axis, site.start, site.outer))


def _signature(site: Site) -> tuple[str, int, bool, bool]:
    return site.leaf, site.axis, site.makes, site.reads


def _check_shapes(pairing: Pairing, names: tuple[str, str]) -> None:
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
        expected = _carried_shape(pairing, leaf, first[leaf])
        if expected != second[leaf]:
            raise StructureError(
                f"leaf '{leaf}' has shape {first[leaf]} in {names[0]} and {second[leaf]} in "
                f"{names[1]}, but would have {expected} by the widths alone: only networks of one "
                "form, but for their widths, can be matched"
            )


def _carried_shape(pairing: Pairing, leaf: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    sizes = list(shape)
    for axis, cuts in pairing.cuts.get(leaf, {}).items():
        for cut in cuts:
            length = cut.length
            for name, _, _ in cut.acting:
                old, new = pairing.sizes[name]
                length = length // old * new
            sizes[axis] += length - cut.length
    return tuple(sizes)


def _along(
    matrix: Float[np.ndarray, "new old"], piece: np.ndarray, axis: int, outer: int
) -> np.ndarray:
    old = matrix.shape[1]
    before = math.prod(piece.shape[:axis]) * outer
    opened = piece.reshape(before, old, -1)
    # Half precision is computed in single; whole numbers and flags are only permuted.
    is_wide = piece.dtype.kind in "iubc" or piece.dtype == np.float64
    kind = piece.dtype if is_wide else np.dtype(np.float32)
    moved = np.matmul(matrix.astype(kind), opened.astype(kind)).astype(piece.dtype)
    return moved.reshape(*piece.shape[:axis], -1, *piece.shape[axis + 1 :])


_Maps = Mapping[str, Float[np.ndarray, "new old"]]
"""For every generator the map of its units."""

_Mask = Bool[np.ndarray, "..."]


def carry(group_from: Group, group_to: Group, maps: _Maps, params: Params) -> Params:
    """A network in the architecture of another one, of the same form but other widths.

    The function is kept exactly if all maps have at most one positive entry in each row and at
    least one in each column: for dense and convolutional layers, any nonlinearity that acts on each
    unit alone, and BatchNorm. LayerNorm averages over the units, and needs columns with equally
    many positive entries as well (`copies` has them where one width divides the other).

    Args:
        group_from: the group of the network; only its permutations matter.
        group_to: the group of a network of the other widths.
        maps: for every generator its map, shape (units there, units here). A row of zeros makes a
            unit without weights.
        params: the network.

    Returns:
        The parameters on the host, in the containers and dtypes of ``params``.

    Raises:
        StructureError: naming the generator or the leaf in which the groups differ in more than
            widths, or a map that is missing or has another shape, or a leaf that cannot be mixed.
        SymmetryError: naming the leaf that both makes and reads units which the map would mix.
    """
    pairing = pair(group_from, group_to, ("group_from", "group_to"))
    check_fits(pairing.first, params)
    maps = _check_maps(pairing, maps)
    leaves = {name: np.asarray(leaf) for name, leaf in trees.named_leaves(params).items()}
    check_roles(pairing, maps, leaves)
    carried = {leaf: carry_leaf(pairing, maps, leaf, value) for leaf, value in leaves.items()}
    return rebuilt(params, carried)


def embed(group_from: Group, group_to: Group, params: Params, how: str = "copies") -> Params:
    """A network as a wider one that computes the same.

    Args:
        group_from: the group of the network.
        group_to: the group of a network that is nowhere narrower.
        params: the network.
        how: ``copies`` (units are repeated in turn, and share what they send out) or ``zeros``
            (the added units have no weights).

    Raises:
        ConfigError: if the other network is narrower in a generator, or ``how`` is unknown.
        StructureError, SymmetryError: as `carry`.
    """
    check_choice("how", how, _EMBEDDINGS)
    pairing = pair(group_from, group_to, ("group_from", "group_to"))
    maps = {}
    for name, (here, there) in pairing.sizes.items():
        if there < here:
            raise ConfigError(
                f"the generator '{name}' has {here} units, and only {there} in the network that "
                "shall compute the same: embed the narrower network"
            )
        maps[name] = _EMBEDDINGS[how](there, here)
    return carry(group_from, group_to, maps, params)


def _copies(new: int, old: int) -> Float[np.ndarray, "new old"]:
    return np.eye(old)[np.arange(new) % old]


def _zeros(new: int, old: int) -> Float[np.ndarray, "new old"]:
    return np.eye(new, old)


_EMBEDDINGS: dict[str, Callable[[int, int], Float[np.ndarray, "new old"]]] = {
    "copies": _copies,
    "zeros": _zeros,
}


def blend(
    a: Params,
    b: Params,
    weight: float,
    alone: tuple[Mapping[str, _Mask], Mapping[str, _Mask]] = ({}, {}),
) -> Params:
    """(1 - weight) a + weight b, of two networks in one architecture, with units of one alone.

    By leaf ``alone`` has the entries that make units which only a, or only b, has. Such a unit is
    made as its network makes it, not by a share of it; what it sends out counts as much as the
    network does. Leaves of whole numbers and flags are those of a.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"weight is {weight}: a merge lies between the networks, at 0 to 1")
    trees.check_same_structure(a, b)
    leaves_b = trees.named_leaves(b)
    mixed = {}
    for leaf, first in trees.named_leaves(a).items():
        first, second = np.asarray(first), np.asarray(leaves_b[leaf])
        if not _is_mixable(first):
            mixed[leaf] = first
            continue
        shares = [
            np.where(masks.get(leaf, False), 1.0, share)
            for masks, share in zip(alone, (1 - weight, weight), strict=True)
        ]
        # The other network is zero where a unit is alone.
        mixed[leaf] = (shares[0] * first + shares[1] * second).astype(first.dtype)
    return rebuilt(a, mixed)


def made(
    group: Group, units: Mapping[str, Bool[np.ndarray, "n"]], params: Params
) -> dict[str, _Mask]:
    """By leaf, which entries make some of the units, given by generator."""
    shapes = {name: np.shape(leaf) for name, leaf in trees.named_leaves(params).items()}
    masks: dict[str, _Mask] = {}
    for name, chosen in units.items():
        for site in group[name].sites:
            if not (site.makes and chosen.any()):
                continue
            shape = shapes[site.leaf]
            along_axis = np.zeros(shape[site.axis], bool)
            entries = np.tile(np.repeat(chosen, site.inner), site.outer)
            along_axis[site.start : site.start + len(entries)] = entries
            opened = along_axis.reshape(-1, *(1,) * (len(shape) - site.axis - 1))
            masks[site.leaf] = masks.get(site.leaf, np.zeros(shape, bool)) | opened
    return masks


def carry_leaf(
    pairing: Pairing, maps: _Maps, leaf: str, value: np.ndarray, squares: bool = False
) -> np.ndarray:
    """One leaf in the other widths; or, of squared entries, the squares before they are averaged.

    Of a map with one positive entry in each row that is the square of what is carried; of others
    it is more, by the variance of what is averaged.
    """
    for axis, cuts in pairing.cuts.get(leaf, {}).items():
        value = along_axis(value, axis, cuts, maps, squares=squares)
    return value


def along_axis(
    value: np.ndarray,
    axis: int,
    cuts: list[_Cut],
    maps: _Maps,
    skip: Site | None = None,
    squares: bool = False,
) -> np.ndarray:
    """A leaf with the units along one axis mapped, but for generators without a map."""
    pieces, end = [], 0
    take = [slice(None)] * value.ndim
    for cut in cuts:
        take[axis] = slice(end, cut.start)
        pieces.append(value[tuple(take)])
        end = cut.start + cut.length
        take[axis] = slice(cut.start, end)
        piece = value[tuple(take)]
        for name, site, _ in cut.acting:
            if name in maps and site != skip:
                reads = site.reads and not site.makes
                matrix = _divided(maps[name], squares) if reads else _averaged(maps[name])
                piece = _along(matrix, piece, axis, site.outer)
        pieces.append(piece)
    take[axis] = slice(end, None)
    pieces.append(value[tuple(take)])
    return np.concatenate(pieces, axis=axis)


def _averaged(matrix: Float[np.ndarray, "new old"]) -> Float[np.ndarray, "new old"]:
    sums = matrix.sum(axis=1, keepdims=True)
    return matrix / np.where(sums > 0, sums, 1)


def _divided(
    matrix: Float[np.ndarray, "new old"], squares: bool = False
) -> Float[np.ndarray, "new old"]:
    """The map with columns of sum one: old units are divided among new ones. Zeros stay.

    A new unit has a mean of what old units send out, each times its share; for squares the share
    is squared.
    """
    sums = matrix.sum(axis=0, keepdims=True)
    columns = matrix / np.where(sums > 0, sums, 1)
    if not squares:
        return columns
    return columns * matrix.sum(axis=1, keepdims=True) / np.where(sums > 0, sums, 1)


def _check_maps(pairing: Pairing, maps: _Maps) -> dict[str, np.ndarray]:
    checked = {}
    for name, (old, new) in pairing.sizes.items():
        if name not in maps:
            raise StructureError(f"there is no map for the generator '{name}': give one of each")
        matrix = np.asarray(maps[name], float)
        if matrix.shape != (new, old):
            raise StructureError(
                f"the map of '{name}' has the shape {matrix.shape}: {old} units become {new} by a "
                f"matrix of shape ({new}, {old})"
            )
        if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
            raise StructureError(
                f"the map of '{name}' has entries that are negative or not finite: its entries are "
                "shares of units"
            )
        checked[name] = matrix
    return checked


def check_roles(pairing: Pairing, maps: _Maps, leaves: Mapping[str, Any]) -> None:
    """Refuse to mix units that are not made and read by leaves of their own."""
    for name, generator in pairing.generators.items():
        if is_permutation(maps[name]):
            continue
        pairing.check_mixable(name)
        for site in generator.sites:
            if not _is_mixable(leaves[site.leaf]):
                raise StructureError(
                    f"leaf '{site.leaf}' of dtype {leaves[site.leaf].dtype} has the units of "
                    f"'{name}', and its entries cannot be mixed: give '{name}' a permutation"
                )


def is_permutation(matrix: Float[np.ndarray, "new old"]) -> bool:
    """Whether the map only puts the units in another order."""
    positive = matrix > 0
    square = matrix.shape[0] == matrix.shape[1]
    return square and bool((positive.sum(axis=0) == 1).all() and (positive.sum(axis=1) == 1).all())


def _is_mixable(leaf: np.ndarray) -> bool:
    return bool(jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact))


def rebuilt(like: Params, leaves: Mapping[str, np.ndarray]) -> Params:
    """The leaves in the containers of a network."""
    return jax.tree_util.tree_map_with_path(lambda path, _: leaves[trees.leaf_name(path)], like)
