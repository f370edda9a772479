"""The largest value of a function whose stationary points are the roots of a polynomial."""

import numpy as np
from jaxtyping import Complex, Float


def polynomial_roots(
    coefficients: Float[np.ndarray, "*problems degree"] | Complex[np.ndarray, "*problems degree"],
) -> Complex[np.ndarray, "*problems roots"]:
    """All complex roots of many polynomials: eigenvalues of their companion matrices.

    Coefficients are from the highest power down. Leading coefficients that vanish, against the
    largest, are raised to a negligible size, which sends their roots far away.
    """
    largest = np.abs(coefficients).max(axis=-1, keepdims=True)
    scaled = coefficients / np.where(largest > 0, largest, 1)
    leading = scaled[..., :1]
    leading = np.where(np.abs(leading) < 1e-12, 1e-12, leading)
    degree = coefficients.shape[-1] - 1
    companion = np.zeros((*coefficients.shape[:-1], degree, degree), scaled.dtype)
    companion[..., np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[..., 0, :] = -scaled[..., 1:] / leading
    return np.linalg.eigvals(companion).astype(complex)
