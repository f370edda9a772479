"""Reading and writing at computed positions: axes taken whole pass, the indexed ones are pinned."""

from mconn.jaxprs import Equation
from mconn.symmetry.labels import Labels
from mconn.symmetry.layout import Axis, Layout, axis_size
from mconn.symmetry.rules.table import pin_axes, rule, zero_free
from mconn.symmetry.rules.ties import require, tie_axis
from mconn.symmetry.weights import Law


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
