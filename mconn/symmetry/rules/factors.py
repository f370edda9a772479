"""Splits an axis into a product of axes, as a reshape does."""

import math

from mconn.symmetry.labels import Labels
from mconn.symmetry.layout import Axis, Layout, Segment, boundaries, segment_size
from mconn.symmetry.rules.ties import tie_axis
from mconn.symmetry.weights import Law


def factor(labels: Labels, axis: Axis, sizes: tuple[int, ...]) -> Layout:
    """Split an axis into a product of axes of the given sizes, the outermost first."""
    axis = labels.resolve(axis)
    if len(axis) == 1:
        return factor_segment(labels, axis[0], sizes)
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


def factor_segment(labels: Labels, segment: Segment, sizes: tuple[int, ...]) -> Layout:
    """Split a product into products of the given sizes."""
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
