"""Primitives that reshape, reorder, cut, join, read and write axes.

At computed positions axes taken whole pass, and the indexed ones are pinned.
"""

import math
from itertools import accumulate

from mconn.jaxprs import Equation
from mconn.symmetry.labels import Axis, Labels, Layout, atoms_of, axis_size, is_uniform, uniform
from mconn.symmetry.rules.table import (
    align_layouts,
    pin_axes,
    pin_everything,
    primitives,
    rule,
    zero_free,
)
from mconn.symmetry.rules.ties import factor, require, tie, tie_axis
from mconn.symmetry.weights import ONE, Law

CUTS = primitives("slice split")
"""Primitives that read contiguous parts of their operand."""


@rule("broadcast_in_dim")
def broadcast_in_dim(
    labels: Labels, equation: Equation, operand: Layout, *dynamic: Layout
) -> list[Layout]:
    """New axes, and axes of size one, become uniform."""
    del labels, dynamic
    (shape,) = equation.shapes
    result = [uniform(size) for size in shape]
    for axis, out in zip(operand, equation.parameters["broadcast_dimensions"], strict=True):
        if axis_size(axis) == shape[out]:
            result[out] = axis
    return [tuple(result)]


@rule("reshape")
def reshape(labels: Labels, equation: Equation, operand: Layout, *dynamic: Layout) -> list[Layout]:
    """Axes merge into products, and split into the factors of a product."""
    if dynamic or equation.parameters.get("dimensions") is not None:
        return pin_everything(labels, equation, operand, *dynamic)
    (shape,) = equation.shapes
    result = [uniform(size) for size in shape]
    sources = [axis for axis in operand if axis_size(axis) > 1]
    targets = [i for i, size in enumerate(shape) if size > 1]
    while sources:
        merged, size = [sources.pop(0)], 1
        group = [targets.pop(0)]
        while (size := _shape_product(shape, group)) != (whole := _size_product(merged)):
            if size < whole:
                group.append(targets.pop(0))
            else:
                merged.append(sources.pop(0))
        product = labels.multiply([labels.resolve(axis) for axis in merged])
        pieces = factor(labels, product, tuple(shape[i] for i in group))
        for i, piece in zip(group, pieces, strict=True):
            result[i] = piece
    return [tuple(result)]


@rule("squeeze")
def squeeze(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Axes of size one disappear."""
    del labels
    gone = equation.parameters["dimensions"]
    return [tuple(axis for i, axis in enumerate(operand) if i not in gone)]


@rule("expand_dims")
def expand_dims(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Axes of size one appear."""
    del labels
    (shape,), rest = equation.shapes, iter(operand)
    new = equation.parameters["dimensions"]
    return [tuple(uniform(1) if i in new else next(rest) for i in range(len(shape)))]


@rule("transpose")
def transpose(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Axes change places."""
    del labels
    return [tuple(operand[i] for i in equation.parameters["permutation"])]


@rule("rev")
def rev(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Entries change places: the reversed axes are pinned."""
    return [pin_axes(labels, operand, equation.parameters["dimensions"], "rev")]


@rule("iota")
def iota(labels: Labels, equation: Equation, *dynamic: Layout) -> list[Layout]:
    """The entries are their own positions along one axis, and do not vary along the others."""
    del dynamic
    (shape,), counted = equation.shapes, equation.parameters["dimension"]
    return [
        tuple(
            labels.pinned(size, "iota") if i == counted else uniform(size)
            for i, size in enumerate(shape)
        )
    ]


@rule("slice")
def slice_(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """A contiguous part of an axis splits its labels into a sum; a stride pins."""
    starts, limits = equation.parameters["start_indices"], equation.parameters["limit_indices"]
    strides = equation.parameters["strides"] or (1,) * len(operand)
    (shape,) = equation.shapes
    result = []
    for axis, start, limit, stride, size in zip(
        operand, starts, limits, strides, shape, strict=True
    ):
        if stride == 1:
            result.append(part(labels, axis, start, limit))
        else:
            labels.pin(axis, "a slice with a stride")
            result.append(labels.pinned(size, "a slice with a stride"))
    return [tuple(result)]


@rule("split")
def split(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Several contiguous parts of one axis."""
    cut, sizes = equation.parameters["axis"], [int(s) for s in equation.parameters["sizes"]]
    ends = list(accumulate(sizes))
    return [
        (*operand[:cut], part(labels, operand[cut], end - size, end), *operand[cut + 1 :])
        for size, end in zip(sizes, ends, strict=True)
    ]


@rule("concatenate")
def concatenate(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """Along one axis a sum, or a product if the same value is repeated; the others go together."""
    joined = equation.parameters["dimension"]
    if len(operands) > 1 and len(set(equation.inputs)) == 1:
        (operand, *_) = operands
        copies = labels.multiply([uniform(len(operands)), labels.resolve(operand[joined])])
        return [(*operand[:joined], copies, *operand[joined + 1 :])]
    axis = sum((operand[joined] for operand in operands if axis_size(operand[joined])), ())
    rest = [operand[:joined] + operand[joined + 1 :] for operand in operands]
    others = tie(labels, Law.EQUAL, align_layouts(labels, rest), zero_free(equation, rest))
    return [(*others[:joined], axis, *others[joined:])]


@rule("stack")
def stack(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """The operands move together; their number is fixed."""
    new, common = equation.parameters["axis"], align_layouts(labels, operands)
    common = tie(labels, Law.EQUAL, common, zero_free(equation, operands))
    return [(*common[:new], labels.pinned(len(operands), "stack"), *common[new:])]


@rule("unstack")
def unstack(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Every entry of the axis becomes a value of its own."""
    gone = equation.parameters["axis"]
    labels.pin(operand[gone], "unstack")
    return [operand[:gone] + operand[gone + 1 :]] * len(equation.outputs)


@rule("tile")
def tile(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Axes are repeated: a product of a uniform axis and the old one."""
    return [
        tuple(
            labels.multiply([uniform(repeats), labels.resolve(axis)])
            for axis, repeats in zip(operand, equation.parameters["reps"], strict=True)
        )
    ]


@rule("pad")
def pad(labels: Labels, equation: Equation, operand: Layout, value: Layout) -> list[Layout]:
    """A sum with uniform ends; negative padding cuts, interior padding pins."""
    del value
    is_zero = equation.zeros[1]
    (shape,) = equation.shapes
    result = []
    for axis, (low, high, interior), size in zip(
        operand, equation.parameters["padding_config"], shape, strict=True
    ):
        if interior:
            labels.pin(axis, "padding between entries")
            result.append(labels.pinned(size, "padding between entries"))
            continue
        kept = part(labels, axis, max(0, -low), axis_size(axis) - max(0, -high))
        ends = [uniform(int(width)) if width > 0 else () for width in (low, high)]
        result.append(ends[0] + kept + ends[1])
    padded = tuple(result)
    return [padded if is_zero else tie(labels, Law.FIXED, padded, [padded])]


def part(labels: Labels, axis: Axis, start: int, limit: int) -> Axis:
    """Entries ``start`` to ``limit`` of an axis."""
    size, start, limit = axis_size(axis), int(start), int(limit)
    if limit <= start:
        return uniform(0)
    if (start, limit) == (0, size):
        return axis
    if is_uniform(axis):
        return uniform(limit - start)
    before_limit, _ = labels.cut(axis, limit)
    return labels.cut(before_limit, start)[1]


def _shape_product(shape: tuple[int, ...], axes: list[int]) -> int:
    return math.prod(shape[i] for i in axes)


def _size_product(axes: list[Axis]) -> int:
    return math.prod(axis_size(axis) for axis in axes)


@rule("rotate_pairs")
def rotate_pairs(
    labels: Labels, equation: Equation, operand: Layout, *constants: Layout
) -> list[Layout]:
    """Pairs of units of one axis, its two halves, are turned by constant angles (`rotary`)."""
    cut, text = equation.parameters["axis"], "a rotation by position"
    around = [i for i in range(len(operand)) if i != cut]
    aligned: dict[int, list[Axis]] = {i: [operand[i]] for i in around}
    for constant in constants:
        axes = [axis for i, axis in enumerate(constant) if len(constant) < len(operand) or i != cut]
        atoms = [atom for axis in constant for atom in atoms_of(labels.resolve(axis))]
        if len(axes) != len(around) or any(atom.weight is not None for atom in atoms):
            return pin_everything(labels, equation, operand, *constants)
        for i, axis in zip(around, axes, strict=True):
            if axis_size(axis) == axis_size(operand[i]):
                aligned[i].append(axis)
    plane, pairs = factor(labels, operand[cut], (2, axis_size(operand[cut]) // 2))
    for axis in (plane, pairs):
        labels.hold(axis, text)
    varying = labels.pinned(axis_size(pairs), text)
    labels.weights.mixed.update(a.label for a in atoms_of(labels.resolve(plane)) if a.label)
    turned = tie_axis(labels, Law.TURN, plane, [plane])
    scaled = tie_axis(labels, Law.PRODUCT, pairs, [pairs, varying], (ONE, ONE))
    result = list(operand)
    for i, axes in aligned.items():
        for axis in axes[1:]:
            together = labels.align(result[i], axis)
            result[i] = tie_axis(labels, Law.PRODUCT, together, [result[i], axis], (ONE, ONE))
    result[cut] = labels.multiply([turned, scaled])
    return [tuple(result)]


@rule("gather")
def gather(labels: Labels, equation: Equation, operand: Layout, indices: Layout) -> list[Layout]:
    """Axes sliced whole pass to the output, and so do the batch axes of the indices."""
    numbers, sizes = equation.parameters["dimension_numbers"], equation.parameters["slice_sizes"]
    (shape,) = equation.shapes
    batch = [axis for i, axis in enumerate(indices) if i < len(indices) - 1]
    labels.pin(indices[-1], "gather")
    for i, j in zip(
        numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True
    ):
        aligned = labels.align(operand[i], indices[j])
        require(labels, Law.FIXED, indices[j])
        batch[j] = tie_axis(labels, Law.EQUAL, aligned, [operand[i]])
    offset: list[Axis] = []
    for i, axis in enumerate(operand):
        if i in numbers.operand_batching_dims:
            continue
        whole = sizes[i] == axis_size(axis)
        if not whole:
            labels.pin(axis, "gather")
        if i not in numbers.collapsed_slice_dims:
            offset.append(axis if whole else labels.pinned(sizes[i], "gather"))
    offsets, batches = iter(offset), iter(batch)
    return [
        tuple(next(offsets if i in numbers.offset_dims else batches) for i in range(len(shape)))
    ]


@rule("dynamic_slice")
def dynamic_slice(
    labels: Labels, equation: Equation, operand: Layout, *starts: Layout
) -> list[Layout]:
    """Axes taken whole pass."""
    del starts
    (shape,) = equation.shapes
    result = []
    for axis, size in zip(operand, shape, strict=True):
        if size == axis_size(axis):
            result.append(axis)
        else:
            labels.pin(axis, "dynamic_slice")
            result.append(labels.pinned(size, "dynamic_slice"))
    return [tuple(result)]


@rule("dynamic_update_slice")
def dynamic_update_slice(
    labels: Labels, equation: Equation, operand: Layout, update: Layout, *starts: Layout
) -> list[Layout]:
    """Axes written whole move together."""
    del starts
    both = zero_free(equation, [operand, update])
    result = []
    for i, (axis, part) in enumerate(zip(operand, update, strict=True)):
        if axis_size(axis) == axis_size(part):
            aligned = labels.align(axis, part)
            result.append(tie_axis(labels, Law.EQUAL, aligned, [layout[i] for layout in both]))
        else:
            pin_axes(labels, update, [i], equation.primitive)
            result.append(pin_axes(labels, operand, [i], equation.primitive)[i])
    return [tuple(result)]
