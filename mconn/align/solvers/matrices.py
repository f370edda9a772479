"""Orthogonal and invertible matrices."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

Square = Float[np.ndarray, "*copies n n"]

STEPS = 3
"""Largest number of Gauss-Newton steps for one generator before the others have their turn."""


def polar(cross: Square) -> Square:
    """The orthogonal matrix with the largest inner product with ``cross``: its polar factor.

    The orthogonal Procrustes problem (Schoenemann 1966); exact.
    """
    left, _, right = np.linalg.svd(cross)
    return left @ right


def invertible(cross: Mapping[int, Square], gram: Mapping[int, Square]) -> Square:
    """The invertible matrix g that brings b close to a, for every copy.

    It maximises <cross_1, g> - <g, g gram_1> / 2, and the same for the power -1 with the inverse
    transpose of g: the best of the identity and of what is the least squares solution for either
    side, then Gauss and Newton's steps as long as they climb. With one side that is exact.

    Args:
        cross: for the powers 1 and -1 the inner products of a's units with b's.
        gram: the same of b with itself.
    """
    some = next(iter(cross.values()))
    size = some.shape[-1]
    flat = [
        {p: np.asarray(part[p], float).reshape(-1, size, size) for p in part}
        for part in (cross, gram)
    ]
    copies = [
        _invertible(*({p: part[p][i] for p in part} for part in flat))
        for i in range(int(np.prod(some.shape[:-2])))
    ]
    return np.array(copies).reshape(some.shape)


def _invertible(cross: dict[int, np.ndarray], gram: dict[int, np.ndarray]) -> np.ndarray:
    nothing = np.zeros_like(next(iter(cross.values())))
    cross, gram = ({p: part.get(p, nothing) for p in (1, -1)} for part in (cross, gram))

    def value(g: np.ndarray) -> float:
        sides = {1: g, -1: np.linalg.inv(g).T}
        return sum(
            float(np.sum(cross[p] * h) - np.sum(h * (h @ gram[p])) / 2) for p, h in sides.items()
        )

    ridge = {p: gram[p] + _ridge(gram) for p in gram}
    starts: list[np.ndarray] = [np.eye(len(nothing))]
    if cross[1].any():
        starts.append(np.linalg.solve(ridge[1], cross[1].T).T)
    if cross[-1].any():
        dual = np.linalg.solve(ridge[-1], cross[-1].T).T
        starts.append(np.linalg.pinv(dual).T)
    starts = [start for start in starts if np.linalg.cond(start) < 1e6]
    best = max(starts, key=value)
    for _ in range(STEPS):
        sides = {1: best, -1: np.linalg.inv(best).T}
        step = _newton_step(
            {p: cross[p] @ sides[p].T for p in sides},
            {p: sides[p] @ gram[p] @ sides[p].T for p in sides},
        )
        here = value(best)
        candidates = (step(length) @ best for length in (1.0, 0.25, 0.0625))
        better = next((g for g in candidates if value(g) > here + 1e-6 * abs(here)), None)
        if better is None:
            break
        best = better
    return best


def _newton_step(
    cross: dict[int, np.ndarray], gram: dict[int, np.ndarray]
) -> Callable[[float], np.ndarray]:
    """One step of Gauss and Newton's method, of any length.

    With the rows r that g multiplies and the rows s that its inverse transpose does, and
    g = exp(x), the squared distance |r_a - r_b - x r_b|^2 + |s_a - s_b + x^T s_b|^2 has its minimum
    where x solves a Sylvester equation:

        x (r_b r_b^T) + (s_b s_b^T) x = (r_a - r_b) r_b^T - s_b (s_a - s_b)^T.
    """
    from scipy.linalg import expm, solve_sylvester

    right = cross[1] - gram[1] - (cross[-1] - gram[-1]).T
    ridge = _ridge(gram)
    tangent = solve_sylvester(gram[-1] + ridge, gram[1] + ridge, right)
    # A step beyond the linear range is cut.
    tangent = tangent / max(1.0, np.linalg.norm(tangent, 2))
    return lambda length: expm(length * tangent)


def _ridge(gram: dict[int, np.ndarray]) -> np.ndarray:
    """So little that only directions which no weight sees notice it: they stay as they are."""
    size = len(gram[1])
    return (1e-9 * (np.trace(gram[1]) + np.trace(gram[-1])) / size + 1e-30) * np.eye(size)
