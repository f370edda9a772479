"""A symmetry as the flat table that hand-written specifications are: a name or None per axis."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mconn.errors import StructureError
from mconn.symmetry.describe import describe_site
from mconn.symmetry.group import Generator, Group, Pin, Place, Site, permutations

Specification: TypeAlias = Mapping[str, Sequence[str | None]]
"""``{leaf: (generator name or None for every axis)}``; the code of Ainsworth et al.
(2022, arXiv:2209.04836) has its permutation specifications in this form."""


def to_specification(group: Group) -> dict[str, tuple[str | None, ...]]:
    """The flat table ``{leaf: (generator name or None for every axis)}`` of the permutations.

    It has what the group has of permutations of whole axes, also where its matrices include them;
    scalings, signs and rotations are not in it.

    Raises:
        StructureError: if a permutation moves a segment of an axis, which the table cannot say, or
            a leaf that the symmetry does not know the shape of.
    """
    shapes = dict(group.leaves)
    table: dict[str, list[str | None]] = {leaf: [None] * len(shapes[leaf]) for leaf in shapes}
    for generator in permutations(group).generators:
        for site in generator.sites:
            if site.leaf not in shapes:
                raise StructureError(
                    f"the shape of leaf '{site.leaf}' is not among the leaves of the symmetry: "
                    "give Group its leaves, as discover does"
                )
            if site.place != Place(site.axis) or shapes[site.leaf][site.axis] != generator.size:
                raise StructureError(
                    f"the generator '{generator.name}' moves a segment of an axis "
                    f"({describe_site(site)}), which a flat specification cannot say: use to_json"
                )
            table[site.leaf][site.axis] = generator.name
    return {leaf: tuple(names) for leaf, names in table.items()}


def from_specification(specification: Specification, shapes: Mapping[str, Sequence[int]]) -> Group:
    """The symmetry that a flat table describes, its generators in the order of their first axis.

    Nothing is known of the network itself: `certify` tells whether the table is right, and
    `activations` finds no values.

    Args:
        specification: for every leaf the generator's name, or None, for each of its axes.
        shapes: the shape of every leaf.

    Raises:
        StructureError: naming the leaf whose axes or sizes do not fit.
    """
    for leaf in [*specification, *shapes]:
        if leaf not in specification or leaf not in shapes:
            missing = "specification" if leaf in shapes else "shapes"
            raise StructureError(f"leaf '{leaf}' is missing in the {missing}: name it in both")
    sizes: dict[str, int] = {}
    sites: dict[str, list[Site]] = {}
    pinned: list[Pin] = []
    for leaf, names in specification.items():
        shape = tuple(shapes[leaf])
        if len(names) != len(shape):
            raise StructureError(
                f"leaf '{leaf}' of shape {shape} has {len(names)} entries in the specification: "
                "give one for every axis, None where nothing acts"
            )
        for axis, (name, size) in enumerate(zip(names, shape, strict=True)):
            if name is None:
                pinned.append(Pin(leaf, axis, size, "not in the specification", ""))
            elif sizes.setdefault(name, size) == size:
                sites.setdefault(name, []).append(Site(leaf, axis))
            else:
                raise StructureError(
                    f"leaf '{leaf}' has {size} entries along axis {axis}, but the generator "
                    f"'{name}' moves {sizes[name]} units: give axes of another size another name"
                )
    generators = [Generator(name, sizes[name], "permutation", tuple(sites[name])) for name in sites]
    leaves = [(leaf, tuple(shapes[leaf])) for leaf in specification]
    return Group(tuple(generators), tuple(pinned), tuple(leaves))
