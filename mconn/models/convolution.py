"""The convolution of training steps."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def training_convolution(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    window_strides: tuple[int, int],
    padding: str,
    **options: Any,
) -> Float[Array, "batch new_height new_width features"]:
    """``jax.lax.conv_general_dilated`` as Flax calls it for same padding.

    Inside a loop, XLA for CPUs compiles a convolution's gradients to plain loops
    (https://github.com/jax-ml/jax/issues/12868): a step of CNN(16, 3) on Fashion-MNIST, batch 100,
    takes 1000 ms on 2 cores, and 50 ms as a matrix product of patches.
    """

    def direct(x: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(x, kernel, window_strides, padding, **options)

    def patches(x: Array, kernel: Array) -> Array:
        return patch_product(x, kernel, window_strides)

    return jax.lax.platform_dependent(x, kernel, cpu=patches, default=direct)


def patch_product(x: Array, kernel: Array, strides: tuple[int, int]) -> Array:
    """The neighbourhood of every pixel of the result as one row, times the kernel as a matrix."""
    rows, columns, _, features = kernel.shape
    height, width = (
        math.ceil(side / stride) for side, stride in zip(x.shape[1:3], strides, strict=True)
    )
    missing = [
        max(0, (pixels - 1) * stride + window - side)
        for pixels, stride, window, side in zip(
            (height, width), strides, (rows, columns), x.shape[1:3], strict=True
        )
    ]
    padded = jnp.pad(x, ((0, 0), *((total // 2, -(-total // 2)) for total in missing), (0, 0)))
    down, right = strides
    patches = [
        padded[:, row : row + down * height : down, column : column + right * width : right]
        for row in range(rows)
        for column in range(columns)
    ]
    return jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, features)
