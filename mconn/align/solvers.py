"""What is best for one generator while the others are held: a closed form for every kind."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from mconn.align.cost import Overlap
from mconn.errors import MconnError
from mconn.symmetry import Generator


def assign(similarity: Float[np.ndarray, "*copies n m"]) -> Int[np.ndarray, "*copies n"]:
    """The permutation p with the largest sum_i similarity[i, p[i]], for every copy; exact.

    By SciPy's shortest augmenting paths (Crouse 2016): four times faster on a CPU than
    `assign_on_device`, and in double precision. With m > n it chooses n of the m units of b.
    """
    from scipy.optimize import linear_sum_assignment

    if not np.isfinite(similarity).all():
        raise MconnError(
            "similarities are not finite: a network has weights or activations that are not"
        )
    copies, shape = similarity.shape[:-2], similarity.shape[-2:]
    flat = similarity.reshape(-1, *shape)
    columns = [linear_sum_assignment(_reduced(each))[1] for each in flat]
    return np.array(columns).reshape(*copies, shape[0])


def _reduced(similarity: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    """Costs with the same optimum, and a zero in every row and, if square, in every column.

    The first step of the Hungarian method, which SciPy leaves out: its search is then two times
    faster.
    """
    cost = np.subtract(similarity.max(axis=1, keepdims=True), similarity, dtype=np.float64)
    if cost.shape[0] == cost.shape[1]:
        cost -= cost.min(axis=0)
    return cost


def assign_on_device(similarity: Float[Array, "n n"]) -> Int[Array, "n"]:
    """The same inside ``jit`` and under ``vmap``, by optax's Hungarian algorithm."""
    from optax.assignment import hungarian_algorithm

    rows, columns = hungarian_algorithm(-similarity)
    return jnp.zeros(len(similarity), jnp.int32).at[rows].set(columns.astype(jnp.int32))


def _polynomial_roots(
    coefficients: Float[np.ndarray, "*problems degree"] | Complex[np.ndarray, "*problems degree"],
) -> Complex[np.ndarray, "*problems roots"]:
    """All complex roots of many polynomials: eigenvalues of their companion matrices.

    Coefficients are from the highest power down. Leading coefficients that vanish, against the
    largest, are raised to a negligible size, which sends their roots far away.
    """
    largest = np.abs(coefficients).max(axis=-1, keepdims=True)
    scaled = coefficients / np.where(largest > 0, largest, 1)
    leading = scaled[..., :1]
    leading = np.where(np.abs(leading) < 1e-12, 1e-12, leading)
    degree = coefficients.shape[-1] - 1
    companion = np.zeros((*coefficients.shape[:-1], degree, degree), scaled.dtype)
    companion[..., np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[..., 0, :] = -scaled[..., 1:] / leading
    return np.linalg.eigvals(companion).astype(complex)


_Rows = Float[np.ndarray, "*copies n"]


def _scale(cross: Mapping[int, _Rows], gram: Mapping[int, _Rows]) -> _Rows:
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
    roots = _polynomial_roots(coefficients)
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


def _choose_signs(cross: _Rows) -> _Rows:
    return np.where(cross < 0, -1.0, 1.0)


def _turn(cross: Mapping[int, Float[np.ndarray, "*copies 2 2"]]) -> Float[np.ndarray, "*copies"]:
    """The angle of every plane that brings b closest to a; exact.

    A site of power p is turned by p times the angle, so that the overlap is the trigonometric
    polynomial sum_p (cos(p x) trace_p + sin(p x) twist_p), whose stationary points are roots of a
    polynomial in exp(i x).
    """
    largest = max(abs(p) for p in cross)
    some = next(iter(cross.values()))
    amplitude = np.zeros((*some.shape[:-2], 2 * largest + 1), complex)
    for p, overlap in cross.items():
        trace = overlap[..., 0, 0] + overlap[..., 1, 1]
        # (b_0, b_1) goes to (cos b_0 - sin b_1, sin b_0 + cos b_1).
        twist = overlap[..., 1, 0] - overlap[..., 0, 1]
        amplitude[..., largest + p] += (trace - 1j * twist) / 2
        amplitude[..., largest - p] += (trace + 1j * twist) / 2
    exponents = np.arange(-largest, largest + 1)
    roots = _polynomial_roots((exponents * amplitude)[..., ::-1])
    angles = np.concatenate([np.zeros((*some.shape[:-2], 1)), np.angle(roots)], axis=-1)
    values = (amplitude[..., None, :] * np.exp(1j * angles[..., None] * exponents)).sum(-1).real
    best = np.argmax(values, axis=-1)[..., None]
    return np.take_along_axis(angles, best, axis=-1)[..., 0]


_Square = Float[np.ndarray, "*copies n n"]

_STEPS = 3
"""Largest number of Gauss-Newton steps for one generator before the others have their turn."""


def _polar(cross: _Square) -> _Square:
    """The orthogonal matrix with the largest inner product with ``cross``: its polar factor.

    The orthogonal Procrustes problem (Schoenemann 1966); exact.
    """
    left, _, right = np.linalg.svd(cross)
    return left @ right


def _invertible(cross: Mapping[int, _Square], gram: Mapping[int, _Square]) -> _Square:
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
        _invert_one(*({p: part[p][i] for p in part} for part in flat))
        for i in range(int(np.prod(some.shape[:-2])))
    ]
    return np.array(copies).reshape(some.shape)


def _invert_one(cross: dict[int, np.ndarray], gram: dict[int, np.ndarray]) -> np.ndarray:
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
    for _ in range(_STEPS):
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
    size = len(gram[1])
    return (1e-9 * (np.trace(gram[1]) + np.trace(gram[-1])) / size + 1e-30) * np.eye(size)


def solve(generator: Generator, overlap: Overlap) -> np.ndarray:
    """The generator's part that raises the objective most from where b is."""
    if generator.kind == "permutation":
        return assign(overlap.cross[1])
    if generator.kind == "sign":
        return _choose_signs(overlap.cross[1])
    if generator.kind == "orthogonal":
        return _polar(overlap.cross[1])
    if generator.kind == "rotation":
        return _turn(overlap.cross)
    if generator.kind == "scaling":
        return _scale(overlap.cross, overlap.gram)
    return _invertible(overlap.cross, overlap.gram)


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
