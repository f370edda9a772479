"""Element-wise primitives: an allow-list, because an output of the operands' shape is no proof."""

from collections.abc import Collection

from mconn.symmetry.compat import Equation
from mconn.symmetry.labels import Labels
from mconn.symmetry.layout import Layout, uniform
from mconn.symmetry.rules.table import align_layouts, pin_everything, primitives, rule

LINEAR = primitives("""
    add add_any convert_element_type copy copy_p imag name neg pvary real reduce_precision
    sharding_constraint stop_gradient sub
""")
"""Linear in their operands taken together, or the identity."""

NONLINEAR = primitives("""
    abs acos acosh and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp clz complex
    conj cos cosh digamma eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igamma_grad_a
    igammac integer_pow is_finite le le_to lgamma log log1p log2 logistic lt lt_to max min mulhi ne
    nextafter not one_minus_square or polygamma polynomial population_count pow random_gamma_grad
    regularized_incomplete_beta rem round rsqrt shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh sqrt square tan tanh xor zeta
""")
"""Nonlinear in each of their operands."""

MIXED = primitives("div mul select_n")
"""Linear or not, depending on which operands vary: see `is_nonlinear`."""


def is_nonlinear(equation: Equation, varying: Collection[int]) -> bool:
    """Whether an element-wise equation is nonlinear in the operands that are ``varying``."""
    places = [i for i, number in enumerate(equation.inputs) if number in varying]
    if equation.primitive == "mul":
        return len(places) > 1
    if equation.primitive == "div":
        return 1 in places
    if equation.primitive == "select_n":
        return 0 in places
    return equation.primitive in NONLINEAR


@rule(*(LINEAR | NONLINEAR | MIXED))
def elementwise(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """Entry i of the output depends on entries i of the operands; scalars go with everything."""
    (shape,) = equation.shapes
    shaped = [operand for operand in operands if operand]
    if any(len(operand) != len(shape) for operand in shaped):
        return pin_everything(labels, equation, *operands)
    scalar = tuple(uniform(size) for size in shape)
    return [align_layouts(labels, [scalar, *shaped])]


@rule("optimization_barrier", "device_put", "debug_callback", "debug_print")
def pass_through(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """Every output is its operand."""
    del labels
    return list(operands[: len(equation.outputs)])


@rule("bitcast_convert_type")
def bitcast_convert_type(labels: Labels, equation: Equation, operand: Layout) -> list[Layout]:
    """Element-wise, with one more or one fewer axis if the width of the type changes."""
    (shape,) = equation.shapes
    rank = min(len(operand), len(shape))
    for axis in operand[rank:]:
        labels.pin(axis, equation.primitive)
    extra = tuple(labels.pinned(size, equation.primitive) for size in shape[rank:])
    return [operand[:rank] + extra]
