"""A symmetry as JSON, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

from mconn.errors import StructureError
from mconn.symmetry.group import KINDS, Fibre, Generator, Group, Pin, Place, Site, Value

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
    return {
        "generators": [
            {
                "name": generator.name,
                "size": generator.size,
                "kind": generator.kind,
                "sites": [
                    asdict(site) | {"fibres": listed(site.fibres)} for site in generator.sites
                ],
                "values": listed(generator.values),
                "fibres": listed(generator.fibres),
                "moved_by": generator.moved_by or "",
                "exact": generator.exact,
            }
            for generator in group.generators
        ],
        "pinned": listed(group.pinned),
        "leaves": [{"name": name, "shape": list(shape)} for name, shape in group.leaves],
    }


def listed(items: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as dictionaries."""
    return [asdict(item) for item in items]


def from_json(stored: Any) -> Group:
    """The symmetry that `to_json` wrote.

    Raises:
        StructureError: naming the first entry that is missing or is not what it should be.
    """
    generators = [read_generator(*each) for each in entries(stored, "generators")]
    names = [generator.name for generator in generators]
    for name in names:
        if names.count(name) > 1:
            raise StructureError(f"a stored symmetry has two generators named '{name}': {AGAIN}")
    pinned = [read_plain(Pin, *each) for each in entries(stored, "pinned")]
    leaves = [read_leaf(*each) for each in entries(stored, "leaves")]
    return Group(tuple(generators), tuple(pinned), tuple(leaves))


def read_generator(stored: Any, place: str) -> Generator:
    """One generator, of a kind that there is."""
    name, kind = entry(stored, "name", str, place), entry(stored, "kind", str, place)
    if kind not in KINDS:
        raise StructureError(
            f"the generator '{name}' of a stored symmetry is a {kind!r}, and this mconn knows "
            f"{', '.join(KINDS)} only: read it with the version that wrote it"
        )
    return Generator(
        name,
        entry(stored, "size", int, place),
        kind,
        tuple(read_site(*each) for each in entries(stored, "sites", place)),
        tuple(read_plain(Value, *each) for each in entries(stored, "values", place)),
        tuple(read_plain(Fibre, *each) for each in entries(stored, "fibres", place)),
        entry(stored, "moved_by", str, place) or None,
        entry(stored, "exact", bool, place),
    )


def read_site(stored: Any, place: str) -> Site:
    """A site, with the places of its copies.

    Before roles were stored there were none: nothing is known of them then.
    """
    fibres = [read_plain(Place, *each) for each in entries(stored, "fibres", place)]
    plain = {
        each.name: entry(stored, each.name, each.type, place)
        for each in fields(Site)
        if each.name != "fibres" and (each.name not in ROLES or each.name in stored)
    }
    return Site(**plain, fibres=tuple(fibres))


def read_leaf(stored: Any, place: str) -> tuple[str, tuple[int, ...]]:
    """The name and the shape of a leaf."""
    shape = [checked(size, int, where) for size, where in entries(stored, "shape", place)]
    return entry(stored, "name", str, place), tuple(shape)


def read_plain(kind: type[Plain], stored: Any, place: str) -> Plain:
    """A dataclass of texts and numbers."""
    return kind(**{each.name: entry(stored, each.name, each.type, place) for each in fields(kind)})


def entries(stored: Any, name: str, place: str = "") -> list[tuple[Any, str]]:
    """The entries of a stored list, each with its place."""
    found = entry(stored, name, list, place)
    return [(each, f"{place}{name}/{i}/") for i, each in enumerate(found)]


def entry(stored: Any, name: str, kind: Any, place: str = "") -> Any:
    """One entry of a stored object."""
    return checked(stored.get(name) if isinstance(stored, Mapping) else None, kind, place + name)


def checked(value: Any, kind: Any, place: str) -> Any:
    """The value, if it is a text, a number or a list as it should be."""
    is_other = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    if is_other or (kind is int and value < 0 and not place.endswith("/power")):
        found = "missing" if value is None else f"{value!r:.40}"
        raise StructureError(
            f"'{place.strip('/')}' of a stored symmetry is {found}, not {WORDS[kind]}: {AGAIN}"
        )
    return value
