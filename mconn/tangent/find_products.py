"""The weights that a network uses once, in a product with activations, found in its equations."""

import math
from collections import defaultdict
from collections.abc import Set
from dataclasses import replace

from mconn.jaxprs import Equation, Program
from mconn.tangent import convolutions
from mconn.tangent.products import Product

REARRANGEMENTS = frozenset(
    ("copy", "expand_dims", "reshape", "squeeze", "transpose", "convert_element_type", "neg")
)
"""Primitives that move the entries of a weight, or turn all their signs."""

SCALINGS = frozenset(("mul", "div"))
"""Primitives that multiply a weight by a constant number, as parametrisations do."""

Uses = dict[int, list[tuple[Equation, int]]]
"""For every leaf the equations that use it otherwise than to rearrange it, and as which operand."""


def find_products(program: Program, leaves: Set[int]) -> list[Product]:
    """The products whose weight has no other use, each with its bias if that has none either.

    Args:
        program: the network on one example; its first inputs are the leaves of the parameters.
        leaves: the numbers of the leaves that are looked for.
    """
    origin, uses = follow(program, leaves)
    readers: dict[int, int] = defaultdict(int)
    for number in [*program.outputs, *(i for each in program.equations for i in each.inputs)]:
        readers[number] += 1
    returned = {origin[number] for number in program.outputs if number in origin}
    only = {
        leaf: found[0] for leaf, found in uses.items() if len(found) == 1 and leaf not in returned
    }
    products = {
        equation.outputs[0]: Product(equation, side, leaf, equation.inputs[side])
        for leaf, (equation, side) in only.items()
        if is_product(equation, side)
    }
    for leaf, (equation, side) in only.items():
        if equation.primitive != "add":
            continue
        product = products.get(equation.inputs[1 - side])
        number = equation.inputs[side]
        if (
            product is not None
            and product.bias is None
            and readers[equation.inputs[1 - side]] == 1
            and equation.shapes[0] == product.equation.shapes[0]
            and product.takes_bias(program.shapes[number])
        ):
            products[product.equation.outputs[0]] = replace(product, bias_leaf=leaf, bias=number)
    return list(products.values())


def follow(program: Program, leaves: Set[int]) -> tuple[dict[int, int], Uses]:
    """Which values are a leaf that was only rearranged or scaled, and how the leaves are used."""
    origin = {program.inputs[leaf]: leaf for leaf in leaves}
    constant = set(program.constants)
    uses: Uses = defaultdict(list)
    for equation in program.equations:
        if constant.issuperset(equation.inputs):
            constant.update(equation.outputs)
            continue
        sides = [side for side, number in enumerate(equation.inputs) if number in origin]
        if is_rearranged(program, equation, sides, constant):
            origin[equation.outputs[0]] = origin[equation.inputs[sides[0]]]
        else:
            for side in sides:
                uses[origin[equation.inputs[side]]].append((equation, side))
    return origin, uses


def is_rearranged(
    program: Program, equation: Equation, sides: list[int], constant: Set[int]
) -> bool:
    """Whether the result has the entries of a leaf, all times one number that never changes."""
    if len(sides) != 1 or equation.outputs[0] in program.exact:
        return False
    (side,) = sides
    if equation.primitive in SCALINGS:
        others = [number for i, number in enumerate(equation.inputs) if i != side]
        divisor = equation.primitive == "div" and side == 1
        scalar = all(number in constant and not program.shapes[number] for number in others)
        return scalar and not divisor
    if equation.primitive == "broadcast_in_dim":
        return math.prod(equation.shapes[0]) == math.prod(program.shapes[equation.inputs[side]])
    return equation.primitive in REARRANGEMENTS


def is_product(equation: Equation, side: int) -> bool:
    """Whether an equation multiplies activations by this operand, for one example."""
    if equation.primitive == "dot_general":
        return not any(equation.parameters["dimension_numbers"][1])
    return (
        equation.primitive == "conv_general_dilated"
        and side == 1
        and convolutions.is_plain(equation)
    )
