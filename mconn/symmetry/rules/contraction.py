"""Contractions and reductions: axes are summed over, and the others pass."""

from mconn.jaxprs import Equation
from mconn.symmetry.labels import Axis, Labels, Layout, axis_size, uniform
from mconn.symmetry.rules.table import align_layouts, pin_axes, pin_everything, primitives, rule
from mconn.symmetry.rules.ties import factor, part, require, tie, tie_axis
from mconn.symmetry.weights import ONE, Law

REDUCTIONS = primitives("""
    reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum reduce_xor
""")
"""Symmetric functions of the entries along some axes."""


def summed_axes(equation: Equation) -> list[tuple[int, ...]]:
    """For every operand the axes over which the equation sums; none if it is no contraction."""
    if equation.primitive == "dot_general":
        return [tuple(axes) for axes in equation.parameters["dimension_numbers"][0]]
    if equation.primitive == "conv_general_dilated":
        lhs, rhs, _ = equation.parameters["dimension_numbers"]
        return [(lhs[1],), (rhs[1],)]
    return []


@rule("dot_general")
def dot_general(labels: Labels, equation: Equation, lhs: Layout, rhs: Layout) -> list[Layout]:
    """Contracted axes move together, batch axes move together, the others pass."""
    (summed_l, summed_r), (batch_l, batch_r) = equation.parameters["dimension_numbers"]
    for left, right in zip(summed_l, summed_r, strict=True):
        labels.align(lhs[left], rhs[right])
        require(labels, Law.DUAL, lhs[left], rhs[right])
    batch = [multiplied(labels, lhs[i], rhs[j]) for i, j in zip(batch_l, batch_r, strict=True)]
    free_l = [axis for i, axis in enumerate(lhs) if i not in {*summed_l, *batch_l}]
    free_r = [axis for j, axis in enumerate(rhs) if j not in {*summed_r, *batch_r}]
    summed = [lhs[i] for i in summed_l] + [rhs[j] for j in summed_r]
    part(labels, summed, [*batch, *free_l, *free_r])
    # Rows of one operand meet all rows of the other: an index that both have is not shared.
    part(labels, free_l, summed)
    return [(*batch, *free_l, *free_r)]


def multiplied(labels: Labels, left: Axis, right: Axis) -> Axis:
    """Two axes that move together in a product."""
    return tie_axis(labels, Law.PRODUCT, labels.align(left, right), [left, right], (ONE, ONE))


@rule("conv_general_dilated")
def convolution(labels: Labels, equation: Equation, lhs: Layout, rhs: Layout) -> list[Layout]:
    """Channels are contracted within each group; positions stay where they are."""
    parameters = equation.parameters
    if parameters["batch_group_count"] != 1:
        return pin_everything(labels, equation, lhs, rhs)
    lhs_spec, rhs_spec, out_spec = parameters["dimension_numbers"]
    groups, features, outputs = (
        parameters["feature_group_count"],
        lhs[lhs_spec[1]],
        rhs[rhs_spec[0]],
    )
    if groups > 1:
        # Group g reads channels (g, i) and writes channels (g, o); the kernel holds (i, (g, o)).
        group, features = factor(labels, features, (groups, axis_size(features) // groups))
        group_out, within = factor(labels, outputs, (groups, axis_size(outputs) // groups))
        outputs = labels.multiply([multiplied(labels, group, group_out), labels.resolve(within)])
    labels.align(features, rhs[rhs_spec[1]])
    require(labels, Law.DUAL, features, rhs[rhs_spec[1]])
    summed = [features, rhs[rhs_spec[1]]]
    others = [axis for i, axis in enumerate(lhs) if i != lhs_spec[1]]
    part(labels, summed, [*others, outputs])
    part(labels, others, summed)

    (shape,) = equation.shapes
    result: list[Axis] = [()] * len(out_spec)
    result[out_spec[0]], result[out_spec[1]] = lhs[lhs_spec[0]], outputs
    for i, out in enumerate(out_spec[2:]):
        position, window = lhs[lhs_spec[2 + i]], rhs[rhs_spec[2 + i]]
        is_pointwise = (
            axis_size(window) == 1
            and parameters["window_strides"][i] == 1
            and parameters["lhs_dilation"][i] == 1
            and tuple(parameters["padding"][i]) == (0, 0)
        )
        if not is_pointwise:
            labels.pin(position, "the positions of a convolution")
            labels.pin(window, "the window of a convolution")
            position = labels.pinned(shape[out], "the positions of a convolution")
        result[out] = position
    return [tuple(result)]


@rule(*REDUCTIONS)
def reduce(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """A symmetric function of the entries along some axes; the others pass."""
    axes = equation.parameters["axes"]
    gone = [axis for i, axis in enumerate(operand) if i in axes]
    kept = tuple(axis for i, axis in enumerate(operand) if i not in axes)
    part(labels, gone, kept)
    is_sum = equation.primitive == "reduce_sum"
    for axis in gone:
        require(labels, Law.SUM if is_sum else Law.FIXED, axis)
    return [kept if is_sum else tie(labels, _law_of_others(equation), kept, [kept])]


def _law_of_others(equation: Equation) -> Law:
    ordered = ("max", "min", "sort", "top_k")
    return Law.POSITIVE if equation.primitive.endswith(ordered) else Law.FIXED


@rule("argmax", "argmin")
def arg_reduce(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """The output is a position: the reduced axes cannot be permuted."""
    axes = equation.parameters["axes"]
    pin_axes(labels, operand, axes, equation.primitive)
    kept = tuple(axis for i, axis in enumerate(operand) if i not in axes)
    return [tie(labels, Law.FIXED, kept, [kept])]


@rule("reduce_window_sum", "reduce_window_max", "reduce_window_min")
def reduce_window(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Pooling: axes with windows of one entry pass, one window over a whole axis reduces it."""
    parameters = equation.parameters
    is_sum = equation.primitive == "reduce_window_sum"
    (shape,) = equation.shapes
    result = []
    for i, axis in enumerate(operand):
        window, padding = parameters["window_dimensions"][i], tuple(parameters["padding"][i])
        is_plain = padding == (0, 0) and parameters["base_dilation"][i] == 1
        if is_plain and window == 1 and parameters["window_strides"][i] == 1:
            result.append(axis)
        elif is_plain and window == axis_size(axis) and parameters["window_dilation"][i] == 1:
            require(labels, Law.SUM if is_sum else Law.FIXED, axis)
            part(labels, [axis], operand[:i] + operand[i + 1 :])
            result.append(uniform(1))
        else:
            labels.pin(axis, "the positions of a pooling")
            result.append(labels.pinned(shape[i], "the positions of a pooling"))
    pooled = tuple(result)
    return [pooled if is_sum else tie(labels, Law.POSITIVE, pooled, [pooled])]


@rule("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def cumulative(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """The order of the entries along the axis matters."""
    result = pin_axes(labels, operand, [equation.parameters["axis"]], equation.primitive)
    if equation.primitive == "cumsum":
        return [result]
    return [tie(labels, _law_of_others(equation), result, [result])]


@rule("sort")
def sort(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """Sorted entries forget their order: the output is fixed, whatever permutes the operand.

    Several operands are sorted by some of them, with ties in their first order, which does matter.
    """
    axis = equation.parameters["dimension"]
    if len(operands) == 1:
        size = axis_size(operands[0][axis])
        kept = operands[0][:axis] + operands[0][axis + 1 :]
        require(labels, Law.FIXED, operands[0][axis])
        part(labels, [operands[0][axis]], kept)
        kept = tie(labels, Law.POSITIVE, kept, [kept])
        return [(*kept[:axis], labels.pinned(size, "sort"), *kept[axis:])]
    common = pin_axes(labels, align_layouts(labels, operands), [axis], "sort")
    return [tie(labels, Law.FIXED, common, [operand]) for operand in operands]


@rule("top_k")
def top_k(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """The largest entries of an axis, and their positions."""
    axis = equation.parameters.get("axis", len(operand) - 1) % len(operand)
    pin_axes(labels, operand, [axis], "top_k")
    (shape, _) = equation.shapes
    chosen = labels.pinned(shape[axis], "top_k")
    result = (*operand[:axis], chosen, *operand[axis + 1 :])
    return [tie(labels, law, result, [result]) for law in (Law.POSITIVE, Law.FIXED)]


@rule("fft")
def fft(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """The last axes are transformed; their lengths may change."""
    (shape,) = equation.shapes
    kept = len(operand) - len(equation.parameters["fft_lengths"])
    pin_axes(labels, operand, range(kept, len(operand)), "fft")
    return [(*operand[:kept], *(labels.pinned(size, "fft") for size in shape[kept:]))]
