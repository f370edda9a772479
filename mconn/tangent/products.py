"""The weights that a network uses once, in a product with activations, and how it multiplies.

The derivative of an output by a weight matrix is, as backpropagation has it, a sum over positions
of the activations that go in times the derivative by what comes out. Kernels follow from the
factors (Novak, Sohl-Dickstein and Schoenholz, *Fast finite width neural tangent kernel*, ICML
2022, call them structured derivatives).
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from mconn.jaxprs import Equation, Program, bind


@dataclass(frozen=True)
class Product:
    """``result = activations @ weight``, and the bias that is added to it.

    Attributes:
        equation: a matrix product or a convolution.
        side: which of its operands the weight is.
        leaf: the weight's number among the leaves of the parameters.
        weight: the value that the leaf has become there, rearranged or scaled.
        bias_leaf: the number of the bias, or None.
        bias: the value that the bias has become.
    """

    equation: Equation
    side: int
    leaf: int
    weight: int
    bias_leaf: int | None = None
    bias: int | None = None

    @property
    def is_convolution(self) -> bool:
        """Whether the activations are windows of an image."""
        return self.equation.primitive == "conv_general_dilated"

    def multiply(self, operands: list[Array]) -> tuple[Array, Array]:
        """The result, and the activations as rows, shape (positions, inputs)."""
        activations, weight = operands[1 - self.side], operands[self.side]
        if self.is_convolution:
            windows = _windows(self.equation, activations)
            result = windows @ _as_matrix(self.equation, weight)
            order = _places(self.equation)
            result = jnp.moveaxis(result, range(result.ndim), order)
            return result, windows.reshape(-1, windows.shape[-1])
        (result,) = bind(self.equation, operands)
        summed = self.summed_axes()
        kept = [axis for axis in range(activations.ndim) if axis not in summed]
        size = math.prod(activations.shape[axis] for axis in summed)
        return result, jnp.transpose(activations, (*kept, *summed)).reshape(-1, size)

    def rows(self, result: Array) -> Array:
        """What has the shape of the result as rows, shape (positions, outputs)."""
        kept = self.position_axes()
        outputs = self.output_axes()
        size = math.prod(result.shape[axis] for axis in outputs)
        return jnp.transpose(result, (*kept, *outputs)).reshape(-1, size)

    def summed_axes(self) -> tuple[int, ...]:
        """The axes of the activations that the product sums over."""
        return self.equation.parameters["dimension_numbers"][0][1 - self.side]

    def position_axes(self) -> list[int]:
        """The axes of the result that the activations have brought."""
        if self.is_convolution:
            return list(_places(self.equation)[:-1])
        rank = len(self.equation.shapes[0])
        activations = self.equation.original.invars[1 - self.side].aval
        number = len(activations.shape) - len(self.summed_axes())
        return list(range(number)) if self.side == 1 else list(range(rank - number, rank))

    def output_axes(self) -> list[int]:
        """The axes of the result that the weight has brought."""
        kept = self.position_axes()
        if self.is_convolution:
            return [_places(self.equation)[-1]]
        return [axis for axis in range(len(self.equation.shapes[0])) if axis not in kept]

    def takes_bias(self, shape: tuple[int, ...]) -> bool:
        """Whether what has this shape, added to the result, is one number for every output."""
        result = self.equation.shapes[0]
        wanted = [size if i in self.output_axes() else 1 for i, size in enumerate(result)]
        return list(shape) == wanted


def _is_plain(equation: Equation) -> bool:
    about = equation.parameters
    return (
        about["feature_group_count"] == about["batch_group_count"] == 1
        and set(about["lhs_dilation"]) <= {1}
        and equation.original.invars[0].aval.shape[about["dimension_numbers"].lhs_spec[0]] == 1
    )


def _windows(equation: Equation, images: Array) -> Array:
    """The window of every pixel of the result as one row, shape (1, pixels..., window * channels).

    Written with slices: XLA for CPUs compiles the gradients of convolutions in a loop to loops
    over single numbers (https://github.com/jax-ml/jax/issues/12868).
    """
    about = equation.parameters
    axes, kernel_axes = about["dimension_numbers"].lhs_spec, about["dimension_numbers"].rhs_spec
    out_axes = about["dimension_numbers"].out_spec
    images = jnp.transpose(images, (axes[0], *axes[2:], axes[1]))
    zero = jnp.zeros((), images.dtype)
    border = [(low, high, 0) for low, high in about["padding"]]
    images = jax.lax.pad(images, zero, [(0, 0, 0), *border, (0, 0, 0)])
    extent = [equation.original.invars[1].aval.shape[axis] for axis in kernel_axes[2:]]
    sides = [equation.shapes[0][axis] for axis in out_axes[2:]]
    strides, dilation = about["window_strides"], about["rhs_dilation"]
    pieces = []
    for offset in itertools.product(*map(range, extent)):
        start = [place * spread for place, spread in zip(offset, dilation, strict=True)]
        stop = [
            first + (side - 1) * stride + 1
            for first, side, stride in zip(start, sides, strides, strict=True)
        ]
        slices = [slice(*each) for each in zip(start, stop, strides, strict=True)]
        pieces.append(images[(slice(None), *slices)])
    return jnp.concatenate(pieces, axis=-1)


def _as_matrix(equation: Equation, kernel: Array) -> Array:
    axes = equation.parameters["dimension_numbers"].rhs_spec
    moved = jnp.transpose(kernel, (*axes[2:], axes[1], axes[0]))
    return moved.reshape(-1, moved.shape[-1])


def _places(equation: Equation) -> Sequence[int]:
    axes: Any = equation.parameters["dimension_numbers"].out_spec
    return (axes[0], *axes[2:], axes[1])


REARRANGEMENTS = frozenset(
    ("copy", "expand_dims", "reshape", "squeeze", "transpose", "convert_element_type", "neg")
)
"""Primitives that move the entries of a weight, or turn all their signs."""

SCALINGS = frozenset(("mul", "div"))
"""Primitives that multiply a weight by a constant number, as parametrisations do."""

Uses = dict[int, list[tuple[Equation, int]]]
"""For every leaf the equations that use it otherwise than to rearrange it, and as which operand."""


def find_products(program: Program, leaves: Set[int]) -> list[Product]:
    """The products whose weight has no other use, each with its bias if that has none either."""
    origin, uses = _follow(program, leaves)
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
        if _is_product(equation, side)
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


def _follow(program: Program, leaves: Set[int]) -> tuple[dict[int, int], Uses]:
    origin = {program.inputs[leaf]: leaf for leaf in leaves}
    constant = set(program.constants)
    uses: Uses = defaultdict(list)
    for equation in program.equations:
        if constant.issuperset(equation.inputs):
            constant.update(equation.outputs)
            continue
        sides = [side for side, number in enumerate(equation.inputs) if number in origin]
        if _is_rearranged(program, equation, sides, constant):
            origin[equation.outputs[0]] = origin[equation.inputs[sides[0]]]
        else:
            for side in sides:
                uses[origin[equation.inputs[side]]].append((equation, side))
    return origin, uses


def _is_rearranged(
    program: Program, equation: Equation, sides: list[int], constant: Set[int]
) -> bool:
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


def _is_product(equation: Equation, side: int) -> bool:
    if equation.primitive == "dot_general":
        return not any(equation.parameters["dimension_numbers"][1])
    return equation.primitive == "conv_general_dilated" and side == 1 and _is_plain(equation)
