"""Layouts: what each axis of a value consists of.

An *axis* is a sum of segments, a *segment* is a product of atoms in C order (the outermost first),
and an *atom* is a label with its size. Flattening an image gives the product (height, width,
channels), concatenating gives a sum, and a reshape into groups splits a label into a product.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Atom:
    """A factor of an axis: a label, or None where the value does not vary ("uniform").

    ``weight`` is the number of the unknown that tells how the entries are multiplied under a
    scaling, sign or matrix (`mconn.symmetry.weights`); None where they never are: in inputs and
    constants.
    """

    label: int | None
    size: int
    weight: int | None = field(default=None, compare=False)


Segment = tuple[Atom, ...]
"""A product of atoms, the outermost first; the empty product has one entry."""

Axis = tuple[Segment, ...]
"""A sum of segments, one after the other."""

Layout = tuple[Axis, ...]
"""The axes of a value."""


def uniform(size: int) -> Axis:
    """An axis along which a value does not vary."""
    return ((),) if size == 1 else ((Atom(None, size),),)


def segment_size(segment: Segment) -> int:
    """The number of entries of a product."""
    return math.prod(atom.size for atom in segment)


def axis_size(axis: Axis) -> int:
    """The number of entries of a sum of products."""
    return sum(segment_size(segment) for segment in axis)


def boundaries(axis: Axis) -> set[int]:
    """Where the segments of an axis end."""
    return set(accumulate(segment_size(segment) for segment in axis))


def is_uniform(axis: Axis) -> bool:
    """Whether the value is known not to vary along the whole axis."""
    return len(axis) == 1 and all(atom.label is None for atom in axis[0])


def atoms_of(axis: Axis) -> Iterator[Atom]:
    """All atoms of an axis, in order."""
    return (atom for segment in axis for atom in segment)


def occurrences(axis: Axis) -> Iterator[tuple[Atom, int, int, int]]:
    """Every atom, where its segment starts, and the entries outside and inside the atom."""
    start = 0
    for segment in axis:
        outer, size = 1, segment_size(segment)
        for atom in segment:
            yield atom, start, outer, size // (outer * atom.size)
            outer *= atom.size
        start += size
