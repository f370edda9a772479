"""How an element of the group acts on parameters."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mconn.checks import check_kind
from mconn.errors import StructureError
from mconn.symmetry.group import Generator, Group, Place, Site, check_group
from mconn.trees import leaf_name, named_leaves
from mconn.types import Params

Element = Mapping[str, Any]
"""``{generator name: its part}``, of shape `Generator.shape`.

Unit i of a permuted network is unit ``part[i]`` of the network. A scaling's part is its factors, a
sign's is 1 or -1, a rotation's is angles, and the other kinds' are matrices; all are in the order
of the units before they are permuted.
"""


def act(group: Group, element: Element, params: Params) -> Params:
    """Move a network by an element of its group, which leaves its function unchanged.

    The parameters may be in any container, may be traced, and keep their dtypes; for a stack of
    networks or of elements use ``jax.vmap``.

    Raises:
        StructureError: if the parameters are not those that the group was discovered for, or the
            element lacks a generator; names the leaf or the generator.
    """
    check_fits(group, params)
    check_kind("element", element, Mapping, "build it with identity, random_element or align.match")
    for generator in group.generators:
        if np.shape(element.get(generator.name, ())) != generator.shape:
            raise StructureError(
                f"the element has no {generator.kind} of {generator.size} units for the generator "
                f"'{generator.name}': build elements with identity, random_element or align.match"
            )
    moves: dict[str, list[tuple[Generator, Site]]] = {}
    for generator in in_order(group):
        for site in generator.sites:
            moves.setdefault(site.leaf, []).append((generator, site))

    def move(path: tuple[Any, ...], leaf: Any) -> Any:
        for generator, site in moves.get(leaf_name(path), ()):
            leaf = jnp.asarray(leaf)
            leaf = move_leaf(generator, site, jnp.asarray(element[generator.name]), leaf)
        return leaf

    return jax.tree_util.tree_map_with_path(move, params)


def in_order(group: Group) -> list[Generator]:
    """The generators in the order in which they act.

    Those that are no permutations come first, then the permutations inside a copy, and those of
    the copies last: the parts of an element are in the order of the units before all of this.
    """
    inner = [g for g in group.generators if g.kind != "permutation"]
    outer = [g for g in group.generators if g.kind == "permutation"]
    return inner + sorted(outer, key=lambda generator: -len(generator.fibres))


def namespace(array: Any) -> Any:
    """NumPy for its own arrays, which stay on the host and need no compilation; else JAX's."""
    return np if isinstance(array, np.ndarray) else jnp


def take_along(array: Any, indices: Any, axis: int) -> Any:
    """``take_along_axis``; the indices of a permutation are never out of bounds."""
    if isinstance(array, np.ndarray) and isinstance(indices, np.ndarray):
        return np.take_along_axis(array, indices, axis)
    return jnp.take_along_axis(jnp.asarray(array), jnp.asarray(indices), axis, mode="clip")


def move_leaf(
    generator: Generator, site: Site, part: Array | np.ndarray, leaf: Array | np.ndarray
) -> Any:
    """One leaf after one generator has acted on one site of it; NumPy's arrays stay NumPy's."""
    xp = namespace(leaf)
    view = View(generator, site, np.shape(leaf))
    units = view.read(leaf)
    if generator.kind == "permutation":
        moved = take_along(units, part[..., None], axis=-2)
    elif generator.kind in ("scaling", "sign"):
        moved = units * _factors(part, site.power)[..., None].astype(units.dtype)
    elif generator.kind == "rotation":
        first, second = xp.moveaxis(units, -2, 0)
        angle = (site.power * part)[..., None].astype(units.dtype)
        cosine, sine = xp.cos(angle), xp.sin(angle)
        turned = (cosine * first - sine * second, sine * first + cosine * second)
        moved = xp.stack(turned, axis=-2)
    else:
        is_dual = site.power < 0 and generator.kind == "general linear"
        matrix = xp.linalg.inv(part).swapaxes(-1, -2) if is_dual else part
        precise = {} if xp is np else {"precision": "highest"}
        moved = xp.matmul(matrix.astype(units.dtype), units, **precise)
    return view.write(leaf, moved)


def _factors(part: Any, power: int) -> Any:
    if power == 1:
        return part
    if isinstance(part, np.ndarray):
        return part.astype(np.result_type(part, float)) ** power
    return jnp.asarray(part, jnp.result_type(part, float)) ** power


class View:
    """The units of a site as an array (*copies, units, everything else).

    The leaf is cut at the segments of the site and of its copies, and unfolded into their factors.
    """

    def __init__(self, generator: Generator, site: Site, shape: tuple[int, ...]) -> None:
        places = [*site.fibres, site.place]
        sizes = [*(fibre.size for fibre in generator.fibres), generator.size]
        self.bounds = [slice(0, size) for size in shape]
        self.unfolded: list[int] = []
        self.order = [0] * len(places)
        for axis, length in enumerate(shape):
            here = [i for i, place in enumerate(places) if place.axis == axis]
            span = length
            if here:
                place, size = places[here[0]], sizes[here[0]]
                span = place.outer * size * place.inner
                self.bounds[axis] = slice(place.start, place.start + span)
            done = 1
            for i in sorted(here, key=lambda i: places[i].outer):
                self.unfolded.append(places[i].outer // done)
                self.order[i] = len(self.unfolded)
                self.unfolded.append(sizes[i])
                done = places[i].outer * sizes[i]
            self.unfolded.append(span // done)
        rest = [i for i in range(len(self.unfolded)) if i not in self.order]
        self.permutation = [*self.order, *rest]
        self.folded = tuple(bound.stop - bound.start for bound in self.bounds)
        self.front = tuple(sizes)

    def read(self, leaf: Any) -> Any:
        """The units of the leaf."""
        leaf = leaf if isinstance(leaf, np.ndarray) else jnp.asarray(leaf)
        block = leaf[tuple(self.bounds)]
        units = block.reshape(self.unfolded).transpose(self.permutation)
        return units.reshape(*self.front, math.prod(units.shape) // math.prod(self.front))

    def write(self, leaf: Any, units: Any) -> Any:
        """The leaf with other units."""
        opened = units.reshape([self.unfolded[i] for i in self.permutation])
        block = opened.transpose(np.argsort(self.permutation)).reshape(self.folded)
        # Pieces are joined and not written in place: a chain of jitted in-place updates and
        # gathers of one leaf comes out wrong on the CPU (XLA of JAX 0.10.2).
        bounds = list(self.bounds)
        for axis, (bound, size) in enumerate(zip(self.bounds, np.shape(leaf), strict=True)):
            if (bound.start, bound.stop) != (0, size):
                outside = [slice(0, bound.start), slice(bound.stop, size)]
                before, after = (leaf[(*bounds[:axis], o, *bounds[axis + 1 :])] for o in outside)
                block = namespace(block).concatenate([before, block, after], axis=axis)
                bounds[axis] = slice(0, size)
        return block


def check_fits(group: Group, params: Params) -> None:
    """Refuse parameters on which the group cannot act; names the first leaf at fault."""
    check_group(group)
    shapes = {name: np.shape(leaf) for name, leaf in named_leaves(params).items()}
    for name, shape in group.leaves:
        if shapes.get(name) != shape:
            found = f"has shape {shapes[name]}" if name in shapes else "is missing"
            raise StructureError(
                f"leaf '{name}' {found}, but the symmetry was discovered with shape {shape}: "
                "discover it again for this network"
            )
    for generator in group.generators:
        for site in generator.sites:
            for place, size in [
                (site.place, generator.size),
                *zip(site.fibres, [fibre.size for fibre in generator.fibres], strict=False),
            ]:
                _check_place(generator, site.leaf, place, size, shapes.get(site.leaf, ()))


def _check_place(
    generator: Generator, leaf: str, place: Place, size: int, shape: tuple[int, ...]
) -> None:
    end = place.start + place.outer * size * place.inner
    if place.axis >= len(shape) or shape[place.axis] < end:
        raise StructureError(
            f"leaf '{leaf}' of shape {shape} has no {end} entries along axis "
            f"{place.axis} for the generator '{generator.name}': the parameters are of "
            "another network"
        )
