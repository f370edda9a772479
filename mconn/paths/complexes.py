"""Simplicial complexes: simplexes that share vertices, how they grow, and their volume.

Benton et al. 2021 (*Loss Surface Simplexes for Mode Connecting Volumes and Fast Ensembling*, ICML,
arXiv:2102.13042) connect trained networks by such complexes of low loss.

The volume of a simplex with k vertices is sqrt(det G) / (k - 1)!, where G holds the inner products
of its edges from one vertex. det G is 2^(1-k) times the determinant of Cayley and Menger up to its
sign, but is positive definite: a Cholesky factor gives its logarithm without overflow, and with the
error of the edges' own conditioning, where the bordered determinant cancels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError, StructureError
from mconn.paths import domain
from mconn.paths.domain import Domain
from mconn.paths.path import ControlledPath, stack_controls
from mconn.types import Params

Faces = tuple[tuple[int, ...], ...]
"""The vertices of every face."""


@dataclass(frozen=True)
class NotInAFace:
    """What is wrong with weights of vertices, of which only those of one face may be positive."""

    faces: Faces

    def __call__(self, ts: np.ndarray) -> str | None:
        """The first fault, or None."""
        fault = domain.not_weights(ts)
        if fault:
            return fault
        inside = np.array([[i in face for i in range(ts.shape[1])] for face in self.faces])
        is_inside = ((ts[:, None] == 0) | inside).all(axis=2).any(axis=1)
        if is_inside.all():
            return None
        used = np.flatnonzero(ts[np.argmin(is_inside)]).tolist()
        return f"the vertices {used} have no face in common"


def simplicial_complex(
    networks: Sequence[Params], faces: Sequence[Sequence[int]], fixed: Sequence[int] | None = None
) -> ControlledPath:
    """Simplexes that share vertices; the parameter is the vector of the weights of all vertices.

    Args:
        networks: the vertices.
        faces: the vertices of each face; a face of one vertex is a network by itself, which
            `grown` joins to the others.
        fixed: the vertices that a fit holds; all of them by default.

    Raises:
        StructureError: if a face repeats a vertex or has one that does not exist, if faces differ
            in size or are the same, if a vertex is in no face, or naming the first leaf that
            differs.
    """
    names = [f"network {i}" for i in range(len(networks))]
    checked = _check_faces(faces, len(networks))
    held = range(len(networks)) if fixed is None else fixed
    return ControlledPath(
        stack_controls(list(networks), names),
        domain.barycentric,
        _complex_domain(checked),
        tuple(sorted(held)),
    )


def _complex_domain(faces: Faces) -> Domain:
    return Domain("the simplicial complex", domain.barycentric, NotInAFace(faces))


def _check_faces(faces: Sequence[Sequence[int]], count: int) -> Faces:
    ordered = tuple(tuple(sorted(face)) for face in faces)
    wanted = set(range(count))
    for face in ordered:
        if not face or len(set(face)) < len(face) or not set(face) <= wanted:
            raise StructureError(
                f"the face {face} of a complex of {count} networks must have different vertices "
                f"from 0 to {count - 1}"
            )
    if len({len(face) for face in ordered}) != 1:
        raise StructureError(
            f"the faces have {sorted({len(face) for face in ordered})} vertices: volumes of "
            "different dimensions cannot be added, so give all faces the same number"
        )
    if len(set(ordered)) < len(ordered):
        raise StructureError(f"two of the faces {ordered} are the same: leave one out")
    lonely = sorted(wanted - {vertex for face in ordered for vertex in face})
    if lonely:
        raise StructureError(f"no face has the networks {lonely}: leave them out, or add a face")
    return ordered


def faces_of(path: ControlledPath) -> Faces:
    """The faces of a complex; a simplex is its own only face.

    Raises:
        StructureError: if the path is neither.
    """
    if isinstance(path.domain.fault, NotInAFace):
        return path.domain.fault.faces
    if path.domain == domain.SIMPLEX and path.basis == domain.barycentric:
        return (tuple(range(path.count)),)
    raise StructureError(
        f"a path over {path.domain.name} with the basis {path.basis} has no vertices that span a "
        "volume: build it with paths.simplex or paths.simplicial_complex"
    )


def grown(path: ControlledPath) -> ControlledPath:
    """A simplex or complex with one more vertex, which is free while all others are held.

    The new vertex starts at the mean of the others (Benton et al. 2021) and joins every face. From
    networks that are faces by themselves it makes segments that meet in it: a star.

    Raises:
        StructureError: if the path is neither a simplex nor a complex.
    """
    faces, count = faces_of(path), path.count
    controls = _with_mean(path.controls)
    if path.domain == domain.SIMPLEX:
        return replace(path, controls=controls, fixed=tuple(range(count)))
    joined = _complex_domain(tuple((*face, count) for face in faces))
    return replace(path, controls=controls, domain=joined, fixed=tuple(range(count)))


@jax.jit
def _with_mean(controls: Params) -> Params:
    return jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, leaf.mean(axis=0, keepdims=True)]), controls
    )


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
    return _log_volumes_of_edges(edges, floor)


def _log_volumes_of_edges(
    edges: Float[Array, "faces k k"], floor: float = 0.0
) -> Float[Array, "faces"]:
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


def _edges_from_distances(squared: Float[Array, "k k"]) -> Float[Array, "edges edges"]:
    to_first = squared[0, 1:]
    return (to_first[:, None] + to_first[None, :] - squared[1:, 1:]) / 2


def volume_from_distances(squared: Float[Array, "k k"]) -> Float[Array, ""]:
    """The volume of a simplex from the squared distances of its k vertices (Cayley and Menger)."""
    return jnp.exp(_log_volumes_of_edges(_edges_from_distances(squared)[None])[0])


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
