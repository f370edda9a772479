"""Domains: where a path's parameter lives, and the chord that a barrier is measured against."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import StructureError

Weights = Callable[[Any], Float[Array, "k"]]
"""Weights at a parameter t, which sum to one."""


@dataclass(frozen=True)
class Domain:
    """A set of parameters.

    Attributes:
        name: of the set.
        mixture: t -> weights of the *ends* in the chord, shape (ends,). An end is where one of
            them is 1; on an interval they are (1 - t, t).
        fault: parameters of points, stacked -> what is wrong with them, or None.
    """

    name: str
    mixture: Weights
    fault: Callable[[np.ndarray], str | None]

    def check(self, ts: np.ndarray) -> None:
        """Refuse points outside the domain.

        Raises:
            StructureError: naming the domain and what is wrong.
        """
        fault = self.fault(ts) if len(ts) else "there is no point"
        if fault:
            raise StructureError(f"points of {self.name} are refused: {fault}")


def between(t: Any) -> Float[Array, "2"]:
    """(1 - t, t)."""
    t = jnp.asarray(t, float)
    return jnp.stack([1 - t, t])


def corners(t: Any) -> Float[Array, "4"]:
    """Weights of the corners (0, 0), (0, 1), (1, 0) and (1, 1) of the square, bilinear."""
    u, v = jnp.asarray(t, float)
    return jnp.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v])


def barycentric(t: Any) -> Float[Array, "k"]:
    """The parameter itself: a vector of weights."""
    return jnp.asarray(t, float)


def affine(t: Any) -> Float[Array, "3"]:
    """(1 - u - v, u, v)."""
    u, v = jnp.asarray(t, float)
    return jnp.stack([1 - u - v, u, v])


def not_within(ts: np.ndarray) -> str | None:
    """What is wrong with coordinates that must lie in [0, 1]."""
    outside = ~((ts >= 0) & (ts <= 1))
    return f"{ts[outside].flat[0]} lies outside [0, 1]" if outside.any() else None


def not_numbers(ts: np.ndarray) -> str | None:
    """What is wrong with points of an interval."""
    return not_within(ts) if ts.ndim == 1 else f"each must be one number, not {ts.shape[1:]}"


def not_pairs(ts: np.ndarray) -> str | None:
    """What is wrong with points of a square."""
    return not_within(ts) if ts.shape[1:] == (2,) else f"each must be (u, v), not {ts.shape[1:]}"


def not_weights(ts: np.ndarray) -> str | None:
    """What is wrong with points of a simplex."""
    if ts.ndim != 2:
        return f"each must be a vector of weights, not {ts.shape[1:]}"
    totals = ts.sum(axis=1)
    if not np.allclose(totals, 1, atol=1e-5):
        return f"weights must sum to one, not {totals[np.argmax(abs(totals - 1))]:.6g}"
    return not_within(ts)


def not_coordinates(ts: np.ndarray) -> str | None:
    """What is wrong with points of a plane."""
    if ts.shape[1:] != (2,):
        return f"each must be (u, v), not {ts.shape[1:]}"
    return None if np.isfinite(ts).all() else "a coordinate is not finite"


INTERVAL = Domain("the interval", between, not_numbers)
SQUARE = Domain("the square", corners, not_pairs)
SIMPLEX = Domain("the simplex", barycentric, not_weights)
PLANE = Domain("the plane", affine, not_coordinates)
