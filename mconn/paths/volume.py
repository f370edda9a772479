"""Volumes of simplexes and complexes of networks, and the penalty that makes them large.

The volume of a simplex with k vertices is sqrt(det G) / (k - 1)!, where G holds the inner products
of its edges from one vertex. det G is 2^(1-k) times the determinant of Cayley and Menger up to its
sign, but is positive definite: a Cholesky factor gives its logarithm without overflow, and with the
error of the edges' own conditioning, where the bordered determinant cancels.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.paths.complexes import faces_of
from mconn.paths.path import ControlledPath


@jax.jit
def log_volume(path: ControlledPath) -> Float[Array, ""]:
    """The natural logarithm of the volume of a simplex, or of the sum over a complex's faces.

    It is in the precision of the control points, or in float32 if they have less; minus infinity
    where the vertices of every face are affinely dependent.

    Raises:
        StructureError: if the path is neither a simplex nor a complex.
    """
    volumes = face_log_volumes(path)
    return jax.nn.logsumexp(volumes)


def face_log_volumes(path: ControlledPath, floor: float = 0.0) -> Float[Array, "faces"]:
    """The logarithm of the volume of every face.

    With a ``floor`` every face is thickened in all directions by this share of the root mean
    square of its edges: the logarithm then stays finite and smooth where a face is flat.
    """
    faces = np.array(faces_of(path))
    gram = path.gram()
    first, others = faces[:, 0], faces[:, 1:]
    rows, columns = others[:, :, None], others[:, None, :]
    corner = first[:, None, None]
    edges = gram[rows, columns] - gram[rows, corner] - gram[corner, columns] + gram[corner, corner]
    return log_volumes_of_edges(edges, floor)


def log_volumes_of_edges(
    edges: Float[Array, "faces k k"], floor: float = 0.0
) -> Float[Array, "faces"]:
    """The logarithms of the volumes of simplexes from the inner products of their edges."""
    dimension = edges.shape[-1]
    if not dimension:
        return jnp.zeros(len(edges))
    scale = jnp.trace(edges, axis1=-2, axis2=-1) / dimension
    edges = edges + floor**2 * scale[:, None, None] * jnp.eye(dimension, dtype=edges.dtype)
    diagonal = jnp.diagonal(jnp.linalg.cholesky(edges), axis1=-2, axis2=-1)
    # A simplex that is flat, or is so but for rounding, has no factor.
    is_flat = ~(diagonal > 0).all(axis=-1, keepdims=True)
    logarithms = jnp.where(is_flat, -jnp.inf, jnp.log(jnp.where(is_flat, 1, diagonal)))
    return logarithms.sum(axis=-1) - math.lgamma(dimension + 1)


def edges_from_distances(squared: Float[Array, "k k"]) -> Float[Array, "edges edges"]:
    """Inner products of a simplex's edges from its vertices' squared distances."""
    to_first = squared[0, 1:]
    return (to_first[:, None] + to_first[None, :] - squared[1:, 1:]) / 2


def volume_from_distances(squared: Float[Array, "k k"]) -> Float[Array, ""]:
    """The volume of a simplex from the squared distances of its k vertices (Cayley and Menger)."""
    return jnp.exp(log_volumes_of_edges(edges_from_distances(squared)[None])[0])


@dataclass(frozen=True)
class LogVolume:
    """A penalty for a fit: minus ``weight`` times the logarithm of the volume (Benton et al. 2021).

    Attributes:
        weight: in nats of loss per nat of volume; a simplex with one more free vertex gains one
            nat where this vertex's height over the others grows by the factor e.
        floor: thickness of a flat simplex, as a share of the root mean square of its edges. A new
            vertex starts in the mean of the others, where the volume is zero and its logarithm
            has no slope to follow; with a floor the slope there is finite.

    Raises:
        ConfigError: if the weight is negative or the floor is not positive.
    """

    weight: float
    floor: float = 1e-2

    def __post_init__(self) -> None:
        if self.weight < 0 or self.floor <= 0:
            raise ConfigError(
                f"weight is {self.weight} and floor is {self.floor}: the first may not be below "
                "0, the second must be above 0"
            )

    def __call__(self, path: ControlledPath) -> Float[Array, ""]:
        """The penalty of a simplex or complex."""
        return -self.weight * jax.nn.logsumexp(face_log_volumes(path, self.floor))
