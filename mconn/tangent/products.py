"""A weight's product with activations, and the two factors of the outputs' derivative by it.

The derivative of an output by a weight matrix is, as backpropagation has it, a sum over positions
of the activations that go in times the derivative by what comes out. Kernels follow from the
factors (Novak, Sohl-Dickstein and Schoenholz, *Fast finite width neural tangent kernel*, ICML
2022, call them structured derivatives).
"""

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array

from mconn.jaxprs import Equation, bind
from mconn.tangent import convolutions


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
            windows = convolutions.windows(self.equation, activations)
            result = windows @ convolutions.as_matrix(self.equation, weight)
            order = convolutions.places(self.equation)
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
            return list(convolutions.places(self.equation)[:-1])
        rank = len(self.equation.shapes[0])
        activations = self.equation.original.invars[1 - self.side].aval
        number = len(activations.shape) - len(self.summed_axes())
        return list(range(number)) if self.side == 1 else list(range(rank - number, rank))

    def output_axes(self) -> list[int]:
        """The axes of the result that the weight has brought."""
        kept = self.position_axes()
        if self.is_convolution:
            return [convolutions.places(self.equation)[-1]]
        return [axis for axis in range(len(self.equation.shapes[0])) if axis not in kept]

    def takes_bias(self, shape: tuple[int, ...]) -> bool:
        """Whether what has this shape, added to the result, is one number for every output."""
        result = self.equation.shapes[0]
        wanted = [size if i in self.output_axes() else 1 for i, size in enumerate(result)]
        return list(shape) == wanted
