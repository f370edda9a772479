"""A group as JSON, or as the flat table that hand-written specifications are, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeAlias, TypeVar

from mconn.errors import StructureError
from mconn.symmetry.group import (
    KINDS,
    Fibre,
    Generator,
    Group,
    Pin,
    Place,
    Site,
    Value,
    check_group,
    describe_site,
    permutations,
)

Plain = TypeVar("Plain", Site, Place, Fibre, Value, Pin)

WORDS = {str: "a text", int: "a natural number", list: "a list", bool: "true or false"}
ROLES = ("makes", "reads")
AGAIN = "write it again with to_json"


def to_json(group: Group) -> dict[str, Any]:
    """The symmetry as values that ``json.dumps`` takes; `from_json` gives it back exactly.

    Returns:
        ``generators``, each with its name, size, kind, sites and values; ``pinned``; and
        ``leaves``, each with its name and shape.
    """
    check_group(group)
    return {
        "generators": [
            {
                "name": generator.name,
                "size": generator.size,
                "kind": generator.kind,
                "sites": [
                    asdict(site) | {"fibres": _listed(site.fibres)} for site in generator.sites
                ],
                "values": _listed(generator.values),
                "fibres": _listed(generator.fibres),
                "moved_by": generator.moved_by or "",
                "exact": generator.exact,
            }
            for generator in group.generators
        ],
        "pinned": _listed(group.pinned),
        "leaves": [{"name": name, "shape": list(shape)} for name, shape in group.leaves],
    }


def _listed(items: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(item) for item in items]


def from_json(stored: Any) -> Group:
    """The symmetry that `to_json` wrote.

    Raises:
        StructureError: naming the first entry that is missing or is not what it should be.
    """
    generators = [_read_generator(*each) for each in _entries(stored, "generators")]
    names = [generator.name for generator in generators]
    for name in names:
        if names.count(name) > 1:
            raise StructureError(f"a stored symmetry has two generators named '{name}': {AGAIN}")
    pinned = [_read_plain(Pin, *each) for each in _entries(stored, "pinned")]
    leaves = [_read_leaf(*each) for each in _entries(stored, "leaves")]
    return Group(tuple(generators), tuple(pinned), tuple(leaves))


def _read_generator(stored: Any, place: str) -> Generator:
    name, kind = _entry(stored, "name", str, place), _entry(stored, "kind", str, place)
    if kind not in KINDS:
        raise StructureError(
            f"the generator '{name}' of a stored symmetry is a {kind!r}, and this mconn knows "
            f"{', '.join(KINDS)} only: read it with the version that wrote it"
        )
    return Generator(
        name,
        _entry(stored, "size", int, place),
        kind,
        tuple(_read_site(*each) for each in _entries(stored, "sites", place)),
        tuple(_read_plain(Value, *each) for each in _entries(stored, "values", place)),
        tuple(_read_plain(Fibre, *each) for each in _entries(stored, "fibres", place)),
        _entry(stored, "moved_by", str, place) or None,
        _entry(stored, "exact", bool, place),
    )


def _read_site(stored: Any, place: str) -> Site:
    """A site, with the places of its copies.

    Before roles were stored there were none: nothing is known of them then.
    """
    fibres = [_read_plain(Place, *each) for each in _entries(stored, "fibres", place)]
    plain = {
        each.name: _entry(stored, each.name, each.type, place)
        for each in fields(Site)
        if each.name != "fibres" and (each.name not in ROLES or each.name in stored)
    }
    return Site(**plain, fibres=tuple(fibres))


def _read_leaf(stored: Any, place: str) -> tuple[str, tuple[int, ...]]:
    shape = [_checked(size, int, where) for size, where in _entries(stored, "shape", place)]
    return _entry(stored, "name", str, place), tuple(shape)


def _read_plain(kind: type[Plain], stored: Any, place: str) -> Plain:
    return kind(**{each.name: _entry(stored, each.name, each.type, place) for each in fields(kind)})


def _entries(stored: Any, name: str, place: str = "") -> list[tuple[Any, str]]:
    found = _entry(stored, name, list, place)
    return [(each, f"{place}{name}/{i}/") for i, each in enumerate(found)]


def _entry(stored: Any, name: str, kind: Any, place: str = "") -> Any:
    return _checked(stored.get(name) if isinstance(stored, Mapping) else None, kind, place + name)


def _checked(value: Any, kind: Any, place: str) -> Any:
    is_other = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    if is_other or (kind is int and value < 0 and not place.endswith("/power")):
        found = "missing" if value is None else f"{value!r:.40}"
        raise StructureError(
            f"'{place.strip('/')}' of a stored symmetry is {found}, not {WORDS[kind]}: {AGAIN}"
        )
    return value


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
