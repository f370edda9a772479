"""A blind search on small networks of every family finds no symmetry that the discovery misses.

For generic parameters the transposition of units 0 and 1 is tried on every set of parameter axes
of one length; the sets that leave the function unchanged must be those that the generators predict.
Parts of axes are tried like axes where `PARTS` names them: factors of products (heads and their
entries, groups and their channels) and segments of sums (joined channels). Where `COPIES` tells how
many copies there are of how many units, the transposition is also tried on the first copy alone.
"""

from typing import NamedTuple

import jax
import numpy as np
import pytest
from small_families import FAMILIES, Family

from mconn import symmetry
from mconn.symmetry import Group, Place

MOST = 17
"""How many axes are tried together at most."""


class Units(NamedTuple):
    """Units along a part of an axis of a leaf; with a place of copies, those of the first copy."""

    leaf: str
    size: int
    place: Place
    copies: int = 1
    copy: Place | None = None


Part = tuple[int, int, int, int]
"""Of an axis: start, outer, size and inner."""


def product(outer: int, inner: int, start: int = 0) -> tuple[Part, Part]:
    """Both factors of an axis."""
    return (start, 1, outer, inner), (start, outer, inner, 1)


def segments(size: int, *starts: int) -> tuple[Part, ...]:
    """Parts of a sum of axes."""
    return tuple((start, 1, size, 1) for start in starts)


LLAMA = "params/LlamaBlock_0/"
NORM = "BatchNorm_2/"
PARTS: dict[str, dict[tuple[str, int], tuple[Part, ...]]] = {
    "cnn group norm": {
        ("params/Conv_0/kernel", 3): product(2, 3),
        ("params/Conv_0/bias", 0): product(2, 3),
        ("params/GroupNorm_0/scale", 0): product(2, 3),
        ("params/GroupNorm_0/bias", 0): product(2, 3),
        ("params/Conv_1/kernel", 2): product(2, 3),
    },
    "separable": {
        ("params/Conv_0/kernel", 3): product(2, 2),
        ("params/Conv_0/bias", 0): product(2, 2),
        ("params/Conv_1/kernel", 3): product(2, 3),
        ("params/Conv_1/bias", 0): product(2, 3),
        ("params/Conv_2/kernel", 3): product(2, 3),
        ("params/Conv_2/bias", 0): product(2, 3),
        ("params/Dense_0/kernel", 0): product(2, 3),
    },
    "resnet padding": {
        (f"params/{NORM}scale", 0): (*segments(3, 1), (0, 1, 5, 1)),
        (f"params/{NORM}bias", 0): (*segments(3, 1), (0, 1, 5, 1)),
        (f"batch_stats/{NORM}mean", 0): (*segments(3, 1), (0, 1, 5, 1)),
        (f"batch_stats/{NORM}var", 0): (*segments(3, 1), (0, 1, 5, 1)),
        ("params/Conv_2/kernel", 3): (*segments(3, 1), (0, 1, 5, 1)),
        ("params/Dense_0/kernel", 0): (*segments(3, 1), (0, 1, 5, 1)),
    },
    "densenet": {
        ("params/Conv_2/kernel", 2): segments(3, 0, 3),
        ("params/Dense_0/kernel", 0): segments(3, 0, 3, 6),
    },
    "u-net": {("params/Conv_3/kernel", 2): segments(3, 0) + segments(2, 3)},
    "gpt-2": {
        ("params/Dense_0/kernel", 1): product(2, 3) + product(2, 3, 6) + product(2, 3, 12),
        ("params/Dense_0/bias", 0): product(2, 3) + product(2, 3, 6) + product(2, 3, 12),
        ("params/Dense_1/kernel", 0): product(2, 3),
    },
    # Two heads for keys and values, for each of them two for queries; two entries each.
    "llama": {
        (f"{LLAMA}key/kernel", 1): product(2, 2),
        (f"{LLAMA}value/kernel", 1): product(2, 2),
        (f"{LLAMA}query/kernel", 1): ((0, 1, 2, 4), (0, 2, 2, 2), (0, 4, 2, 1)),
        (f"{LLAMA}mixed/kernel", 0): ((0, 1, 2, 4), (0, 2, 2, 2), (0, 4, 2, 1)),
    },
    "llama, one head": {
        (f"{LLAMA}query/kernel", 1): product(2, 2),
        (f"{LLAMA}key/kernel", 1): product(2, 2),
    },
}
# Biases, from an entry to another, that the function does not depend on at all.
IGNORED = {
    "cnn instance norm": {"params/Conv_0/bias": (0, 4), "params/Conv_1/bias": (0, 3)},
    "mlp-mixer": {"params/Dense_0/bias": (0, 4)},
    "vision transformer": {"params/MultiHeadDotProductAttention_0/key/bias": (0, 3)},
    "gpt-2": {"params/Dense_0/bias": (6, 12)},
}
COPIES = {
    "cnn group norm": (2, 3),
    "separable": (2, 3),
    "vision transformer": (2, 3),
    "gpt-2": (2, 3),
    "llama": (2, 2),
    "mixture of experts": (3, 2),
    "scan": (3, 2),
}


def places(name: str, family: Family) -> list[Units]:
    """All axes of all leaves; of some, their parts instead."""
    found = []
    for leaf, array in family.leaves.items():
        for axis, length in enumerate(array.shape):
            parts = PARTS.get(name, {}).get((leaf, axis), ((0, 1, length, 1),))
            found += [
                Units(leaf, size, Place(axis, start, outer, inner))
                for start, outer, size, inner in parts
                if size > 1
            ]
    return found


def candidates(name: str, family: Family) -> list[list[Units]]:
    """The units that are tried together, of one size and on as many copies."""
    alone = places(name, family)
    tried = [[u for u in alone if u.size == size] for size in sorted({u.size for u in alone})]
    if name in COPIES:
        copies, size = COPIES[name]
        single = [
            Units(units.leaf, size, units.place, copies, others.place)
            for units in alone
            for others in alone
            if (units.leaf, units.size, others.size) == (others.leaf, size, copies)
            and lies_inside(units.place, others.place)
        ]
        tried.append(single)
    return tried


def lies_inside(units: Place, copies: Place) -> bool:
    """Whether the units can be those of one copy."""
    is_same_product = units.start == copies.start and units.outer > copies.outer
    return units.axis != copies.axis or is_same_product


def transposition(family: Family, units: Units) -> np.ndarray:
    """Where every parameter of the moved network comes from, in the vector of all."""
    before = 0
    for leaf, array in family.leaves.items():
        if leaf == units.leaf:
            break
        before += array.size
    index = np.indices(array.shape)
    number = position(index, units.place, units.size)
    step = np.prod(array.shape[units.place.axis + 1 :], dtype=int) * units.place.inner
    moves = step * ((number == 0).astype(int) - (number == 1))
    if units.copy is not None:
        moves *= position(index, units.copy, units.copies) == 0
    order = np.arange(family.flat.size)
    order[before : before + array.size] += moves.ravel()
    return order


def position(index: np.ndarray, place: Place, size: int) -> np.ndarray:
    """The number of the unit that every entry of a leaf belongs to; -1 for none."""
    entry = index[place.axis] - place.start
    is_inside = (entry >= 0) & (entry < place.outer * size * place.inner)
    return np.where(is_inside, entry // place.inner % size, -1)


def found_by_search(name: str, family: Family) -> set[frozenset[Units]]:
    """The sets of units whose transposition changes nothing."""
    tried, orders = candidates(name, family), []
    for group in tried:
        assert len(group) <= MOST
        rows = np.arange(family.flat.size)[None]
        for units in group:
            rows = np.concatenate([rows, rows[:, transposition(family, units)]])
        orders.append(rows)
    x = family.x[:4]

    def change(flat: jax.Array) -> jax.Array:
        return abs(family.outputs(flat, x) - family.outputs(family.flat, x)).max()

    def changes(rows: jax.Array) -> jax.Array:
        return jax.lax.map(change, rows, batch_size=64)

    moved = family.flat[np.concatenate(orders)]
    found = np.asarray(jax.jit(changes)(moved))
    assert not np.any((found > 1e-12) & (found < 1e-7))
    kept = np.split(found < 1e-10, np.cumsum([len(rows) for rows in orders])[:-1])
    return {
        frozenset(units for i, units in enumerate(group) if row >> i & 1)
        for group, unchanged in zip(tried, kept, strict=True)
        for row in np.flatnonzero(unchanged).tolist()
    }


def predicted(name: str, family: Family, group: Group) -> set[frozenset[Units]]:
    """The sets of units of the products of transpositions in the permutations of one size."""
    permutations = group.restricted(["permutation"]).generators
    found = {frozenset[Units]()}
    for tried in candidates(name, family):
        size, copies = tried[0].size, tried[0].copies
        moves = [{units} for units in tried if is_ignored(name, units)]
        for generator in permutations:
            if copies == 1 and generator.size == size:
                moves.append({Units(site.leaf, size, site.place) for site in generator.sites})
            elif (generator.size, [f.size for f in generator.fibres]) == (size, [copies]):
                moves.append(
                    {Units(s.leaf, size, s.place, copies, s.fibres[0]) for s in generator.sites}
                )
        products = {frozenset[Units]()}
        for units in moves:
            products |= {each ^ units for each in products}
        found |= products
    return found


def is_ignored(name: str, units: Units) -> bool:
    """Whether nothing depends on the entries."""
    start, stop = IGNORED.get(name, {}).get(units.leaf, (0, 0))
    return start <= units.place.start < stop


@pytest.mark.parametrize("name", FAMILIES)
def test_a_blind_search_finds_the_same_transpositions(name):
    with jax.enable_x64(True):
        family = FAMILIES[name]()
        group = symmetry.discover(family.apply, family.params, family.x)
        assert found_by_search(name, family) == predicted(name, family, group)
