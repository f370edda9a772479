"""On small networks of every family the discovery misses no transposition, and no tangent.

For generic parameters the transposition of units 0 and 1 is tried on every set of parameter axes
of one length; the sets that leave the function unchanged must be those that the generators predict.
Parts of axes are tried like axes where `PARTS` names them: factors of products (heads and their
entries, groups and their channels) and segments of sums (joined channels). Where `COPIES` tells how
many copies there are of how many units, the transposition is also tried on the first copy alone.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import jax
import numpy as np
import pytest
from left_out import LEFT_OUT, Leaves, Reason
from small_families import FAMILIES, Family, discovered

from mconn.symmetry import CONTINUOUS, Group, Place, draw_part, identity_part, move_leaf

BATCH = 64
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


def moves(name: str, group: Group, tried: Sequence[Units]) -> list[frozenset[Units]]:
    """The sets of the units tried whose transposition the generators predict to change nothing.

    Together with their products: transpositions of different units commute.
    """
    size, copies = tried[0].size, tried[0].copies
    found = [frozenset({units}) for units in tried if is_ignored(name, units)]
    for generator in group.restricted(["permutation"]).generators:
        if copies == 1 and generator.size == size:
            found.append(frozenset(Units(site.leaf, size, site.place) for site in generator.sites))
        elif (generator.size, [f.size for f in generator.fibres]) == (size, [copies]):
            found.append(
                frozenset(
                    Units(s.leaf, size, s.place, copies, s.fibres[0]) for s in generator.sites
                )
            )
    return found


def rows_tried(family: Family, group: Sequence[Units], moves: list[frozenset]) -> np.ndarray:
    """The parameters after each of the moves, and after every set that is no product with them.

    A product with what changes nothing changes the function as much as without it: of all such
    products only that is tried which leaves out one unit for every move.
    """
    basis: dict[Units, frozenset[Units]] = {}
    for move in moves:
        for pivot, other in basis.items():
            move = move ^ other if pivot in move else move
        assert move <= set(group)
        if move:
            pivot = min(move, key=group.index)
            basis = {k: v ^ move if pivot in v else v for k, v in basis.items()} | {pivot: move}
    still = np.arange(family.flat.size)[None]
    orders = {units: transposition(family, units) for units in group}
    rows = still
    for units in group:
        if units not in basis:
            rows = np.concatenate([rows, rows[:, orders[units]]])
    for move in moves:
        moved = still
        for units in move:
            moved = moved[:, orders[units]]
        rows = np.concatenate([moved, rows])
    return family.flat[rows]


def is_ignored(name: str, units: Units) -> bool:
    """Whether nothing depends on the entries."""
    start, stop = IGNORED.get(name, {}).get(units.leaf, (0, 0))
    return start <= units.place.start < stop


def moved_by_each(family: Family, group: Group) -> np.ndarray:
    """The parameters after a random element of every generator that holds exactly.

    This is what the certificate tries, in the program that is compiled for the search.
    """
    rng, rows = np.random.default_rng(5), [family.flat]
    for generator in group.generators:
        if generator.exact:
            leaves, part = dict(family.leaves), draw_part(generator, rng)
            for site in generator.sites:
                leaves[site.leaf] = move_leaf(generator, site, part, leaves[site.leaf])
            rows.append(np.concatenate([leaf.ravel() for leaf in leaves.values()]))
    return np.stack(rows)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_blind_search_finds_the_same_transpositions(name):
    """And a random element of every generator changes nothing."""
    family, group = discovered(name)
    tried = [units for units in candidates(name, family) if units]
    assert all(len(units) <= MOST for units in tried)
    predicted = [moves(name, group, units) for units in tried]
    rows = [rows_tried(family, *each) for each in zip(tried, predicted, strict=True)]
    elements = moved_by_each(family, group)
    every, x = np.concatenate([*rows, elements]), family.x[:4]
    padding = -len(every) % BATCH  # a batch of another size would be compiled by itself
    with jax.enable_x64(True):
        outputs = jax.jit(
            lambda rows: jax.lax.map(lambda row: family.outputs(row, x), rows, batch_size=BATCH)
        )
        found = np.asarray(outputs(np.pad(every, ((0, padding), (0, 0)), mode="edge")))
    found = found[: len(every)]
    found = np.abs(found - found[len(predicted[0])]).max(axis=1)
    assert not np.any((found > 1e-12) & (found < 1e-7))
    *kept, by_elements = np.split(found < 1e-10, np.cumsum([len(each) for each in rows]))
    assert by_elements.all()
    for known, unchanged in zip(predicted, kept, strict=True):
        # The moves of the generators, and the first set of all others, which is empty.
        np.testing.assert_array_equal(np.flatnonzero(unchanged), np.arange(len(known) + 1))


def vector(family: Family, changes: Leaves) -> np.ndarray:
    """Changes of some leaves as a change of the vector of all parameters."""
    parts = [(changes.get(short(name), 0), leaf.shape) for name, leaf in family.leaves.items()]
    return np.concatenate([np.broadcast_to(part, shape).ravel() for part, shape in parts])


def short(leaf: str) -> str:
    """A leaf's name without Flax's collection."""
    return leaf.removeprefix("params/").removeprefix("batch_stats/")


def left_out(family: Family, reasons: list[Reason]) -> np.ndarray:
    """The directions that the group leaves out, as columns."""
    p = {short(name): leaf for name, leaf in family.leaves.items()}
    columns = [
        vector(family, reason.move(p, t))
        for reason in reasons
        for t in np.eye(prod(reason.shape)).reshape(-1, *reason.shape)
    ]
    return np.reshape(columns, (-1, family.flat.size)).T


def tangents(family: Family, group: Group) -> np.ndarray:
    """The directions in which the group moves the parameters, as columns.

    The derivative of the action is the imaginary part of a small imaginary step.
    """
    columns = []
    for generator in group.restricted(CONTINUOUS).generators:
        still = identity_part(generator)
        for unit in np.eye(prod(generator.shape)).reshape(-1, *generator.shape):
            if generator.kind == "orthogonal":
                unit = np.triu(unit, 1) - np.triu(unit, 1).swapaxes(-1, -2)
            if unit.any():
                leaves = {name: leaf.astype(complex) for name, leaf in family.leaves.items()}
                for site in generator.sites:
                    leaf = leaves[site.leaf]
                    leaves[site.leaf] = move_leaf(generator, site, still + 1e-30j * unit, leaf)
                columns.append(np.concatenate([leaf.imag.ravel() for leaf in leaves.values()]))
    return np.reshape(columns, (-1, family.flat.size)).T * 1e30


@pytest.mark.parametrize("name", FAMILIES)
def test_tangents_and_exceptions_span_the_null_space(name):
    """The continuous part of the group against the null space of the Jacobian.

    A direction of the parameters that the outputs do not feel, at generic parameters and on many
    inputs, is a tangent of the group or an exception: `LEFT_OUT` tells for every network which
    directions the group leaves out, why, and how many. The tangents and they must lie in the null
    space, be independent of each other, and span it.
    """
    family, group = discovered(name)

    with jax.enable_x64(True):
        # Forward mode: fewer operations to compile, and no slow gradients of convolutions.
        derivative = jax.jit(jax.jacfwd(lambda flat: family.outputs(flat, family.x)))
        jacobian = np.asarray(derivative(family.flat))
    moved = tangents(family, group)
    exceptions = left_out(family, LEFT_OUT.get(name, []))
    directions = np.hstack([moved, exceptions])
    directions /= np.linalg.norm(directions, axis=0)
    values = np.linalg.svd(jacobian, compute_uv=False)
    assert moved.shape[1] == group.dimension
    assert np.abs(jacobian @ directions).max(initial=0) < 1e-12 * values[0]
    assert np.linalg.matrix_rank(directions, 1e-3) == directions.shape[1]
    assert not np.any((values > 1e-12 * values[0]) & (values < 1e-10 * values[0]))
    assert np.sum(values < 1e-11 * values[0]) == directions.shape[1]
