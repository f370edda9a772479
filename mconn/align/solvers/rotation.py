"""Rotations of planes by one angle each."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mconn.align.solvers.roots import polynomial_roots


def turn(cross: Mapping[int, Float[np.ndarray, "*copies 2 2"]]) -> Float[np.ndarray, "*copies"]:
    """The angle of every plane that brings b closest to a; exact.

    A site of power p is turned by p times the angle, so that the overlap is the trigonometric
    polynomial sum_p (cos(p x) trace_p + sin(p x) twist_p), whose stationary points are roots of a
    polynomial in exp(i x).
    """
    largest = max(abs(p) for p in cross)
    some = next(iter(cross.values()))
    amplitude = np.zeros((*some.shape[:-2], 2 * largest + 1), complex)
    for p, overlap in cross.items():
        trace = overlap[..., 0, 0] + overlap[..., 1, 1]
        # (b_0, b_1) goes to (cos b_0 - sin b_1, sin b_0 + cos b_1).
        twist = overlap[..., 1, 0] - overlap[..., 0, 1]
        amplitude[..., largest + p] += (trace - 1j * twist) / 2
        amplitude[..., largest - p] += (trace + 1j * twist) / 2
    exponents = np.arange(-largest, largest + 1)
    roots = polynomial_roots((exponents * amplitude)[..., ::-1])
    angles = np.concatenate([np.zeros((*some.shape[:-2], 1)), np.angle(roots)], axis=-1)
    values = (amplitude[..., None, :] * np.exp(1j * angles[..., None] * exponents)).sum(-1).real
    best = np.argmax(values, axis=-1)[..., None]
    return np.take_along_axis(angles, best, axis=-1)[..., 0]
