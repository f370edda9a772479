"""A convolution as a product of patches and a matrix."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from mconn.jaxprs import Equation


def is_plain(equation: Equation) -> bool:
    """Whether a convolution is such a product: without groups and without dilated input."""
    about = equation.parameters
    return (
        about["feature_group_count"] == about["batch_group_count"] == 1
        and set(about["lhs_dilation"]) <= {1}
        and equation.original.invars[0].aval.shape[about["dimension_numbers"].lhs_spec[0]] == 1
    )


def windows(equation: Equation, images: Array) -> Array:
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


def as_matrix(equation: Equation, kernel: Array) -> Array:
    """The kernel that multiplies patches, shape (window * channels, features)."""
    axes = equation.parameters["dimension_numbers"].rhs_spec
    moved = jnp.transpose(kernel, (*axes[2:], axes[1], axes[0]))
    return moved.reshape(-1, moved.shape[-1])


def places(equation: Equation) -> Sequence[int]:
    """Where the axes (example, pixels..., features) lie in the result."""
    axes: Any = equation.parameters["dimension_numbers"].out_spec
    return (axes[0], *axes[2:], axes[1])
