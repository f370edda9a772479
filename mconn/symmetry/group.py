"""The group: its generators, its elements as pytrees, and their action on parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from mconn.errors import StructureError
from mconn.trees import leaf_name, named_leaves
from mconn.types import Key, Params

Element = Mapping[str, Any]
"""``{generator name: permutation}``: unit i of the result is unit ``element[name][i]`` of the
argument."""


@dataclass(frozen=True)
class Site:
    """Where a generator acts: a segment of an axis of a leaf.

    The segment begins at entry ``start`` of the axis and holds ``outer * size * inner`` entries, in
    C order; the generator permutes the middle factor. A plain axis has start 0, outer and inner 1.
    """

    leaf: str
    axis: int
    start: int = 0
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True)
class Value:
    """Where a generator's axis appears inside the model: a segment of an axis of a traced value.

    ``number`` and ``primitive`` tell which value of the traced program it is; the segment is as in
    `Site`. ``moment`` is "after" for the operand of a contraction that sums over the generator's
    axis, and "before" for the value that the nonlinearity which makes this operand is applied to
    (the same value, if there is none).
    """

    number: int
    primitive: str
    axis: int
    start: int
    outer: int
    inner: int
    moment: str


@dataclass(frozen=True)
class Generator:
    """All permutations of ``size`` units, acting on every site at once."""

    name: str
    size: int
    kind: str
    sites: tuple[Site, ...]
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Pin:
    """A part of a leaf's axis that nothing permutes: how many entries, why, and where."""

    leaf: str
    axis: int
    size: int
    reason: str
    source: str


@dataclass(frozen=True)
class Symmetry:
    """The symmetry group of a network: the product of its generators.

    ``leaves`` are the name and shape of every leaf that the group was discovered for; empty, for a
    hand-written group, means that only the sites themselves are checked.
    """

    generators: tuple[Generator, ...]
    pinned: tuple[Pin, ...] = ()
    leaves: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __getitem__(self, name: str) -> Generator:
        """The generator of that name."""
        for generator in self.generators:
            if generator.name == name:
                return generator
        names = ", ".join(generator.name for generator in self.generators) or "none"
        raise KeyError(f"no generator is named '{name}': there are {names}")

    @property
    def sizes(self) -> dict[str, int]:
        """The number of units of every generator."""
        return {generator.name: generator.size for generator in self.generators}

    @property
    def log_order(self) -> float:
        """The natural logarithm of how many elements the group has: the sum of log n! over n units.

        ``log_order / math.log(10)`` is the power of ten: 512 units have about 10^1166 permutations.
        """
        return math.fsum(math.lgamma(generator.size + 1) for generator in self.generators)

    def describe(self) -> str:
        """A text of one block per generator, then what is pinned, by reason.

        Of the axes that are pinned for one reason the first few are named; ``pinned`` has them all.
        """
        order = f"order 10^{self.log_order / math.log(10):.2f}"
        lines = [f"{counted(len(self.generators), 'generator')}, {order}"]
        for generator in self.generators:
            lines.append(f"  {generator.name}: {generator.kind} of {generator.size}")
            lines += [f"    {describe_site(site)}" for site in generator.sites]
            lines += [
                f"    {value.moment} the nonlinearity: axis {value.axis} of a {value.primitive}"
                for value in generator.values
            ]
        lines += ["pinned"] if self.pinned else []
        by_reason: dict[str, list[Pin]] = {}
        for pin in self.pinned:
            by_reason.setdefault(pin.reason, []).append(pin)
        for reason, pins in by_reason.items():
            lines.append(f"  {reason}: {counted(len(pins), 'axis', 'axes')}")
            lines += [f"    {describe_pin(pin)}" for pin in pins[:SHOWN_PINS]]
            lines += [f"    and {len(pins) - SHOWN_PINS} more"] if len(pins) > SHOWN_PINS else []
        return "\n".join(lines)


SHOWN_PINS = 3
"""How many of the axes that are pinned for one reason a description names."""


def counted(number: int, one: str, many: str = "") -> str:
    """``1 generator``, ``2 generators``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def describe_pin(pin: Pin) -> str:
    """``Dense_0/kernel axis 0 (64), at MLP/Dense_0``."""
    return f"{pin.leaf} axis {pin.axis} ({pin.size}){f', at {pin.source}' if pin.source else ''}"


def describe_site(site: Site) -> str:
    """``Dense_1/kernel axis 0``, with the segment where it is not the whole axis."""
    plain = (site.start, site.outer, site.inner) == (0, 1, 1)
    segment = "" if plain else f" from {site.start}, {site.outer} x units x {site.inner}"
    return f"{site.leaf} axis {site.axis}{segment}"


def identity(symmetry: Symmetry) -> dict[str, Int[Array, "size"]]:
    """The element that changes nothing."""
    return {name: jnp.arange(size) for name, size in symmetry.sizes.items()}


def random_element(symmetry: Symmetry, key: Key) -> dict[str, Int[Array, "size"]]:
    """An element drawn uniformly."""
    keys = jax.random.split(key, max(1, len(symmetry.generators)))
    return {
        name: jax.random.permutation(keys[i], size)
        for i, (name, size) in enumerate(symmetry.sizes.items())
    }


def compose(symmetry: Symmetry, after: Element, before: Element) -> dict[str, Int[Array, "size"]]:
    """The element that acts like ``before``, and then like ``after``."""
    return {name: jnp.asarray(before[name])[after[name]] for name in symmetry.sizes}


def inverse(symmetry: Symmetry, element: Element) -> dict[str, Int[Array, "size"]]:
    """The element that undoes ``element``."""
    return {name: jnp.argsort(element[name]) for name in symmetry.sizes}


def act(symmetry: Symmetry, element: Element, params: Params) -> Params:
    """Permute the units of a network, which leaves its function unchanged.

    The parameters may be in any container, may be traced, and keep their dtypes; for a stack of
    networks or of elements use ``jax.vmap``.

    Raises:
        StructureError: if the parameters are not those that the group was discovered for, or the
            element lacks a generator; names the leaf or the generator.
    """
    check_fits(symmetry, params)
    leaves = named_leaves(params)
    orders: dict[tuple[str, int], Any] = {}
    for generator in symmetry.generators:
        if np.shape(element.get(generator.name, ())) != (generator.size,):
            raise StructureError(
                f"the element has no permutation of {generator.size} units for the generator "
                f"'{generator.name}': build elements with identity, random_element or align.match"
            )
        permutation = jnp.asarray(element[generator.name])
        for site in generator.sites:
            size = np.shape(leaves[site.leaf])[site.axis]
            order = orders.get((site.leaf, site.axis), jnp.arange(size))
            orders[site.leaf, site.axis] = order + displacements(size, site, permutation)

    def permute(path: tuple[Any, ...], leaf: Any) -> Any:
        name = leaf_name(path)
        for axis in range(np.ndim(leaf)):
            if (name, axis) in orders:
                leaf = jnp.take(leaf, orders[name, axis], axis=axis, mode="clip")
        return leaf

    return jax.tree_util.tree_map_with_path(permute, params)


def displacements(size: int, site: Site, permutation: Int[Array, "units"]) -> Int[Array, "{size}"]:
    """How far each entry of an axis moves; the moves of several sites on one axis add up."""
    units = permutation.shape[0]
    span = site.outer * units * site.inner
    unit = np.arange(span) // site.inner % units
    moves = (permutation[unit] - unit) * site.inner
    return jnp.pad(moves, (site.start, size - site.start - span))


def check_fits(symmetry: Symmetry, params: Params) -> None:
    """Refuse parameters on which the group cannot act; names the first leaf at fault."""
    shapes = {name: np.shape(leaf) for name, leaf in named_leaves(params).items()}
    for name, shape in symmetry.leaves:
        if shapes.get(name) != shape:
            found = f"has shape {shapes[name]}" if name in shapes else "is missing"
            raise StructureError(
                f"leaf '{name}' {found}, but the symmetry was discovered with shape {shape}: "
                "discover it again for this network"
            )
    for generator in symmetry.generators:
        for site in generator.sites:
            end = site.start + site.outer * generator.size * site.inner
            shape = shapes.get(site.leaf, ())
            if site.axis >= len(shape) or shape[site.axis] < end:
                raise StructureError(
                    f"leaf '{site.leaf}' of shape {shape} has no {end} entries along axis "
                    f"{site.axis} for the generator '{generator.name}': the parameters are of "
                    "another network"
                )
