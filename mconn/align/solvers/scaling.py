"""Positive scalings and signs: one number for every unit."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mconn.align.solvers.roots import polynomial_roots

Rows = Float[np.ndarray, "*copies n"]


def scale(cross: Mapping[int, Rows], gram: Mapping[int, Rows]) -> Rows:
    """The positive factor t of every unit that brings b closest to a; exact.

    It maximises f(t) = sum_p (t^p cross_p - t^(2p) gram_p / 2) over the powers p with which the
    sites are multiplied: with powers 1 and -1 the stationary points are the roots of
    gram_1 t^4 - cross_1 t^3 + cross_-1 t - gram_-1. Units without weights keep the factor 1, and no
    factor is beyond a million.

    Args:
        cross: for every power the inner product of the unit in a with that in b.
        gram: for every power the squared norm of the unit in b.
    """
    powers = sorted(cross)
    shift = -2 * min(0, *powers)
    terms = {}
    for p in powers:
        for exponent, value in ((2 * p, p * gram[p]), (p, -p * cross[p])):
            terms[exponent + shift] = terms.get(exponent + shift, 0) + np.asarray(value, float)
    shape = np.shape(cross[powers[0]])
    coefficients = np.zeros((*shape, max(terms) + 1))
    for exponent, value in terms.items():
        coefficients[..., -1 - exponent] = value
    roots = polynomial_roots(coefficients)
    real = np.real(roots)
    is_real = np.abs(np.imag(roots)) <= 1e-6 * np.abs(roots)
    # A unit that lacks one of its sides has its optimum at infinity.
    candidates = np.where(is_real & (real > 1e-6) & (real < 1e6), real, 1.0)
    candidates = np.concatenate([np.ones((*shape, 1)), candidates], axis=-1)
    with np.errstate(over="ignore"):
        values = sum(
            candidates**p * cross[p][..., None] - candidates ** (2 * p) * gram[p][..., None] / 2
            for p in powers
        )
    best = np.argmax(values, axis=-1)[..., None]
    return np.take_along_axis(candidates, best, axis=-1)[..., 0]


def choose_signs(cross: Rows) -> Rows:
    """The sign of every unit with the larger inner product; exact."""
    return np.where(cross < 0, -1.0, 1.0)
