"""Ties the weights of an equation's output to those of its operands, and splits axes."""

import math
from collections.abc import Sequence
from fractions import Fraction

from mconn.symmetry.labels import (
    Atom,
    Axis,
    Labels,
    Layout,
    Segment,
    atoms_of,
    axis_size,
    boundaries,
    is_uniform,
    segment_size,
)
from mconn.symmetry.weights import Law


def tie(
    labels: Labels,
    law: Law,
    result: Layout,
    operands: Sequence[Layout],
    powers: Sequence[Fraction] = (),
) -> Layout:
    """The layout with the weights that a law gives it, axis by axis.

    Operands have the rank of the result, or none (a scalar); axes of size one are broadcast.
    """
    return tuple(
        tie_axis(
            labels,
            law,
            axis,
            [
                operand[i] if operand and axis_size(operand[i]) == axis_size(axis) else ((),)
                for operand in operands
            ],
            powers,
        )
        for i, axis in enumerate(result)
    )


def tie_axis(
    labels: Labels,
    law: Law,
    result: Axis,
    operands: Sequence[Axis],
    powers: Sequence[Fraction] = (),
) -> Axis:
    """The axis with the weights that a law gives it from operands that were aligned with it."""
    result = labels.resolve(result)
    columns = [atoms_like(result, labels.resolve(operand)) for operand in operands]
    if any(column is None for column in columns):
        # The axes do not fall into the same pieces: whatever moves along them is given up.
        for axis in (result, *operands):
            labels.unfold(axis)
        law, columns = Law.FIXED, []
    rows = iter(zip(*(column or () for column in columns), strict=True)) if columns else None
    return tuple(
        tuple(
            Atom(
                atom.label,
                atom.size,
                _tie_atom(labels, law, atom.label, next(rows) if rows else (), powers),
            )
            for atom in segment
        )
        for segment in result
    )


def atoms_like(result: Axis, operand: Axis) -> list[Atom] | None:
    """The atom of an operand for every atom of the result; None if it has other pieces."""
    if is_uniform(operand):
        return [Atom(None, 1) for _ in atoms_of(result)]
    if len(operand) != len(result):
        return None
    atoms: list[Atom] = []
    for segment, other in zip(result, operand, strict=True):
        if all(atom.label is None for atom in other):
            atoms += [Atom(None, 1)] * len(segment)
        elif [atom.size for atom in segment] == [atom.size for atom in other]:
            atoms += other
        else:
            return None
    return atoms


def _tie_atom(
    labels: Labels,
    law: Law,
    label: int | None,
    operands: Sequence[Atom],
    powers: Sequence[Fraction],
) -> int | None:
    moving = [i for i, atom in enumerate(operands) if atom.weight is not None]
    varying = any(atom.weight is None and atom.label is not None for atom in operands)
    if label is None or (operands and not moving):
        return None
    is_passed = (law is Law.EQUAL and len(operands) == 1) or (
        law is Law.PRODUCT and len(moving) == 1 and powers[moving[0]] == 1 and not varying
    )
    if is_passed:
        return operands[moving[0]].weight
    out = labels.weights.new(label)
    labels.weights.require(law, out, [atom.weight for atom in operands], powers, varying)
    return out


def require(labels: Labels, law: Law, *operands: Axis) -> None:
    """A law between aligned axes that do not appear in the output."""
    longest = max((labels.resolve(operand) for operand in operands), key=_atom_count)
    columns = [atoms_like(longest, labels.resolve(operand)) for operand in operands]
    if any(column is None for column in columns):
        for axis in operands:
            labels.unfold(axis)
        return
    for row in zip(*(column or () for column in columns), strict=True):
        labels.weights.require(law, None, [atom.weight for atom in row])


def _atom_count(axis: Axis) -> tuple[bool, int]:
    return not is_uniform(axis), sum(1 for _ in atoms_of(axis))


def part(labels: Labels, gone: Sequence[Axis], kept: Sequence[Axis]) -> None:
    """Note that axes are summed over, or meet all entries of each other, while others are kept.

    What a generator does to the kept ones cannot depend on the index along those that are gone.
    """
    lost = [atom.label for axis in gone for atom in atoms_of(axis) if atom.label is not None]
    for atom in (atom for axis in kept for atom in atoms_of(axis)):
        if atom.label is not None:
            labels.weights.parted.update((atom.label, label) for label in lost)


def factor(labels: Labels, axis: Axis, sizes: tuple[int, ...]) -> Layout:
    """Split an axis into a product of axes of the given sizes, the outermost first."""
    axis = labels.resolve(axis)
    if len(axis) == 1:
        return _factor_segment(labels, axis[0], sizes)
    # A sum splits if every segment is a whole number of the inner blocks: the outer axis is
    # then the sum, and the inner axes move together in all of its segments.
    inner = math.prod(sizes[1:])
    if any(end % inner for end in boundaries(axis)):
        text = "a reshape of a concatenated axis"
        labels.pin(axis, text)
        return tuple(labels.pinned(size, text) for size in sizes)
    outer: Axis = ()
    rest: Layout = ()
    for segment in axis:
        parts = (segment_size(segment) // inner, *sizes[1:])
        first, *others = factor(labels, (segment,), parts)
        outer += first
        rest = tuple(
            tie_axis(labels, Law.EQUAL, labels.align(one, other), [one, other])
            for one, other in zip(rest or others, others, strict=True)
        )
    return (outer, *rest)


def _factor_segment(labels: Labels, segment: Segment, sizes: tuple[int, ...]) -> Layout:
    layout: Layout = ()
    rest = segment
    for size in sizes:
        taken: Segment = ()
        while size > 1:
            (rest,) = labels.resolve((rest,))
            atom, rest = rest[0], rest[1:]
            if atom.size > size and atom.size % size == 0:
                atom, inner = labels.divide(atom, size)
                rest = (inner, *rest)
            if size % atom.size:
                text = f"a reshape of {atom.size} entries across groups of {size}"
                labels.pin((segment,), text)
                return tuple(labels.pinned(size, text) for size in sizes)
            taken, size = (*taken, atom), size // atom.size
        layout += ((taken,),)
    return layout
