"""The deep plain convolutional network of Simonyan and Zisserman."""

import flax.linen as nn
import numpy as np
from jaxtyping import Array, Float


class VGG16(nn.Module):
    """Thirteen convolutions and three dense layers (Simonyan and Zisserman 2014, table 1, D).

    With LayerNorm and dense layers as wide as the last convolution, as Ainsworth et al. (2022) have
    it for images of 32 x 32; the last pooling is over the whole image.
    """

    width: int = 64
    classes: int = 10

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "batch height width channels"]
    ) -> Float[Array, "batch classes"]:
        """The logits."""
        for stage, (convolutions, factor) in enumerate(((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))):
            for _ in range(convolutions):
                x = nn.relu(nn.LayerNorm()(nn.Conv(factor * self.width, (3, 3))(x)))
            x = nn.max_pool(x, (2, 2), (2, 2)) if stage < 4 else x.max((1, 2))
        for _ in range(2):
            x = nn.relu(nn.Dense(8 * self.width)(x))
        return nn.Dense(self.classes)(x)
