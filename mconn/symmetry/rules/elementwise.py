"""Element-wise primitives: an allow-list, because an output of the operands' shape is no proof."""

from collections.abc import Collection
from fractions import Fraction

import jax.numpy as jnp

from mconn.jaxprs import Equation
from mconn.symmetry.labels import Labels, Layout, uniform
from mconn.symmetry.rules.table import align_layouts, pin_everything, primitives, rule, zero_free
from mconn.symmetry.rules.ties import tie
from mconn.symmetry.weights import Law

LAWS: dict[Law, frozenset[str]] = {
    Law.EQUAL: primitives("""
        add add_any convert_element_type copy copy_p imag name neg pvary real reduce_precision
        sharding_constraint stop_gradient sub
    """),
    Law.PRODUCT: primitives("div integer_pow mul rsqrt sqrt square"),
    Law.POSITIVE: primitives("clamp max min"),
    Law.ABSOLUTE: primitives("abs"),
    Law.ODD: primitives("asin asinh atan atanh cbrt erf erf_inv sin sinh tan tanh"),
    Law.EVEN: primitives("cos cosh"),
    Law.SIGN: primitives("sign"),
    Law.ORDER: primitives("ge gt le lt"),
    Law.EQUALITY: primitives("eq ne"),
    Law.SELECT: primitives("select_n"),
    Law.FIXED: primitives("""
        acos acosh and atan2 bessel_i0e bessel_i1e ceil clz complex conj digamma eq_to erfc exp exp2
        expm1 floor igamma igamma_grad_a igammac is_finite le_to lgamma log log1p log2 logistic
        lt_to mulhi nextafter not one_minus_square or polygamma polynomial population_count pow
        random_gamma_grad regularized_incomplete_beta rem round shift_left shift_right_arithmetic
        shift_right_logical xor zeta
    """),
}
"""What every element-wise primitive does to weights."""

LAW_OF = {primitive: law for law, names in LAWS.items() for primitive in names}

POWERS = {
    "mul": (1, 1),
    "div": (1, -1),
    "square": (2,),
    "sqrt": (Fraction(1, 2),),
    "rsqrt": (Fraction(-1, 2),),
}
"""The powers of the operands in the primitives that are monomials."""


def is_nonlinear(equation: Equation, varying: Collection[int]) -> bool:
    """Whether an element-wise equation is nonlinear in the operands that are ``varying``."""
    places = [i for i, number in enumerate(equation.inputs) if number in varying]
    if equation.primitive == "mul":
        return len(places) > 1
    if equation.primitive == "div":
        return 1 in places
    if equation.primitive == "select_n":
        return 0 in places
    return LAW_OF.get(equation.primitive, Law.EQUAL) is not Law.EQUAL


def _powers_of(equation: Equation) -> tuple[Fraction, ...]:
    if equation.primitive == "integer_pow":
        return (Fraction(equation.parameters["y"]),)
    return tuple(map(Fraction, POWERS.get(equation.primitive, ())))


def _law_of(equation: Equation) -> Law:
    if equation.primitive == "convert_element_type":
        (before,), after = equation.operand_types, equation.parameters["new_dtype"]
        if jnp.issubdtype(before, jnp.inexact) and not jnp.issubdtype(after, jnp.inexact):
            return Law.FIXED
    return Law.EPSILON if equation.epsilon else LAW_OF[equation.primitive]


@rule(*LAW_OF)
def elementwise(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """Entry i of the output depends on entries i of the operands; scalars go with everything."""
    (shape,) = equation.shapes
    shaped = [operand for operand in operands if operand]
    if any(len(operand) != len(shape) for operand in shaped):
        return pin_everything(labels, equation, *operands)
    scalar = tuple(uniform(size) for size in shape)
    common = align_layouts(labels, [scalar, *shaped])
    law = _law_of(equation)
    if law in (Law.EQUAL, Law.POSITIVE, Law.ORDER, Law.EQUALITY, Law.SELECT):
        operands = tuple(zero_free(equation, operands, first=1 if law is Law.SELECT else 0))
    if law is Law.EPSILON:
        operands = tuple(operand for operand in operands if operand)
    return [tie(labels, law, common, operands, _powers_of(equation))]


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
