"""Where a fit draws its points: uniform in the parameter, in the length of a curve, or in volume.

A sampler is a frozen dataclass, so that two fits with the same one share their compiled step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import StructureError
from mconn.paths import domain
from mconn.paths.complexes import face_log_volumes, faces_of
from mconn.paths.compose import by_arc_length
from mconn.paths.families import Triangular
from mconn.paths.path import ControlledPath
from mconn.types import Key

Sampler: TypeAlias = Callable[[Key, ControlledPath, int], Float[Array, "points ..."]]
"""(key, path, points) -> parameters of so many points of the path; hashable."""

LENGTH_KNOTS = 257
"""Points of the table from which the length along a curve is inverted."""


@dataclass(frozen=True)
class Uniform:
    """Uniform in the parameter of an interval, a square or a simplex (a flat Dirichlet law).

    Attributes:
        stratified: draw one point in each of as many equal strata as there are points; in several
            dimensions one in each stratum of every coordinate (a Latin hypercube, McKay et al.
            1979). Every point remains uniform, so a mean over them is unbiased, and its variance
            is lower than that of independent points.
    """

    stratified: bool = True

    def __call__(self, key: Key, path: ControlledPath, points: int) -> Float[Array, "points ..."]:
        """Parameters of points, shape (points,) on an interval, (points, k) otherwise.

        Raises:
            StructureError: if the path's domain has no uniform law.
        """
        if path.domain == domain.INTERVAL:
            return _cube(key, points, 1, self.stratified)[:, 0]
        if path.domain == domain.SQUARE:
            return _cube(key, points, 2, self.stratified)
        if path.domain == domain.SIMPLEX:
            vertices = 3 if isinstance(path.basis, Triangular) else path.count
            return _flat_dirichlet(_cube(key, points, vertices - 1, self.stratified))
        raise StructureError(
            f"points cannot be drawn uniformly from {path.domain.name}: use an interval, a square "
            "or a simplex, and the sampler FacesByVolume for a simplicial complex"
        )


@dataclass(frozen=True)
class UniformLength:
    """Uniform in the arc length of a curve, which is taken from its Gram matrix.

    The length moves with the control points, but no gradient flows through it.

    Attributes:
        stratified: draw one point in each of as many pieces of equal length as there are points.
    """

    stratified: bool = True

    def __call__(self, key: Key, path: ControlledPath, points: int) -> Float[Array, "points"]:
        """Parameters of points, shape (points,).

        Raises:
            StructureError: if the path is not a curve.
        """
        if path.domain != domain.INTERVAL:
            raise StructureError(
                f"{path.domain.name} has no arc length: draw its points with the sampler Uniform"
            )
        shares = _cube(key, points, 1, self.stratified)[:, 0]
        return by_arc_length(jax.lax.stop_gradient(path), LENGTH_KNOTS).place(shares)


@dataclass(frozen=True)
class FacesByVolume:
    """Uniform on a simplicial complex: a face by its volume, and a uniform point of this face.

    The volumes move with the vertices, but no gradient flows through the choice. Where all of them
    are zero, every face is as likely as another.

    Attributes:
        stratified: give every face as many points as its share of the volume demands, to within
            one.
    """

    stratified: bool = True

    def __call__(self, key: Key, path: ControlledPath, points: int) -> Float[Array, "points k"]:
        """Weights of all vertices, shape (points, vertices).

        Raises:
            StructureError: if the path is neither a simplex nor a complex.
        """
        faces = np.array(faces_of(path))
        volumes = face_log_volumes(jax.lax.stop_gradient(path))
        is_flat = jnp.isneginf(volumes).all()
        shares = jnp.cumsum(jax.nn.softmax(jnp.where(is_flat, 0, volumes)))
        choice, *inside = _cube(key, points, faces.shape[1], self.stratified).T
        # The last share is one but for rounding.
        chosen = jnp.minimum(jnp.searchsorted(shares, choice, side="right"), len(faces) - 1)
        places = jnp.stack(inside, axis=1) if inside else jnp.zeros((points, 0))
        rows = jnp.arange(points)[:, None]
        weights = jnp.zeros((points, path.count), places.dtype)
        return weights.at[rows, jnp.asarray(faces)[chosen]].set(_flat_dirichlet(places))


def _cube(key: Key, points: int, dimension: int, stratified: bool) -> Float[Array, "points k"]:
    """Points of a unit _cube, each of them uniform."""
    # All numbers are drawn at once: on a CPU each draw of another shape takes a second to compile.
    drawn = jax.random.uniform(key, (points, 2 * dimension - 1))
    places = drawn[:, :dimension]
    if not stratified:
        return places
    orders = jnp.argsort(drawn[:, dimension:], axis=0)
    strata = jnp.concatenate([jnp.arange(points)[:, None], orders], axis=1)
    return (strata + places) / points


def _flat_dirichlet(uniform: Float[Array, "points k"]) -> Float[Array, "points vertices"]:
    """Weights of k + 1 vertices, uniform on the simplex, from points of the cube.

    A stick of length one is broken k times: of what is left, the share 1 - (1 - u)^(1 / m) goes to
    a vertex that m others follow.
    """
    followers = jnp.arange(uniform.shape[1], 0, -1)
    after = jnp.cumprod((1 - uniform) ** (1 / followers), axis=1)
    left = jnp.concatenate([jnp.ones((len(uniform), 1), uniform.dtype), after], axis=1)
    return jnp.concatenate([left[:, :-1] - left[:, 1:], left[:, -1:]], axis=1)
