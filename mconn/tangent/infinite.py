"""The tangent kernel of an infinitely wide ReLU network, in closed form."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError


class Infinite(NamedTuple):
    """Kernels of an infinitely wide network at initialisation.

    Attributes:
        outputs: the covariance of an output over seeds (the Gaussian process kernel).
        tangent: the tangent kernel of one output; those of two outputs are zero.
    """

    outputs: Float[np.ndarray, "n1 n2"]
    tangent: Float[np.ndarray, "n1 n2"]


def infinite_relu(
    inputs: Float[np.ndarray, "n1 features"],
    others: Float[np.ndarray, "n2 features"] | None = None,
    *,
    depth: int = 1,
) -> Infinite:
    """The kernels of x -> W_L relu(... relu(W_0 x / sqrt(d)) sqrt(2 / m)) without biases.

    All entries of all W are standard normal: the parametrisation of Jacot, Gabriel and Hongler
    (NeurIPS 2018) with the gain sqrt(2) of He et al. The layers' expectations are the arc-cosine
    kernels of Cho and Saul (NeurIPS 2009); the recursion is that of Arora et al. (NeurIPS 2019,
    equations 6 to 9).

    Args:
        inputs: examples.
        others: examples; None for the same again.
        depth: hidden layers.

    Raises:
        ConfigError: for a depth below one.
    """
    if depth < 1:
        raise ConfigError(f"depth is {depth}: take at least one hidden layer")
    first = np.asarray(inputs, np.float64)
    second = first if others is None else np.asarray(others, np.float64)
    features = first.shape[1]
    lengths = [np.sqrt((each**2).sum(axis=1) / features) for each in (first, second)]
    # ReLU with this gain keeps the lengths of all layers, and so the products of two of them.
    scale = np.multiply.outer(*lengths)
    covariance = first @ second.T / features
    tangent = covariance
    for _ in range(depth):
        safe = np.where(scale > 0, scale, 1)
        angle = np.arccos(np.clip(np.where(scale > 0, covariance / safe, 1), -1, 1))
        slope = 1 - angle / np.pi
        covariance = scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
        tangent = tangent * slope + covariance
    return Infinite(covariance, tangent)
