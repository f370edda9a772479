"""How alike the units of two networks are: one contraction of a leaf of a with a leaf of b.

For a generator that acts on an axis of the leaf, entry (i, j) of the overlap is the inner product
of unit i of a with unit j of b over everything else that the leaf has. Everything here is on the
host: NumPy's products need no compilation, and are as fast as XLA's on a CPU.

Heads, groups and experts that are permuted have symmetries inside, and a unit that is permuted may
change its sign. Two of them are then alike if *some* element inside makes them alike: the matrix of
the assignment is the gain of the best inner solution for every pair, and a permutation and its
inner solutions are one step (Theus et al. 2025 for the heads of a transformer).
"""

import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Array, Float

from mconn.align.cost import Overlap
from mconn.align.solvers import assign, solve
from mconn.symmetry import Generator, Group, Site, View, namespace

_Leaf = TypeVar("_Leaf", np.ndarray, Array)

_MOST_PRODUCTS = 64
"""Above this many outer entries one product of copies is cheaper than a product for each."""


def cross(
    generator: Generator, site: Site, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*copies n n"]:
    """Inner products of the units of a with those of b at one site, for every copy."""
    if generator.fibres:
        units_a, units_b = _units(generator, site, a), _units(generator, site, b)
        return units_a @ units_b.swapaxes(-1, -2)
    a, b = _unfolded(generator, site, a), _unfolded(generator, site, b)
    outer, size, inner = a.shape
    if inner == 1:
        return a[:, :, 0].T @ b[:, :, 0]
    if outer > _MOST_PRODUCTS:
        a, b = (np.moveaxis(x, 1, 0).reshape(size, -1) for x in (a, b))
        return a @ b.T
    total = a[0] @ b[0].T
    for i in range(1, outer):
        total += a[i] @ b[i].T
    return total


def diagonal(
    generator: Generator, site: Site, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*copies n"]:
    """Inner products of every unit of a with the same unit of b at one site."""
    return np.einsum("...r,...r->...", _units(generator, site, a), _units(generator, site, b))


def _between_copies(
    generator: Generator,
    fibre: str,
    site: Site,
    a: Float[np.ndarray, "..."],
    b: Float[np.ndarray, "..."],
) -> Float[np.ndarray, "copies copies *others n n"]:
    """Overlaps of the units of every copy of a with those of every copy of b, along one fibre.

    The other fibres' copies stay together.
    """
    place = [each.name for each in generator.fibres].index(fibre)
    units_a = np.moveaxis(_units(generator, site, a), place, 0)
    units_b = np.moveaxis(_units(generator, site, b), place, 0)
    return units_a[:, None] @ units_b[None].swapaxes(-1, -2)


def _units(
    generator: Generator, site: Site, leaf: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*copies n rest"]:
    return View(generator, site, leaf.shape).read(leaf)


def _unfolded(
    generator: Generator, site: Site, leaf: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "outer n inner"]:
    size = generator.size
    length = site.outer * size * site.inner
    if length != leaf.shape[site.axis]:
        where = [slice(None)] * leaf.ndim
        where[site.axis] = slice(site.start, site.start + length)
        leaf = leaf[tuple(where)]
    before, after = math.prod(leaf.shape[: site.axis]), math.prod(leaf.shape[site.axis + 1 :])
    return leaf.reshape(before * site.outer, size, site.inner * after)


def sorted_along(leaf: _Leaf, axes: Collection[int]) -> _Leaf:
    """The leaf with its entries along some axes sorted, jointly.

    By the rearrangement inequality no permutation of the entries of two sorted vectors has a larger
    inner product: optimal transport in one dimension.
    """
    if not axes:
        return leaf
    kept = [axis for axis in range(leaf.ndim) if axis not in axes]
    order = [*kept, *sorted(axes)]
    opened = [leaf.shape[axis] for axis in order]
    return sorted_last(leaf, axes).reshape(opened).transpose(np.argsort(order))


def sorted_last(leaf: _Leaf, axes: Collection[int]) -> _Leaf:
    """The leaf with some axes joined to a last one, along which its entries are sorted."""
    kept = [axis for axis in range(leaf.ndim) if axis not in axes]
    # NumPy sorts rows that lie in one piece of memory fifty times faster than others.
    moved = leaf.transpose([*kept, *sorted(axes)]).copy()
    joined = moved.reshape(*(leaf.shape[axis] for axis in kept), -1)
    return namespace(leaf).sort(joined, axis=-1)


def norms_along(leaf: Float[np.ndarray, "..."], axes: Collection[int]) -> Float[np.ndarray, "..."]:
    """The norms of the leaf along some axes, which stay with one entry."""
    if not axes:
        return leaf
    return np.sqrt((leaf**2).sum(axis=tuple(sorted(axes)), keepdims=True))


def is_whole_axis(generator: Generator, site: Site, shape: tuple[int, ...]) -> bool:
    """Whether the generator moves all of an axis, entry by entry."""
    return not generator.fibres and shape[site.axis] == generator.size


Step = tuple[Generator, np.ndarray]
"""A generator and the part by which it moves b."""


_Seen = Callable[[Generator, Site, frozenset[str]], tuple[np.ndarray, np.ndarray] | None]
"""What the leaves of a and b at a site look like to a generator while others are unknown."""


def signs_of(group: Group, generator: Generator) -> Generator | None:
    """The generator of the signs of the same units."""
    for each in group.generators:
        if each.kind == "sign" and each.moved_by == generator.name:
            return each
    return None


def inside(group: Group, generator: Generator) -> list[Generator]:
    """The generators inside the copies that a permutation moves, one for the same units."""
    if generator.kind != "permutation" or generator.fibres:
        return []
    found = [
        each
        for each in group.generators
        if any(fibre.name == generator.name and fibre.moves for fibre in each.fibres)
    ]
    names = {each.name for each in found}
    return [each for each in found if each.moved_by not in names]


def _pair_overlaps(
    generator: Generator, inner: Generator, seen: _Seen, unknown: frozenset[str]
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Overlaps of the units inside every copy of a with those inside every copy of b.

    Returns:
        By power, shapes (copies, copies, *others, n, n); and those of b's copies with themselves,
        (copies, *others, n, n), for a general linear group.
    """
    crosses: dict[int, Any] = {}
    grams: dict[int, Any] = {}
    for site in inner.sites:
        leaves = seen(inner, site, unknown)
        if leaves is None:
            continue
        keeps_powers = inner.kind in ("general linear", "scaling", "rotation")
        power = site.power if keeps_powers else 1
        term = _between_copies(inner, generator.name, site, *leaves)
        crosses[power] = crosses.get(power, 0) + term
        if inner.kind in ("general linear", "scaling"):
            own = _between_copies(inner, generator.name, site, leaves[1], leaves[1])
            copies = np.arange(len(own))
            grams[power] = grams.get(power, 0) + own[copies, copies]
    return crosses, grams


def _pair_gains(
    inner: Generator, crosses: dict[int, np.ndarray], grams: dict[int, np.ndarray]
) -> Float[np.ndarray, "copies copies"]:
    """What the best inner element brings for every pair of copies.

    For a general linear group it is the inner product of the two circuits, q_a^T k_a with
    q_b^T k_b, which no change of basis alters.
    """
    if inner.kind == "orthogonal":
        gains = np.linalg.svd(crosses[1], compute_uv=False).sum(axis=-1)
    elif inner.kind == "permutation":
        best = assign(crosses[1])
        gains = np.take_along_axis(crosses[1], best[..., None], axis=-1)[..., 0].sum(axis=-1)
    elif inner.kind == "general linear" and set(crosses) == {1, -1}:
        gains = (crosses[1] * crosses[-1]).sum(axis=(-1, -2))
    elif inner.kind == "sign":
        gains = np.abs(np.diagonal(crosses[1], axis1=-2, axis2=-1)).sum(axis=-1)
    else:
        gains = np.sum([np.trace(each, axis1=-2, axis2=-1) for each in crosses.values()], axis=0)
    return gains.reshape(*gains.shape[:2], -1).sum(axis=-1)


def overlap_of_copies(
    generator: Generator, inner: list[Generator], seen: _Seen, unknown: frozenset[str]
) -> Overlap:
    """The gain of every pair of copies."""
    total = np.zeros((generator.size, generator.size))
    for each in inner:
        crosses, grams = _pair_overlaps(generator, each, seen, unknown)
        if crosses:
            total += _pair_gains(each, crosses, grams)
    covered = {(site.leaf, place) for each in inner for site in each.sites for place in site.fibres}
    for site in generator.sites:
        leaves = seen(generator, site, unknown)
        if (site.leaf, site.place) not in covered and leaves is not None:
            total += cross(generator, site, *leaves)
    return Overlap({1: total}, {})


def steps_inside(
    generator: Generator,
    part: np.ndarray,
    inner: list[Generator],
    seen: _Seen,
    unknown: frozenset[str],
) -> list[Step]:
    """The permutation of the copies, and then the best element inside each."""
    steps = [(generator, part)]
    copies = np.arange(generator.size)
    for each in inner:
        crosses, grams = _pair_overlaps(generator, each, seen, unknown)
        if not crosses:
            continue
        place = [fibre.name for fibre in each.fibres].index(generator.name)
        after = Overlap(
            {p: np.moveaxis(c[copies, part], 0, place) for p, c in crosses.items()},
            {p: np.moveaxis(g[part], 0, place) for p, g in grams.items()},
        )
        if each.kind == "scaling":
            after = Overlap(
                *(
                    {p: np.diagonal(x, axis1=-2, axis2=-1) for p, x in part_of.items()}
                    for part_of in (after.cross, after.gram)
                )
            )
        steps.append((each, solve(each, after)))
    return steps
