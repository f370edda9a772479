"""A symmetry survives JSON unchanged, and JSON that is none is refused in one sentence.

The round trip of every network of the zoo is in `test_zoo`.
"""

import copy
import json

import pytest
from hypothesis import assume, given, settings, strategies as st
from symmetry_zoo import network

from mconn import symmetry
from mconn.errors import StructureError
from mconn.symmetry.group import KINDS

NUMBERS, TEXTS = st.integers(0, 10**9), st.text(max_size=5)
NAMES = ("leaf", "reason", "source", "primitive", "moment", "name", "moved_by")


def objects(*names, **others):
    """Dictionaries with a text or a number for every name."""
    plain = {name: TEXTS if name in NAMES else NUMBERS for name in names}
    return st.fixed_dictionaries(plain | others)


def lists(strategy, **options):
    return st.lists(strategy, max_size=3, **options)


SEGMENT = ("axis", "start", "outer", "inner")
GENERATORS = objects(
    "name",
    "size",
    "moved_by",
    kind=st.sampled_from(KINDS),
    sites=lists(
        objects(
            "leaf",
            *SEGMENT,
            power=st.integers(-9, 9),
            fibres=lists(objects(*SEGMENT)),
            makes=st.booleans(),
            reads=st.booleans(),
        )
    ),
    values=lists(objects("number", "primitive", *SEGMENT, "moment")),
    fibres=lists(objects("name", "size", moves=st.booleans())),
    exact=st.booleans(),
)
# Plain data and no symmetries: building these in a strategy would let beartype draw at random.
STORED = objects(
    generators=lists(GENERATORS, unique_by=lambda each: each["name"]),
    pinned=lists(objects("leaf", "axis", "size", "reason", "source")),
    leaves=lists(objects(name=TEXTS, shape=lists(NUMBERS))),
)


@pytest.fixture(scope="module")
def stored():
    return symmetry.to_json(network("cnn group norm")[1])


@given(STORED)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_any_symmetry_survives(stored):
    group = symmetry.from_json(stored)
    assert symmetry.to_json(group) == stored
    assert symmetry.from_json(json.loads(json.dumps(symmetry.to_json(group)))) == group


def test_what_was_stored_without_roles_has_none(stored):
    older = copy.deepcopy(stored)
    for generator in older["generators"]:
        for site in generator["sites"]:
            del site["makes"], site["reads"]
    group, before = symmetry.from_json(older), symmetry.from_json(stored)
    assert not any(site.makes or site.reads for each in group.generators for site in each.sites)
    assert [each.sites[0].place for each in group.generators] == [
        each.sites[0].place for each in before.generators
    ]


def places(tree, path=()):
    """The path of every entry of a tree of dictionaries and lists."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, child in items:
        yield (*path, name)
        if isinstance(child, dict | list):
            yield from places(child, (*path, name))


@given(st.data(), st.sampled_from([None, -1, 1.5, True, {}]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_damaged_entry_is_refused(stored, data, damage):
    damaged = copy.deepcopy(stored)
    *path, last = data.draw(st.sampled_from(list(places(stored))))
    parent = damaged
    for name in path:
        parent = parent[name]
    # These are no damage: a power may be negative, and a flag is true or false.
    flags = [(flag, True) for flag in ("exact", "makes", "moves", "reads")]
    assume((last, damage) not in [("power", -1), *flags])
    parent[last] = damage
    with pytest.raises(StructureError, match=r": write it again with to_json$") as caught:
        symmetry.from_json(damaged)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s.pop("pinned"), "'pinned' of a stored symmetry is missing, not a list"),
        (
            lambda s: s["generators"][1]["sites"][0].pop("axis"),
            "'generators/1/sites/0/axis' of a stored symmetry is missing, not a natural number",
        ),
        (
            lambda s: s["leaves"][0]["shape"].append("3"),
            "'leaves/0/shape/1' of a stored symmetry is '3', not a natural number",
        ),
        (
            lambda s: s["generators"].append(s["generators"][0]),
            "a stored symmetry has two generators named 'Conv_0'",
        ),
        (
            lambda s: s["generators"][0].update(kind="braid"),
            "the generator 'Conv_0' of a stored symmetry is a 'braid', and this mconn knows",
        ),
    ],
)
def test_what_is_wrong_is_named(stored, damage, message):
    damaged = copy.deepcopy(stored)
    damage(damaged)
    with pytest.raises(StructureError, match=message):
        symmetry.from_json(damaged)


@pytest.mark.parametrize("stored", [None, [], "a text", {}])
def test_what_is_no_symmetry_at_all(stored):
    with pytest.raises(StructureError, match="'generators' of a stored symmetry is missing"):
        symmetry.from_json(stored)
