"""The arc of a permutation through a spare unit: a chain on which the function does not change.

A unit is spare if nothing reads it. Its incoming weights can be made those of another unit, and
then the other unit's outgoing weights can be shifted to it bit by bit, since both units have the
same value. The unit has moved, and its old place is spare. So any permutation is a path of
constant loss, which joins all permuted copies of a network by one unit per layer too many (Simsek
et al., *Geometry of the loss landscape in overparameterized neural networks: symmetries and
invariances*, ICML 2021, arXiv:2105.12221).
"""

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Int

from mconn.checks import check_kind
from mconn.errors import SymmetryError
from mconn.paths.compose import concatenate
from mconn.paths.families import line
from mconn.paths.path import Path
from mconn.paths.rearranged import Arrangement, cycles, permuted_generators, rearranged
from mconn.symmetry import Element, Generator, Group, Site, View, act
from mconn.trees import leaf_name, named_leaves
from mconn.types import Params


def through_spare(
    group: Group, element: Element, params: Params, spares: Mapping[str, int] | None = None
) -> Path:
    """The arc from ``params`` to ``act(group, element, params)`` on which the function stays.

    The units must meet only in the leaves that read them: a normaliser that takes its mean over
    them (LayerNorm) sees the spare unit too, and so does a softmax over them. The group does not
    tell; `mconn.paths.largest_change` does.

    Args:
        group: the group of the network, discovered: its sites tell which leaves make and which
            read the units.
        element: an element of it whose only parts are permutations.
        params: the network.
        spares: {generator name: its spare unit}; where none is given it is looked for. A unit that
            duplicates another becomes spare on a first segment, on which its outgoing weights move
            to the other unit, and a last segment undoes this.

    Raises:
        SymmetryError: naming the generator, if the element is the identity or is no permutation,
            or no unit is spare, or it is not known which leaves read the units.
        StructureError: if the network or the element is not of this group.
    """
    check_kind("group", group, Group, "make it with symmetry.discover")
    end = act(group, element, params)
    moved = permuted_generators(group, element)
    given = spares or {}
    units, freed = {}, params
    for generator in moved:
        units[generator.name], twin = _spare_unit(generator, params, given.get(generator.name))
        if twin is not None:
            freed = _without(generator, freed, units[generator.name], twin)
    arrangements = {
        generator.name: _moves(np.asarray(element[generator.name]), units[generator.name])
        for generator in moved
    }
    arc = rearranged(group, freed, arrangements)
    if freed is params:
        return arc
    return concatenate([line(params, freed), arc, line(act(group, element, freed), end)])


def find_spare(group: Group, name: str, params: Params) -> int:
    """A unit of a generator that nothing reads, or that duplicates another one.

    Raises:
        SymmetryError: if there is none.
        KeyError: if no generator has this name.
    """
    return _spare_unit(group[name], params, None)[0]


def _spare_unit(generator: Generator, params: Params, given: int | None) -> tuple[int, int | None]:
    """The spare unit, and the unit that it duplicates if it is not dead already."""
    _check_roles(generator)
    leaves = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    read = [_units_of(generator, site, leaves[site.leaf]) for site in _reading(generator)]
    made = [_units_of(generator, site, leaves[site.leaf]) for site in _making(generator)]
    is_dead = np.all([(units == 0).all(axis=1) for units in read], axis=0)
    candidates = [i for i in range(generator.size) if given is None or i == given]
    for unit in candidates:
        if is_dead[unit]:
            return unit, None
    rows = np.concatenate(made, axis=1)
    for unit in candidates:
        twins = np.flatnonzero((rows == rows[unit]).all(axis=1))
        others = twins[twins != unit]
        if len(others):
            return unit, int(others[0])
    which = f"unit {given}" if given is not None else "no unit"
    raise SymmetryError(
        f"{which} of '{generator.name}' is spare: a spare unit has outgoing weights that are all "
        "zero, or the incoming weights of another unit; widen the layer by one such unit"
    )


def _check_roles(generator: Generator) -> None:
    """Refuse a generator of which it is not known what makes and what reads its units."""
    if generator.fibres:
        raise SymmetryError(
            f"'{generator.name}' permutes the units of {generator.copies} copies, each with a "
            "spare unit of its own: restrict the group with symmetry.permutations first"
        )
    for site in generator.sites:
        if site.makes == site.reads:
            both = "both makes and reads" if site.makes else "neither makes nor reads"
            raise SymmetryError(
                f"leaf '{site.leaf}' {both} the units of '{generator.name}', so they cannot be "
                "moved through a spare unit: discover the group from a network with separate leaves"
            )
    if not _reading(generator) or not _making(generator):
        raise SymmetryError(
            f"no leaf {'reads' if _making(generator) else 'makes'} the units of "
            f"'{generator.name}', so none of them can be spare"
        )


def _reading(generator: Generator) -> list[Site]:
    return [site for site in generator.sites if site.reads]


def _making(generator: Generator) -> list[Site]:
    return [site for site in generator.sites if site.makes]


def _units_of(generator: Generator, site: Site, leaf: np.ndarray) -> np.ndarray:
    return View(generator, site, leaf.shape).read(leaf)


def _without(generator: Generator, params: Params, unit: int, twin: int) -> Params:
    """The network in which the outgoing weights of a unit were moved to another unit."""
    sites = {site.leaf: site for site in _reading(generator)}

    def move(path: tuple, leaf: np.ndarray) -> np.ndarray:
        site = sites.get(leaf_name(path))
        if site is None:
            return leaf
        leaf = np.asarray(leaf)
        view = View(generator, site, leaf.shape)
        units = view.read(leaf).copy()
        units[twin] += units[unit]
        units[unit] = 0
        return view.write(leaf, units)

    return jax.tree_util.tree_map_with_path(move, params)


def _moves(part: Int[np.ndarray, "units"], spare: int) -> Arrangement:
    """The knots of a permutation through a spare unit; two segments move a unit.

    A cycle of length l takes l + 1 moves, and the one that the spare unit belongs to l - 1.
    """
    made, dead = np.arange(len(part)), np.zeros(len(part), bool)
    read = made.copy()
    dead[spare] = True
    knots = [(made.copy(), read.copy(), np.zeros(len(part), bool))]
    hole = spare

    def move(place: int) -> None:
        """Move the unit in a place to the hole, which is there afterwards."""
        nonlocal hole
        made[hole] = made[place]
        keep()
        read[hole], dead[hole], dead[place] = read[place], False, True
        keep()
        hole = place

    def keep() -> None:
        knots.append((made.copy(), read.copy(), dead.copy()))

    own = [spare]
    for cycle in cycles(part):
        if spare in cycle:
            at = cycle.index(spare)
            own = cycle[at:] + cycle[:at]
            continue
        for place in cycle:
            move(place)
        # The first unit waits in the spare place until all others have moved.
        move(spare)
    for place in own[1:]:
        move(place)
    # The spare unit's own incoming weights, and the signs of its zeros.
    made[hole], read[hole], dead[hole] = spare, spare, False
    keep()
    return Arrangement(*(np.stack(table) for table in zip(*knots, strict=True)))
