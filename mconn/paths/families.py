"""The families of controlled paths. Each is a basis over control points.

Where control points are free, they start on the line, the bilinear patch or the triangle of the
ends, so that an unfitted path is the straight one.

A basis is a frozen dataclass, so that two paths of one family share their compiled programs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.errors import ConfigError, StructureError
from mconn.paths import domain
from mconn.paths.path import ControlledPath, stack_controls
from mconn.types import Params


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


def line(a: Params, b: Params) -> ControlledPath:
    """The segment (1 - t) a + t b, for t in [0, 1]; ``line(a, b)(0)`` is ``a``, bit for bit.

    Raises:
        StructureError: naming the first leaf in which the two networks differ.
    """
    return ControlledPath(
        stack_controls([a, b], ["a", "b"]), Bernstein(1), domain.INTERVAL, fixed=(0, 1)
    )


def bezier(a: Params, b: Params, bends: int = 1) -> ControlledPath:
    """A Bezier curve from a to b of degree ``bends + 1``, as yet on the line (Garipov et al. 2018).

    Raises:
        ConfigError: if there is no bend.
        StructureError: naming the first leaf in which the two networks differ.
    """
    return _curve(a, b, bends, Bernstein(bends + 1))


def chain(a: Params, b: Params, bends: int = 1) -> ControlledPath:
    """A polygonal chain from a to b with ``bends`` bends, as yet on the line.

    Raises:
        ConfigError: if there is no bend.
        StructureError: naming the first leaf in which the two networks differ.
    """
    return _curve(a, b, bends, Hats(bends + 1))


def _curve(a: Params, b: Params, bends: int, basis: Bernstein | Hats) -> ControlledPath:
    if bends < 1:
        raise ConfigError(
            f"bends is {bends}: a curve that can be fitted needs at least one; a straight one is "
            "paths.line"
        )
    places = np.linspace(0, 1, bends + 2)
    weights = np.stack([1 - places, places], axis=1)
    return ControlledPath(
        _mixed([a, b], ["a", "b"], weights), basis, domain.INTERVAL, fixed=(0, bends + 1)
    )


def with_controls(family: str, controls: Params) -> ControlledPath:
    """The curve of a family with stacked control points, as those of `ControlledPath.controls`.

    Raises:
        ConfigError: if the family has another name.
        StructureError: with fewer than two control points.
    """
    check_choice("family", family, ("bezier", "chain"))
    last = len(jax.tree.leaves(controls)[0]) - 1
    if last < 1:
        raise StructureError("a curve needs at least two control points, got one: stack its ends")
    basis = Bernstein(last) if family == "bezier" else Hats(last)
    return ControlledPath(controls, basis, domain.INTERVAL, fixed=(0, last))


def through(networks: Sequence[Params]) -> ControlledPath:
    """The polygonal chain through networks in their order; all but the first and last are free.

    Raises:
        StructureError: with fewer than two networks, or naming the first leaf that differs.
    """
    controls = stack_controls(*_at_least_two(networks, "a chain"))
    last = len(networks) - 1
    return ControlledPath(controls, Hats(last), domain.INTERVAL, fixed=(0, last))


def simplex(networks: Sequence[Params]) -> ControlledPath:
    """All mixtures of k networks; its parameter is the vector of k weights, which sums to one.

    All vertices are held by a fit; see `mconn.paths.grown` for one more, free vertex.

    Raises:
        StructureError: with fewer than two networks, or naming the first leaf that differs.
    """
    controls = stack_controls(*_at_least_two(networks, "a simplex"))
    fixed = tuple(range(len(networks)))
    return ControlledPath(controls, domain.barycentric, domain.SIMPLEX, fixed)


def surface(corners: Sequence[Params], degree: int = 2) -> ControlledPath:
    """A tensor-product Bezier surface over the square (Ren et al. 2025), as yet the bilinear patch.

    Args:
        corners: four networks, at (u, v) = (0, 0), (0, 1), (1, 0) and (1, 1).
        degree: of the polynomials in u and in v; there are ``(degree + 1)**2`` control points.

    Raises:
        ConfigError: if the degree is below one.
        StructureError: if there are not four corners, or naming the first leaf that differs.
    """
    _check_degree(degree)
    if len(corners) != 4:
        raise StructureError(f"a surface over the square needs four corners, got {len(corners)}")
    grid = np.linspace(0, 1, degree + 1)
    u, v = (axis.reshape(-1) for axis in np.meshgrid(grid, grid, indexing="ij"))
    weights = np.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v], axis=1)
    return ControlledPath(
        _mixed(list(corners), [f"corner {i}" for i in range(4)], weights),
        TensorProduct(degree),
        domain.SQUARE,
        fixed=_held(weights),
    )


def triangle(corners: Sequence[Params], degree: int = 2) -> ControlledPath:
    """A triangular Bezier surface over the simplex of three networks, as yet flat.

    Raises:
        ConfigError: if the degree is below one.
        StructureError: if there are not three corners, or naming the first leaf that differs.
    """
    _check_degree(degree)
    if len(corners) != 3:
        raise StructureError(f"a triangular surface needs three corners, got {len(corners)}")
    weights = np.array(Triangular(degree).exponents) / degree
    return ControlledPath(
        _mixed(list(corners), [f"corner {i}" for i in range(3)], weights),
        Triangular(degree),
        domain.SIMPLEX,
        fixed=_held(weights),
    )


def plane(a: Params, b: Params, c: Params) -> ControlledPath:
    """The plane through three networks: a + u (b - a) + v (c - a), for any (u, v).

    Raises:
        StructureError: naming the first leaf in which two of the networks differ.
    """
    controls = stack_controls([a, b, c], ["a", "b", "c"])
    return ControlledPath(controls, domain.affine, domain.PLANE, fixed=(0, 1, 2))


def _at_least_two(networks: Sequence[Params], what: str) -> tuple[list[Params], list[str]]:
    if len(networks) < 2:
        raise StructureError(f"{what} needs at least two networks, got {len(networks)}")
    return list(networks), [f"network {i}" for i in range(len(networks))]


def _check_degree(degree: int) -> None:
    if degree < 1:
        raise ConfigError(f"degree is {degree}: a surface needs at least 1, which is bilinear")


def _held(weights: Float[np.ndarray, "k ends"]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero((weights == 1).any(axis=1)))


def _mixed(ends: list[Params], names: list[str], weights: Float[np.ndarray, "k ends"]) -> Params:
    """Control points as mixtures of the ends; those that are ends are so bit for bit."""
    straight = ControlledPath(
        stack_controls(ends, names), domain.barycentric, domain.SIMPLEX, fixed=()
    )
    return jax.jit(jax.vmap(ControlledPath.__call__, (None, 0)))(
        straight, jnp.asarray(weights, float)
    )
