"""How alike the units of two networks are: one contraction of a leaf of a with a leaf of b.

For a generator that acts on an axis of the leaf, entry (i, j) of the overlap is the inner product
of unit i of a with unit j of b over everything else that the leaf has. Everything here is on the
host: NumPy's products need no compilation, and are as fast as XLA's on a CPU.
"""

import math
from collections.abc import Collection
from typing import TypeVar

import numpy as np
from jaxtyping import Array, Float

from mconn.symmetry import Generator, Site
from mconn.symmetry.action import View, namespace

Leaf = TypeVar("Leaf", np.ndarray, Array)

MOST_PRODUCTS = 64
"""Above this many outer entries one product of copies is cheaper than a product for each."""


def cross(
    generator: Generator, site: Site, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*copies n n"]:
    """Inner products of the units of a with those of b at one site, for every copy."""
    if generator.fibres:
        units_a, units_b = units(generator, site, a), units(generator, site, b)
        return units_a @ units_b.swapaxes(-1, -2)
    a, b = unfolded(generator, site, a), unfolded(generator, site, b)
    outer, size, inner = a.shape
    if inner == 1:
        return a[:, :, 0].T @ b[:, :, 0]
    if outer > MOST_PRODUCTS:
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
    return np.einsum("...r,...r->...", units(generator, site, a), units(generator, site, b))


def between_copies(
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
    units_a = np.moveaxis(units(generator, site, a), place, 0)
    units_b = np.moveaxis(units(generator, site, b), place, 0)
    return units_a[:, None] @ units_b[None].swapaxes(-1, -2)


def units(
    generator: Generator, site: Site, leaf: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*copies n rest"]:
    """The units at one site, with everything else of the leaf behind them."""
    return View(generator, site, leaf.shape).read(leaf)


def unfolded(
    generator: Generator, site: Site, leaf: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "outer n inner"]:
    """The leaf around the units of a site without copies; no copy is made of a whole axis."""
    size = generator.size
    length = site.outer * size * site.inner
    if length != leaf.shape[site.axis]:
        where = [slice(None)] * leaf.ndim
        where[site.axis] = slice(site.start, site.start + length)
        leaf = leaf[tuple(where)]
    before, after = math.prod(leaf.shape[: site.axis]), math.prod(leaf.shape[site.axis + 1 :])
    return leaf.reshape(before * site.outer, size, site.inner * after)


def sorted_along(leaf: Leaf, axes: Collection[int]) -> Leaf:
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


def sorted_last(leaf: Leaf, axes: Collection[int]) -> Leaf:
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
