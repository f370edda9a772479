"""Simplicial complexes: simplexes that share vertices, and how they grow by one more vertex.

Benton et al. 2021 (*Loss Surface Simplexes for Mode Connecting Volumes and Fast Ensembling*, ICML,
arXiv:2102.13042) connect trained networks by such complexes of low loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from mconn.errors import StructureError
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
    checked = check_faces(faces, len(networks))
    held = range(len(networks)) if fixed is None else fixed
    return ControlledPath(
        stack_controls(list(networks), names),
        domain.barycentric,
        complex_domain(checked),
        tuple(sorted(held)),
    )


def complex_domain(faces: Faces) -> Domain:
    """The domain of a complex; those of the same faces are equal."""
    return Domain("the simplicial complex", domain.barycentric, NotInAFace(faces))


def check_faces(faces: Sequence[Sequence[int]], count: int) -> Faces:
    """The faces with their vertices in order, or a refusal."""
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
    controls = with_mean(path.controls)
    if path.domain == domain.SIMPLEX:
        return replace(path, controls=controls, fixed=tuple(range(count)))
    joined = complex_domain(tuple((*face, count) for face in faces))
    return replace(path, controls=controls, domain=joined, fixed=tuple(range(count)))


@jax.jit
def with_mean(controls: Params) -> Params:
    """The control points and, after them, their mean."""
    return jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, leaf.mean(axis=0, keepdims=True)]), controls
    )
