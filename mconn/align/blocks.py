"""Parameter leaves cut into blocks, in which every axis belongs to one generator or to none.

A generator may act on part of an axis (concatenation), or on one factor of it (flattening). Cut
at the segments and unfolded into the factors, a leaf becomes blocks with plain axes, and
everything that alignment does is one contraction of a block of a with a block of b.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from mconn.symmetry import Element, Symmetry

Leaf = Shaped[Array | np.ndarray, "..."]


@dataclass(frozen=True)
class Block:
    """A part of a leaf with one label per axis.

    Attributes:
        leaf: the leaf's name.
        bounds: (start, stop) on each axis of the leaf.
        shape: the part's shape, axes unfolded into their factors.
        labels: for each axis of ``shape`` the generator that acts on it, or None.
    """

    leaf: str
    bounds: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]
    labels: tuple[str | None, ...]

    def read(self, leaf: Leaf) -> Leaf:
        """The block's values."""
        return leaf[tuple(slice(*bounds) for bounds in self.bounds)].reshape(self.shape)


def cut(symmetry: Symmetry, leaves: dict[str, Any]) -> tuple[Block, ...]:
    """All blocks of all leaves; together they hold every entry once."""
    return tuple(
        block
        for leaf, value in leaves.items()
        for block in _blocks_of_leaf(symmetry, leaf, value.shape)
    )


def _blocks_of_leaf(symmetry: Symmetry, leaf: str, shape: tuple[int, ...]) -> Iterator[Block]:
    segments = [_segments(symmetry, leaf, axis, size) for axis, size in enumerate(shape)]
    for parts in itertools.product(*segments):
        yield Block(
            leaf,
            bounds=tuple(bounds for bounds, _ in parts),
            shape=tuple(size for _, factors in parts for size, _ in factors),
            labels=tuple(label for _, factors in parts for _, label in factors),
        )


def _segments(
    symmetry: Symmetry, leaf: str, axis: int, size: int
) -> list[tuple[tuple[int, int], tuple[tuple[int, str | None], ...]]]:
    """Bounds and (size, label) of the factors of each segment of one axis, in order."""
    segments, end = [], 0
    acting = [
        (site, generator)
        for generator in symmetry.generators
        for site in generator.sites
        if (site.leaf, site.axis) == (leaf, axis)
    ]
    for site, generator in sorted(acting, key=lambda pair: pair[0].start):
        stop = site.start + site.outer * generator.size * site.inner
        if site.start > end:
            segments.append(((end, site.start), ((site.start - end, None),)))
        factors = ((site.outer, None), (generator.size, generator.name), (site.inner, None))
        segments.append(((site.start, stop), factors))
        end = stop
    if end < size:
        segments.append(((end, size), ((size - end, None),)))
    return segments


def compare(
    block: Block,
    a: Leaf,
    b: Leaf,
    position: int | None,
    element: Element,
    unknown: frozenset[str],
) -> Float[Array, "n n"]:
    """Inner products of the units of a with those of b along one axis of a block.

    The other axes of b are moved by ``element``. Axes whose generator is ``unknown`` are sorted
    in both, jointly: by the rearrangement inequality no permutation of them gives more, so that
    the result bounds what any element can reach (optimal transport in one dimension).

    Args:
        block: the block.
        a: the leaf of the first network.
        b: the leaf of the second.
        position: the axis of the block whose units are compared; None for the whole, (1, 1).
        element: the permutation of every known generator.
        unknown: generators to be bounded.
    """
    a, b = jnp.asarray(block.read(a)), jnp.asarray(block.read(b))
    others = [axis for axis in range(a.ndim) if axis != position]
    sorted_axes = [axis for axis in others if block.labels[axis] in unknown]
    summed_axes = [axis for axis in others if axis not in sorted_axes]
    for axis in summed_axes:
        label = block.labels[axis]
        if label is not None:
            b = jnp.take(b, element[label], axis=axis)
    units = 1 if position is None else block.shape[position]
    order = [] if position is None else [position]
    folded = (units, -1, int(np.prod([block.shape[axis] for axis in sorted_axes])))
    a, b = (x.transpose(order + summed_axes + sorted_axes).reshape(folded) for x in (a, b))
    if sorted_axes:
        a, b = jnp.sort(a, axis=-1), jnp.sort(b, axis=-1)
    a, b = a.reshape(units, -1), b.reshape(units, -1)
    return jnp.matmul(a, b.T, precision="highest", preferred_element_type=jnp.float32)
