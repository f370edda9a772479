"""Where leaves of the parameters enter a traced program: added, or multiplied with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.jaxprs import (
    BODIES,
    KEEP_ZERO,
    SUMS,
    Equation,
    Program,
    bind,
    evaluate,
    live,
)
from mconn.trees import wide

SPREADING = KEEP_ZERO - {"neg"}
"""Primitives that only put the entries of a value in other places, or in another precision."""

PRODUCTS = frozenset(("mul", "dot_general", "conv_general_dilated", "gather"))


class Addition(NamedTuple):
    """A leaf that is added to a value which depends on the inputs.

    Attributes:
        leaf: its position among the program's inputs.
        operand: the number of the value that is added: the leaf, spread over the other's axes.
        value: the number of the sum.
    """

    leaf: int
    operand: int
    value: int


class Uses(NamedTuple):
    """How a program uses the leaves of the parameters, by the leaf's position.

    Attributes:
        additions: in the order of the program.
        multiplied: the leaves that a product takes, entry by entry or contracted.
        looped: the leaves that control flow takes; what happens inside is not looked at.
    """

    additions: tuple[Addition, ...]
    multiplied: tuple[int, ...]
    looped: tuple[int, ...]


def uses(program: Program, leaves: int) -> Uses:
    """Find how the first ``leaves`` inputs of a program are used."""
    origin = {number: i for i, number in enumerate(program.inputs[:leaves])}
    dependent = set(program.inputs[leaves:])
    additions: list[Addition] = []
    multiplied: dict[int, None] = {}
    looped: dict[int, None] = {}
    for equation in program.equations:
        taken = [origin[number] for number in equation.inputs if number in origin]
        if dependent.intersection(equation.inputs):
            dependent.update(equation.outputs)
        elif equation.primitive in SPREADING and taken:
            origin.update(dict.fromkeys(equation.outputs, taken[0]))
        if equation.primitive in PRODUCTS:
            multiplied.update(dict.fromkeys(taken))
        elif equation.primitive in BODIES:
            looped.update(dict.fromkeys(taken))
        elif equation.primitive in SUMS and dependent.intersection(equation.inputs):
            (value,) = equation.outputs
            additions += [
                Addition(origin[number], number, value)
                for number in equation.inputs
                if number in origin
            ]
    return Uses(tuple(additions), tuple(multiplied), tuple(looped))


class Units:
    """The units of an addition: one number per entry of the bias, and their places in the value."""

    def __init__(self, program: Program, addition: Addition) -> None:
        leaf, operand, value = addition
        self.addition = addition
        self.bias = program.shapes[program.inputs[leaf]]
        self.shape = program.shapes[value]
        chain = [each for each in live(program.equations, [operand]) if not each.has_effects]
        self.chain = replace(program, inputs=(program.inputs[leaf],), equations=chain)

    def spread(self, numbers: Float[Array, "*units"]) -> Float[Array, "..."]:
        """One number per unit in the places of the value, as the program spreads the bias."""

        def without_rounding(equation: Equation, operands: Sequence[Any]) -> list[Any]:
            is_cast = equation.primitive == "convert_element_type"
            return list(operands) if is_cast else bind(equation, operands)

        (spread,) = evaluate(self.chain, [numbers], [self.addition.operand], without_rounding)
        return jnp.broadcast_to(spread, self.shape)

    def mean(self, values: Float[Array, "..."]) -> Float[Array, "*units"]:
        """The mean over all places of every unit: examples, and positions or pixels."""
        values = wide(values)
        one = jax.ShapeDtypeStruct(self.bias, values.dtype)
        (total,) = jax.linear_transpose(self.spread, one)(values)
        samples = values.size / total.size
        return total / samples
