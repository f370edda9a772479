"""Bases: the weights of a path's control points at a parameter; they sum to one.

Each is a frozen dataclass, so that two paths of one family share their compiled programs.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Bernstein:
    """The Bernstein polynomials of a degree: C(n, i) t^i (1 - t)^(n - i)."""

    degree: int

    def __call__(self, t: Any) -> Float[Array, "k"]:
        """Weights of ``degree + 1`` control points, for t in [0, 1]."""
        t, n = jnp.asarray(t, float), self.degree
        return jnp.stack([math.comb(n, i) * t**i * (1 - t) ** (n - i) for i in range(n + 1)])


@dataclass(frozen=True)
class Hats:
    """Piecewise linear hats over equispaced knots: a polygonal chain."""

    segments: int

    def __call__(self, t: Any) -> Float[Array, "k"]:
        """Weights of ``segments + 1`` control points, for t in [0, 1]."""
        # How far each segment has been walked. Neither end is clipped, so that the derivative there
        # is that of the segment; at an inner knot it is the mean of both sides.
        low = jnp.array([-jnp.inf] + [0.0] * (self.segments - 1))
        high = jnp.array([1.0] * (self.segments - 1) + [jnp.inf])
        walked = jnp.asarray(t, float) * self.segments - jnp.arange(self.segments)
        walked = jnp.clip(walked, low, high)
        return jnp.concatenate([1 - walked[:1], walked[:-1] - walked[1:], walked[-1:]])


@dataclass(frozen=True)
class TensorProduct:
    """Products of Bernstein polynomials in u and in v, for a surface; row-major in (i, j)."""

    degree: int

    def __call__(self, t: Any) -> Float[Array, "k"]:
        """Weights of ``(degree + 1)**2`` control points, for (u, v) in the square."""
        u, v = jnp.asarray(t, float)
        basis = Bernstein(self.degree)
        return jnp.outer(basis(u), basis(v)).reshape(-1)


@dataclass(frozen=True)
class Triangular:
    """Bernstein polynomials in barycentric coordinates: n! / (i! j! k!) a^i b^j c^k."""

    degree: int

    @property
    def exponents(self) -> list[tuple[int, int, int]]:
        """The exponents (i, j, k) of every control point."""
        n = self.degree
        return [(i, j, n - i - j) for i in range(n, -1, -1) for j in range(n - i, -1, -1)]

    def __call__(self, t: Any) -> Float[Array, "k"]:
        """Weights of (n + 1) (n + 2) / 2 control points, for (a, b, c) on the simplex."""
        a, b, c = jnp.asarray(t, float)
        return jnp.stack(
            [
                math.comb(self.degree, i) * math.comb(self.degree - i, j) * a**i * b**j * c**k
                for i, j, k in self.exponents
            ]
        )
