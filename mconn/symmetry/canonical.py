"""A normal form for the continuous part of a group: one set of parameters for every orbit.

The shortest parameters of a closed orbit are unique up to the orthogonal maps in the group (Kempf
and Ness 1979, "The length of vectors in representation spaces"); scalings and invertible matrices
bring the parameters there, one generator after the other (`balanced`). For the scalings of a ReLU
network this is the equi-normalisation of Stock et al. (2019, arXiv:1902.10416), for matrices the
balancing of linear systems (Laub et al. 1987). Then the axes of the units are turned to the
principal ones of their weights, and signs and angles are fixed (`turned`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.symmetry.action import View, act, check_fits, move_leaf
from mconn.symmetry.elements import identity, multiplied
from mconn.symmetry.group import Generator, Group, Site
from mconn.trees import leaf_name, named_leaves
from mconn.types import Params

Arrays = dict[str, Array]
Scalar = Float[Array, ""]

TURNING = ("orthogonal", "general linear", "rotation")
SWEEPS = 1000
TOLERANCE = 64  # epsilons of the dtype: how far from balanced the last sweep may find the leaves
PERIOD = 8  # sweeps, after which the relaxation is chosen anew

matmul = partial(jnp.matmul, precision="highest")


def canonical(group: Group, params: Params) -> Params:
    """The normal form of a network under the continuous part of its group.

    Networks that differ by scalings, rotations, orthogonal and invertible matrices have the same
    normal form, up to rounding. Permutations and signs are left alone: the normal form of a
    permuted network is the permuted normal form. What the generators see to:

    - scaling: the sum of squares is as small as it can be, which balances what goes into a unit
      with what comes out. Where all sites have powers of one sign, as weights before a normaliser
      do, every unit has norm 1 (in general the squares times the sizes of their powers add to 1).
    - general linear: the Gram matrices of both sides are equal; that of all sites, see orthogonal.
    - orthogonal: the Gram matrix of all sites is diagonal and descending.
    - rotation: the sum over a pair's weights z = x + iy of z |z|^2 is positive.

    The signs that matrices leave open make the sum of cubes of each unit's weights positive. These
    sums are over the leaves on which no such choice is open any more.

    An orbit that is not closed has no shortest parameters. A dead unit, all zero on one side, keeps
    its scale, and the rest is balanced as if the other side were zero too. So it is with the dead
    directions among the units of a matrix, as in a linear layer wider than its input or output:
    the result is of the orbit, but no normal form. Nor is it unique where eigenvalues of a Gram
    matrix, or the two parts of a sum that fixes a sign, agree up to rounding.

    Args:
        group: the group, from :func:`mconn.symmetry.discover`.
        params: the network; may be traced. For a stack of networks use ``jax.vmap``.

    Raises:
        StructureError: if the parameters are not those that the group was discovered for.
    """
    check_fits(group, params)
    moved = _normal(group, params)[1]
    return jax.tree_util.tree_map_with_path(lambda p, leaf: moved.get(leaf_name(p), leaf), params)


def canonical_element(group: Group, params: Params) -> Arrays:
    """The element that moves a network to its normal form, see `canonical`.

    Its continuous parts are in single precision, or in double if a leaf is.
    """
    check_fits(group, params)
    return identity(group) | _normal(group, params)[0]


def _normal(group: Group, params: Params) -> tuple[Arrays, Arrays]:
    generators = tuple(g for g in group.generators if g.kind != "permutation" and g.sites)
    touched = {site.leaf for generator in generators for site in generator.sites}
    leaves = {name: leaf for name, leaf in named_leaves(params).items() if name in touched}
    return _compiled(Group(generators), leaves)


@partial(jax.jit, static_argnums=0)
def _compiled(group: Group, params: Arrays) -> tuple[Arrays, Arrays]:
    dtype = jnp.finfo(jnp.result_type(jnp.float32, *params.values())).dtype
    wide = {k: jnp.asarray(leaf, jnp.result_type(leaf, dtype)) for k, leaf in params.items()}
    element = {name: part.astype(dtype) for name, part in identity(group).items()}
    element = balanced(group.generators, wide, element).element
    element = _turned(group.generators, act(group, element, wide), element)
    return element, act(group, element, params)


class _Balance(NamedTuple):
    """The state of `balanced`.

    Attributes:
        leaves: what the element makes of the leaves, with zeros on the other side of what is dead.
        element: the product of all steps.
        change: how far from balanced the last sweep found the leaves.
        reference: the same, when the relaxation was chosen.
        relaxation: the exponent of the steps.
        sweeps: how many sweeps there were.
    """

    leaves: Arrays
    element: Arrays
    change: Scalar
    reference: Scalar
    relaxation: Scalar
    sweeps: Array


def balanced(generators: Sequence[Generator], leaves: Arrays, element: Arrays) -> _Balance:
    """The shortest parameters: block coordinate descent over scalings and invertible matrices.

    The sum of squares is convex in the logarithms of the factors, and along the geodesics of the
    matrices; a block has its minimum in closed form. In a deep network what scales whole layers
    converges slowly, as in Gauss-Seidel's method for a chain: the steps are over-relaxed.
    """
    steps = {"scaling": _scaled, "general linear": _transformed}
    blocks = [generator for generator in generators if generator.kind in steps]
    dtype = element[blocks[0].name].dtype if blocks else jnp.float32

    def sweep(state: _Balance) -> _Balance:
        leaves, element, change = state.leaves, dict(state.element), jnp.zeros((), dtype)
        for generator in blocks:
            # Weights from units to the same units, in a recurrent network, are moved on two axes:
            # the best steps for each would overshoot together.
            axes = {(site.leaf, site.axis) for site in generator.sites}
            relaxation = state.relaxation / max(Counter(leaf for leaf, _ in axes).values())
            leaves, part, found = steps[generator.kind](generator, leaves, relaxation)
            element[generator.name] = multiplied(generator, part, element[generator.name])
            change = jnp.maximum(change, found)
        is_time = (state.sweeps + 1) % PERIOD == 0
        chosen = _relaxed(state.relaxation, change / state.reference)
        reference = jnp.where(is_time, change, state.reference)
        relaxation = jnp.where(is_time & (state.sweeps >= PERIOD), chosen, state.relaxation)
        return _Balance(leaves, element, change, reference, relaxation, state.sweeps + 1)

    def is_unfinished(state: _Balance) -> Array:
        return (state.change > TOLERANCE * jnp.finfo(dtype).eps) & (state.sweeps < SWEEPS)

    one = jnp.ones((), dtype)
    start = _Balance(leaves, element, one, one, one, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(is_unfinished, sweep, start) if blocks else start


def _relaxed(relaxation: Scalar, decrease: Scalar) -> Scalar:
    rate = jnp.clip(decrease ** (1 / PERIOD), jnp.maximum(relaxation - 1, 1e-3), 1)
    jacobi = (rate + relaxation - 1) ** 2 / (rate * relaxation**2)
    return 2 / (1 + jnp.sqrt(1 - jnp.clip(jacobi, 0, 0.995)))


def _scaled(
    generator: Generator, leaves: Arrays, relaxation: Scalar
) -> tuple[Arrays, Float[Array, "*copies units"], Scalar]:
    """The leaves after one step of a scaling, the step, and the largest logarithm it asked for.

    The derivative of sum_p t^(2p) A_p by log t is zero where the terms with p > 0 are as large as
    those with p < 0. The step goes from the one logarithm to the other with the steepest slope that
    there can be: it is exact if each sign has one power, and never too long. If all powers have one
    sign, the sum less 2 log t is minimised, which keeps the joint problem convex.
    """
    logs, steepest = [], 0
    for sign in (1, -1):
        sites = [site for site in generator.sites if site.power * sign > 0]
        squares = [abs(s.power) * jnp.square(_units(generator, s, leaves)).sum(-1) for s in sites]
        logs.append(jnp.log(sum(squares)) if sites else 0.0)
        steepest += 2 * max((abs(site.power) for site in sites), default=0)
    is_alive = jnp.isfinite(logs[0]) & jnp.isfinite(logs[1])
    step = jnp.where(is_alive, (logs[1] - logs[0]) / steepest, 0)
    factor = jnp.exp(relaxation * step)

    def move(site: Site, values: Array) -> Array:
        return values * jnp.where(is_alive, factor**site.power, 0)[..., None]

    return _mapped(generator, leaves, move), factor, jnp.abs(step).max()


def _transformed(
    generator: Generator, leaves: Arrays, relaxation: Scalar
) -> tuple[Arrays, Float[Array, "*copies units units"], Scalar]:
    """The leaves after one step of a matrix g, the step, and how unequal both sides were.

    The square-root algorithm: with the Gram matrices A A^T of the sites that g acts on and B B^T of
    those that its inverse transpose h acts on, and B^T A = P S Q^T, both become S for
    g = S^(-1/2) P^T B^T and h = S^(-1/2) Q^T A^T. Where S is zero, directions are dead.
    """
    plus, minus = ([s for s in generator.sites if s.power * sign > 0] for sign in (1, -1))
    a, b = triangle(generator, plus, leaves), triangle(generator, minus, leaves)
    one = jnp.eye(generator.size, dtype=a.dtype)
    squares = [jnp.square(x).sum((-2, -1), keepdims=True) for x in (a, b)]
    unequal = jnp.linalg.norm(matmul(a, a.mT) - matmul(b, b.mT), axis=(-2, -1), keepdims=True)
    p, s, q = jnp.linalg.svd(matmul(b.mT, a))
    smallest = 10 * jnp.finfo(a.dtype).eps * jnp.sqrt(squares[0] * squares[1])
    is_alive, root = s[..., None] > smallest, jnp.sqrt(_safe(s[..., None]))
    g = jnp.where(is_alive, matmul(p.mT, b.mT) / root, 0)
    h = jnp.where(is_alive, matmul(q, a.mT) / root, 0)
    # g is completed by vectors orthogonal to h, as close to the present axes as Gram and Schmidt's.
    length = _safe(jnp.linalg.norm(h, axis=-1, keepdims=True))
    basis, remainder = jnp.linalg.qr(jnp.where(is_alive, h / length, one).mT)
    sign = jnp.where(jnp.diagonal(remainder, axis1=-2, axis2=-1) < 0, -1, 1)[..., None]
    complete = jnp.where(is_alive, g, basis.mT * sign)
    # Only the symmetric factor of g = (g g^T)^(1/2) turn is long or short, and relaxed.
    lengths, axes = jnp.linalg.eigh(matmul(g, g.mT) + jnp.where(is_alive, 0, one))
    power = _safe(lengths)[..., None, :] ** ((relaxation - 1) / 2)
    longer, shorter = (matmul(axes * x, axes.mT) for x in (power, 1 / power))
    maps = {True: matmul(longer, g), False: matmul(shorter, h)}
    moved = _mapped(generator, leaves, lambda site, values: matmul(maps[site.power > 0], values))
    return moved, matmul(longer, complete), (unequal / _safe(squares[0] + squares[1])).max()


def _turned(generators: Sequence[Generator], leaves: Arrays, element: Arrays) -> Arrays:
    element, leaves = dict(element), dict(leaves)
    turning = [g for g in generators if g.kind in TURNING]
    for generator in [g for g in turning if g.kind != "rotation"]:
        turn = jnp.linalg.svd(triangle(generator, generator.sites, leaves))[0].mT
        leaves = _mapped(generator, leaves, lambda _, x, turn=turn: matmul(turn, x))
        element[generator.name] = matmul(turn, element[generator.name])
    signs = [generator for generator in generators if generator.kind == "sign"]
    for generator, sites in _in_reach(turning, signs):
        if generator.kind == "rotation":
            lowest = min(abs(site.power) for site in sites)
            sites = [site for site in sites if abs(site.power) == lowest]
            pairs = [(_units(generator, s, leaves), 1j * s.power / lowest) for s in sites]
            z = jnp.concatenate([pair[..., 0, :] + i * pair[..., 1, :] for pair, i in pairs], -1)
            z = z / _safe(jnp.abs(z).max(-1, keepdims=True))
            part = -jnp.angle((z * jnp.abs(z) ** 2).sum(-1)) / lowest
            for site in generator.sites:
                leaves[site.leaf] = move_leaf(generator, site, part, leaves[site.leaf])
            element[generator.name] = element[generator.name] + part
        else:
            weights = jnp.concatenate([_units(generator, site, leaves) for site in sites], -1)
            weights = weights / _safe(jnp.abs(weights).max(-1, keepdims=True))
            part = jnp.where((weights**3).sum(-1) < 0, -1, 1)[..., None]
            leaves = _mapped(generator, leaves, lambda _, x, part=part: part * x)
            element[generator.name] = part * element[generator.name]
    return element


def _in_reach(
    turning: Iterable[Generator], signs: Sequence[Generator]
) -> Iterable[tuple[Generator, list[Site]]]:
    """The generators in an order in which signs can be fixed, each with the sites to look at.

    The sign of a weight between two layers is known when that of one of the two is. If there is a
    choice, sites are taken that no discrete sign changes.
    """
    waiting = list(turning)
    discrete = Counter(leaf for g in signs for leaf in {site.leaf for site in g.sites})
    while waiting:
        axes = {(g.name, site.leaf, site.axis) for g in waiting for site in g.sites}
        undecided = Counter(leaf for _, leaf, _ in axes)
        rank = {leaf: (undecided[leaf], discrete[leaf]) for leaf in undecided}
        chosen = min(waiting, key=lambda g: min(rank[site.leaf] for site in g.sites))
        fewest = min(rank[site.leaf] for site in chosen.sites)
        yield chosen, [site for site in chosen.sites if rank[site.leaf] == fewest]
        waiting.remove(chosen)


def _units(generator: Generator, site: Site, leaves: Arrays) -> Float[Array, "..."]:
    values = View(generator, site, leaves[site.leaf].shape).read(leaves[site.leaf])
    numbers = (values.real, values.imag) if jnp.iscomplexobj(values) else (values,)
    return jnp.concatenate(numbers, -1)


def _mapped(generator: Generator, leaves: Arrays, function: Callable[..., Array]) -> Arrays:
    leaves = dict(leaves)
    for site in generator.sites:
        view = View(generator, site, leaves[site.leaf].shape)
        moved = function(site, view.read(leaves[site.leaf]))
        leaves[site.leaf] = view.write(leaves[site.leaf], moved)
    return leaves


def triangle(
    generator: Generator, sites: Sequence[Site], leaves: Arrays
) -> Float[Array, "*copies units units"]:
    """A square root A of the Gram matrix A A^T of all sites, without the rounding of squares."""
    dtype = jnp.result_type(*(leaf.real for leaf in leaves.values()))
    weights = [jnp.zeros(generator.shape, dtype)]
    weights += [_units(generator, site, leaves) for site in sites]
    return jnp.linalg.qr(jnp.concatenate(weights, -1).mT, mode="r").mT


def _safe(values: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.where(values > 0, values, 1)
