"""Stacks of equal layers at any depth and width, with and without skip connections."""

from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

Layer = Literal["dense", "convolution"]


class Stack(nn.Module):
    """An input layer, ``depth`` blocks of two layers each, and a dense output layer; no biases.

    Attributes:
        depth: blocks.
        width: units (channels) of every layer.
        skip: whether the input of a block is added to its output.
        layer: ``dense``, or ``convolution`` of 3 x 3 with an average over the image at the end.
        linear: whether there is no nonlinearity; a ReLU follows every layer otherwise.
        classes: outputs.
    """

    depth: int
    width: int
    skip: bool = False
    layer: Layer = "dense"
    linear: bool = False
    classes: int = 10

    @nn.compact
    def __call__(self, x: Float[Array, "batch *features"]) -> Float[Array, "batch classes"]:
        """The logits."""

        def layer(x: Array) -> Array:
            if self.layer == "convolution":
                return nn.Conv(self.width, (3, 3), use_bias=False)(x)
            return nn.Dense(self.width, use_bias=False)(x)

        def activate(x: Array) -> Array:
            return x if self.linear else nn.relu(x)

        x = activate(layer(x))
        for _ in range(self.depth):
            y = layer(activate(layer(x)))
            x = activate(x + y if self.skip else y)
        x = x.mean((1, 2)) if self.layer == "convolution" else x
        return nn.Dense(self.classes, use_bias=False)(x)
