"""One generator while the others are held: the solver of its kind, and the margins of a match."""

import numpy as np
from jaxtyping import Float

from mconn.align.cost import Overlap
from mconn.align.solvers import assign, choose_signs, invertible, polar, scale, turn
from mconn.symmetry import Generator


def solve(generator: Generator, overlap: Overlap) -> np.ndarray:
    """The generator's part that raises the objective most from where b is."""
    if generator.kind == "permutation":
        return assign(overlap.cross[1])
    if generator.kind == "sign":
        return choose_signs(overlap.cross[1])
    if generator.kind == "orthogonal":
        return polar(overlap.cross[1])
    if generator.kind == "rotation":
        return turn(overlap.cross)
    if generator.kind == "scaling":
        return scale(overlap.cross, overlap.gram)
    return invertible(overlap.cross, overlap.gram)


def own_overlap(generator: Generator, cross: np.ndarray) -> Float[np.ndarray, "*copies n"]:
    """The overlap of every unit with the one in its place."""
    return cross if generator.kind == "sign" else np.diagonal(cross, axis1=-2, axis2=-1)


def gain(generator: Generator, cross: Float[np.ndarray, "..."], part: np.ndarray) -> float:
    """What a part of a kind that keeps norms adds to the objective."""
    here = own_overlap(generator, cross).sum(dtype=np.float64)
    if generator.kind == "permutation":
        there = np.take_along_axis(cross, part[..., None], axis=-1)
    else:
        there = part * cross
    return float(there.sum(dtype=np.float64) - here)


def margins(generator: Generator, overlap: Overlap) -> Float[np.ndarray, "*copies n"] | None:
    """How sure the match of every unit is, where b stands at the optimum.

    - permutation: what the objective loses at least if the unit changes places with another one;
    - sign: what it loses if the unit's sign is the other one;
    - orthogonal: the singular values of the overlap. Where the smallest is zero, the matrix is not
      determined.

    Small margins tell of Gromov-type ambiguity: the networks have other matches that are as good.
    The other kinds have none.
    """
    if generator.kind == "orthogonal":
        return np.linalg.svd(overlap.cross[1], compute_uv=False)
    if generator.kind not in ("permutation", "sign"):
        return None
    cross = overlap.cross[1]
    own = own_overlap(generator, cross)
    if generator.kind == "sign":
        return 2 * np.abs(own)
    if generator.size == 1:
        return np.full(own.shape, np.inf)
    exchange = own[..., :, None] + own[..., None, :] - cross - cross.swapaxes(-1, -2)
    units = np.arange(generator.size)
    exchange[..., units, units] = np.inf
    return exchange.min(axis=-1)
