"""Elements of the group as pytrees: identity, random ones, products, inverses, exponentials.

An element acts by A = A_m ... A_1, one factor per generator, those inside a copy before those that
move the copies. A product of two elements is brought back to this order by moving every factor past
those that come later, which permutes the copies and units that its part is written for: the group
is an iterated semidirect product.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from mconn.errors import SymmetryError
from mconn.symmetry.action import Element, in_order, namespace, take_along
from mconn.symmetry.group import Generator, Group, check_group
from mconn.types import Key

Tangent = Mapping[str, Any]
"""``{generator name: array}`` for the generators of a continuous kind: logarithms of factors,
angles, or matrices (antisymmetric ones where the group is orthogonal)."""

CONTINUOUS = ("scaling", "rotation", "orthogonal", "general linear")


def identity(group: Group) -> dict[str, Array]:
    """The element that changes nothing."""
    return {name: jnp.asarray(part) for name, part in identity_on_host(group).items()}


def identity_on_host(group: Group) -> dict[str, np.ndarray]:
    """The identity as arrays of NumPy, for which nothing is compiled."""
    check_group(group)
    return {generator.name: identity_part(generator) for generator in group.generators}


def identity_part(generator: Generator) -> np.ndarray:
    """The part of the identity, on the host."""
    if generator.kind == "permutation":
        return np.broadcast_to(np.arange(generator.size), generator.shape)
    if generator.kind == "rotation":
        return np.zeros(generator.shape)
    if generator.kind in ("scaling", "sign"):
        return np.ones(generator.shape)
    return np.broadcast_to(np.eye(generator.size), generator.shape)


def random_element(group: Group, key: Key) -> dict[str, Array]:
    """A random element.

    Permutations, signs, angles and orthogonal matrices are uniform; factors are log-normal with a
    standard deviation of a half, and so are the singular values of the other matrices.
    """
    check_group(group)
    keys = jax.random.split(key, max(1, len(group.generators)))
    return {
        generator.name: _random_part(generator, keys[i])
        for i, generator in enumerate(group.generators)
    }


def _random_part(generator: Generator, key: Key) -> Array:
    shape, copies = generator.shape, generator.shape[: len(generator.fibres)]
    if generator.kind == "permutation":
        ranks = jax.random.uniform(key, shape)
        return jnp.argsort(ranks, axis=-1)
    if generator.kind == "sign":
        return jax.random.rademacher(key, shape, jnp.result_type(float))
    if generator.kind == "rotation":
        return jax.random.uniform(key, shape, minval=-jnp.pi, maxval=jnp.pi)
    if generator.kind == "scaling":
        return jnp.exp(0.5 * jax.random.normal(key, shape))
    left, right, middle = jax.random.split(key, 3)
    rotation = jax.random.orthogonal(left, generator.size, copies)
    if generator.kind == "orthogonal":
        return rotation
    factors = jnp.exp(0.5 * jax.random.normal(middle, (*copies, 1, generator.size)))
    return rotation * factors @ jax.random.orthogonal(right, generator.size, copies)


def compose(group: Group, after: Element, before: Element) -> dict[str, Array]:
    """The element that acts like ``before``, and then like ``after``."""
    check_group(group)
    first = {name: jnp.asarray(before[name]) for name in group.sizes}
    return {
        g.name: followed_by(group, first, g, jnp.asarray(after[g.name])) for g in group.generators
    }


def followed_by(group: Group, element: Element, generator: Generator, part: Any) -> Any:
    """The generator's part of the element that acts like ``element`` and then like ``part``.

    The other parts stay. What is on the host stays there.
    """
    for later in reversed(_movers(group, generator)):
        undone = _inverse_part(later, element[later.name])
        part = _permuted(generator, part, later, undone)
    return multiplied(generator, part, element[generator.name])


def inverse(group: Group, element: Element) -> dict[str, Array]:
    """The element that undoes ``element``."""
    check_group(group)
    undone = {}
    for generator in group.generators:
        part = _inverse_part(generator, jnp.asarray(element[generator.name]))
        for later in _movers(group, generator):
            part = _permuted(generator, part, later, jnp.asarray(element[later.name]))
        undone[generator.name] = part
    return undone


def relative(group: Group, first: Element, second: Element) -> dict[str, np.ndarray]:
    """The element first^-1 second, on the host: second's factors, then first's undone backwards."""
    element = {name: np.asarray(second[name]) for name in group.sizes}
    for generator in reversed(in_order(group)):
        undone = _inverse_part(generator, np.asarray(first[generator.name]))
        element[generator.name] = followed_by(group, element, generator, undone)
    return element


def _movers(group: Group, generator: Generator) -> list[Generator]:
    names = {generator.moved_by, *(fibre.name for fibre in generator.fibres if fibre.moves)}
    return [each for each in in_order(group) if each.name in names]


def _permuted(generator: Generator, part: Any, mover: Generator, permutation: Any) -> Any:
    """The part in the order that its units and copies have after they were permuted.

    The axes of a part are its copies and its units; the mover's copies are among them.
    """
    axes = [*(fibre.name for fibre in generator.fibres), generator.moved_by]
    place = axes.index(mover.name)
    front = [axes.index(fibre.name) for fibre in mover.fibres] + [place]
    order = front + [i for i in range(part.ndim) if i not in front]
    opened = part.transpose(order)
    index = permutation.reshape(permutation.shape + (1,) * (part.ndim - permutation.ndim))
    moved = take_along(opened, index, axis=len(front) - 1)
    return moved.transpose(np.argsort(order))


def multiplied(generator: Generator, after: Any, before: Any) -> Any:
    """The part of a product."""
    if generator.kind == "permutation":
        return take_along(before, after, axis=-1)
    if generator.kind == "rotation":
        return after + before
    if generator.kind in ("scaling", "sign"):
        return after * before
    if isinstance(before, np.ndarray):
        return after @ before
    return jnp.matmul(after, before, precision="highest")


def _inverse_part(generator: Generator, part: Any) -> Any:
    xp = namespace(part)
    if generator.kind == "permutation":
        return xp.argsort(part, axis=-1)
    if generator.kind == "rotation":
        return -part
    if generator.kind == "orthogonal":
        return part.swapaxes(-1, -2)
    return xp.linalg.inv(part) if generator.kind == "general linear" else 1 / part


def random_tangent(group: Group, key: Key) -> dict[str, Array]:
    """A vector of the Lie algebra with normal entries."""
    check_group(group)
    moving = [generator for generator in group.generators if generator.kind in CONTINUOUS]
    keys = jax.random.split(key, max(1, len(moving)))
    tangent = {g.name: jax.random.normal(keys[i], g.shape) for i, g in enumerate(moving)}
    for generator in moving:
        if generator.kind == "orthogonal":
            entries = tangent[generator.name]
            tangent[generator.name] = (entries - entries.swapaxes(-1, -2)) / 2**0.5
    return tangent


def exp(group: Group, tangent: Tangent) -> dict[str, Array]:
    """The exponential of a tangent, in the identity's connected component.

    Generators that the tangent leaves out stay still. The exponential of t times a tangent, for t
    from 0 to 1, is a path of networks with one and the same function (Zhao et al. 2025,
    arXiv:2505.23681, section 5).
    """
    element = identity(group)
    for generator in group.generators:
        if generator.name in tangent:
            part = jnp.asarray(tangent[generator.name])
            if generator.kind == "scaling":
                part = jnp.exp(part)
            elif generator.kind in ("orthogonal", "general linear"):
                part = _matrix_exponential(part)
            element[generator.name] = part
    return element


def log(group: Group, element: Element) -> dict[str, Array]:
    """The tangent whose exponential the element is: its principal real logarithm.

    Under ``jit`` an element that has none gives NaN.

    Raises:
        SymmetryError: naming the generator, if the element is not in the identity's connected
            component, or has no real logarithm (a matrix with a negative eigenvalue).
    """
    check_group(group)
    tangent, is_outside = {}, jnp.asarray(False)
    for generator in group.generators:
        part = jnp.asarray(element[generator.name])
        if generator.kind in CONTINUOUS:
            tangent[generator.name] = _log_part(generator, part)
            is_wrong = jnp.isnan(tangent[generator.name]).any()
        else:
            is_wrong = (part != jnp.asarray(identity_part(generator))).any()
        if not isinstance(is_wrong, Tracer) and bool(is_wrong):
            raise SymmetryError(
                f"the {generator.kind} of '{generator.name}' has no real logarithm: no arc of the "
                "group leads to it from the identity; choose another element"
            )
        is_outside |= is_wrong
    return {name: jnp.where(is_outside, jnp.nan, part) for name, part in tangent.items()}


def _log_part(generator: Generator, part: Array) -> Array:
    if generator.kind == "rotation":
        return part
    if generator.kind == "scaling":
        return jnp.log(part)
    return _matrix_logarithm(part)


def lift(group: Group, element: Element) -> dict[str, Array]:
    """The element of the whole group that an element of a subgroup is.

    The subgroup comes from `Group.restricted` or `permutations`: a generator may be missing,
    may be a permutation instead of a matrix, and may do the same to all copies.
    """
    whole = identity(group)
    for generator in group.generators:
        if generator.name in element:
            part = jnp.asarray(element[generator.name])
            if generator.kind != "permutation" and jnp.issubdtype(part.dtype, jnp.integer):
                part = whole[generator.name][(0,) * len(generator.fibres)][part]
            whole[generator.name] = jnp.broadcast_to(part, generator.shape)
    return whole


ROOTS = 6
"""Square roots that are taken before the logarithm's rational approximation is used."""

STEPS = 14
"""Newton steps for a square root: they converge quadratically."""

NODES = 8
"""Points of the quadrature of the logarithm near the identity."""


def _matrix_exponential(matrices: Float[Array, "*stack n n"]) -> Float[Array, "*stack n n"]:
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    return jax.vmap(jax.scipy.linalg.expm)(flat).reshape(matrices.shape)


def _matrix_logarithm(matrices: Float[Array, "*stack n n"]) -> Float[Array, "*stack n n"]:
    """The principal logarithm of every matrix; NaN where there is no real one.

    Inverse scaling and squaring (Higham 2008, *Functions of Matrices*, chapter 11): log A is
    2^k log of the 2^k-th root of A, near the identity an integral with a rational integrand. The
    result is kept if its exponential is the matrix again.
    """
    identity = jnp.broadcast_to(jnp.eye(matrices.shape[-1], dtype=matrices.dtype), matrices.shape)
    root = jax.lax.fori_loop(0, ROOTS, lambda _, matrix: _square_root(matrix, identity), matrices)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    step = root - identity
    # log(1 + x) is the integral of x / (1 + s x) over s from 0 to 1.
    near = sum(
        0.5 * weight * jnp.linalg.solve(identity + 0.5 * (1 + node) * step, step)
        for node, weight in zip(nodes, weights, strict=True)
    )
    found = jnp.asarray(2**ROOTS * near)
    size = jnp.max(jnp.abs(matrices), axis=(-1, -2))
    error = jnp.max(jnp.abs(_matrix_exponential(found) - matrices), axis=(-1, -2)) / size
    is_right = error < jnp.finfo(matrices.dtype).eps ** 0.5
    return jnp.where(is_right[..., None, None], found, jnp.nan)


def _square_root(
    matrix: Float[Array, "*stack n n"], identity: Float[Array, "*stack n n"]
) -> Float[Array, "*stack n n"]:

    def step(_: Any, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        root, inverse = pair
        return 0.5 * (root + jnp.linalg.inv(inverse)), 0.5 * (inverse + jnp.linalg.inv(root))

    return jax.lax.fori_loop(0, STEPS, step, (matrix, identity))[0]
