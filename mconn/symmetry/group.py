"""The group as data: its generators, where each of them acts, what nothing moves, and as a text."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, get_args

from mconn.checks import check_choice, check_kind

Kind = Literal["permutation", "sign", "scaling", "rotation", "orthogonal", "general linear"]
"""What a generator does to its units, on every copy of them:

- permutation: puts them in any order;
- sign: multiplies each by 1 or -1;
- scaling: multiplies each by a positive number;
- rotation: turns a plane of two units by an angle;
- orthogonal: any orthogonal map of the units, reflections and permutations included;
- general linear: any invertible map of the units.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Place:
    """A factor of an axis: of the ``outer * size * inner`` entries from ``start``, the middle one.

    The entries are in C order. A plain axis has start 0, outer and inner 1.
    """

    axis: int
    start: int = 0
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True)
class Site:
    """Where a generator acts: a factor of a segment of an axis of a leaf, as in `Place`.

    Attributes:
        leaf: the leaf's name.
        power: the element acts by this power of itself. A scaling by t multiplies the site by
            t ** power, a rotation turns it by power times the angle. A matrix g acts as g where the
            power is 1, and as its inverse transpose where it is -1 (on the other side of a
            contraction).
        fibres: for every fibre of the generator, where its copies lie on this leaf.
        makes: whether the leaf makes the units, shifts or scales them: the output axis of a kernel,
            a bias, the scale of a normaliser.
        reads: whether the network sums over the axis of the leaf against the units: the input axis
            of a kernel. A leaf that is used in both ways, as tied embeddings are, does both; in a
            hand-written group it may do neither, where nothing is known of the network.
    """

    leaf: str
    axis: int
    start: int = 0
    outer: int = 1
    inner: int = 1
    power: int = 1
    fibres: tuple[Place, ...] = ()
    makes: bool = False
    reads: bool = False

    @property
    def place(self) -> Place:
        """The place of the units, without the leaf."""
        return Place(self.axis, self.start, self.outer, self.inner)


@dataclass(frozen=True)
class Fibre:
    """The generator acts on ``size`` copies of its units, on each in its own way.

    ``name`` is that of the permutation that moves the copies, if ``moves``: heads, groups of
    channels and experts are permuted themselves (a wreath product). Otherwise they keep their
    places, as layers under ``scan`` do, and the name only tells which copies are the same.
    """

    name: str
    size: int
    moves: bool = True


@dataclass(frozen=True)
class Value:
    """Where a generator's axis appears inside the model: a segment of an axis of a traced value.

    ``number`` and ``primitive`` tell which value of the traced program it is; the segment is as in
    `Place`. ``moment`` is "after" for the operand of a contraction that sums over the generator's
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
    """A subgroup that acts on every site at once.

    Attributes:
        name: the module that brings the units into the network.
        size: how many units it moves.
        kind: what it does to them; see `Kind`.
        sites: where it acts.
        values: where its units are active inside the network.
        fibres: the copies of the units on each of which it acts in its own way.
        moved_by: the permutation of the same units, for a scaling, sign or rotation of units that
            are permuted as well.
        exact: whether it leaves the function as it is, or only does so but for the epsilon of a
            normaliser.
    """

    name: str
    size: int
    kind: Kind
    sites: tuple[Site, ...]
    values: tuple[Value, ...] = ()
    fibres: tuple[Fibre, ...] = ()
    moved_by: str | None = None
    exact: bool = True

    @property
    def moves_units(self) -> bool:
        """Whether it moves its units among each other, and does not only multiply or turn them."""
        return self.kind in ("permutation", "orthogonal", "general linear")

    @property
    def copies(self) -> int:
        """How many times the generator appears in the group, once for every copy of its units."""
        return math.prod(fibre.size for fibre in self.fibres)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its part of an element.

        For every copy there is a number per unit, a matrix of units, or an angle.
        """
        axes = {"orthogonal": 2, "general linear": 2, "rotation": 0}.get(self.kind, 1)
        return (*(fibre.size for fibre in self.fibres), *(self.size,) * axes)

    @property
    def log_order(self) -> float:
        """The natural logarithm of how many elements it has, if it is discrete; otherwise 0."""
        one = {"permutation": math.lgamma(self.size + 1), "sign": self.size * math.log(2)}
        return self.copies * one.get(self.kind, 0.0)

    @property
    def dimension(self) -> int:
        """The dimension of its Lie algebra."""
        size = self.size
        one = {
            "scaling": size,
            "rotation": 1,
            "orthogonal": size * (size - 1) // 2,
            "general linear": size**2,
        }
        return self.copies * one.get(self.kind, 0)

    @property
    def log_components(self) -> float:
        """The natural logarithm of how many connected components it has.

        A matrix group has two, by the sign of the determinant.
        """
        is_matrix = self.kind in ("orthogonal", "general linear")
        return self.copies * math.log(2) if is_matrix else self.log_order


@dataclass(frozen=True)
class Pin:
    """A part of a leaf's axis that nothing permutes: how many entries, why, and where."""

    leaf: str
    axis: int
    size: int
    reason: str
    source: str


@dataclass(frozen=True)
class Group:
    """The symmetry group of a network, generated by its generators.

    The generators stand in the order in which their units appear in the network. An element acts
    by one after the other: first those that are no permutations, then the permutations, those
    inside a copy before those of the copies.

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
        """The natural logarithm of how many elements the discrete part has.

        It is the sum of log n! over n permuted units and of log 2 over signs, for every copy;
        ``log_order / math.log(10)`` is the power of ten: 512 units have about 10^1166 permutations.
        """
        return math.fsum(generator.log_order for generator in self.generators)

    @property
    def dimension(self) -> int:
        """The dimension of the continuous part, as a manifold."""
        return sum(generator.dimension for generator in self.generators)

    @property
    def log_components(self) -> float:
        """The natural logarithm of how many connected components the group has.

        So many the orbit of parameters has that no element but the identity leaves fixed, as is
        the rule for parameters in general position: a sheet for every discrete element, and two
        for every matrix group (Zhao et al. 2025, arXiv:2505.23681).
        """
        return math.fsum(generator.log_components for generator in self.generators)

    def restricted(self, kinds: Collection[Kind]) -> "Group":
        """The subgroup of these kinds; `lift` takes its elements to the whole group.

        A group of matrices has the permutations of its units inside: they are there if
        "permutation" is among the kinds and the matrix's own kind is not.
        """
        for kind in kinds:
            check_choice("kind", kind, KINDS)
        return replace(
            self, generators=tuple(each for g in self.generators for each in _within(g, kinds))
        )

    def permutations(self) -> "Group":
        """The permutations that do the same to all copies of their units: `permutations`."""
        return permutations(self)

    def describe(self) -> str:
        """A text of one block per generator, then what is pinned, by reason.

        Of the axes that are pinned for one reason the first few are named; ``pinned`` has them all.
        """
        return _describe(self)


def check_group(group: Group) -> None:
    """Refuse what is no group.

    Raises:
        StructureError: naming what was given.
    """
    check_kind("group", group, Group, "make it with symmetry.discover")


def permutations(group: Group) -> Group:
    """The subgroup of the permutations that do the same to all copies of their units."""
    check_group(group)
    subgroup = group.restricted(["permutation"])
    flat = tuple(
        replace(
            generator, fibres=(), sites=tuple(replace(site, fibres=()) for site in generator.sites)
        )
        for generator in subgroup.generators
    )
    return replace(subgroup, generators=flat)


def _within(generator: Generator, kinds: Collection[Kind]) -> list[Generator]:
    if generator.kind in kinds:
        return [generator]
    if generator.kind in ("orthogonal", "general linear") and "permutation" in kinds:
        # A permutation is its own inverse transpose.
        sites = tuple(replace(site, power=1) for site in generator.sites)
        return [replace(generator, kind="permutation", sites=sites)]
    return []


SHOWN_PINS = 3
"""How many of the axes that are pinned for one reason a description names."""


def _describe(group: Group) -> str:
    order = f"discrete part of order 10^{group.log_order / math.log(10):.2f}"
    components = f"10^{group.log_components / math.log(10):.2f} connected components"
    lines = [
        f"{_counted(len(group.generators), 'generator')}, {order}, "
        f"continuous part of dimension {group.dimension}, {components}"
    ]
    for generator in group.generators:
        lines.append(f"  {generator.name}: {describe_kind(generator)}")
        lines += [f"    {describe_site(site, generator)}" for site in generator.sites]
        lines += [
            f"    {value.moment} the nonlinearity: axis {value.axis} of a {value.primitive}"
            for value in generator.values
        ]
    lines += ["pinned"] if group.pinned else []
    by_reason: dict[str, list[Pin]] = {}
    for pin in group.pinned:
        by_reason.setdefault(pin.reason, []).append(pin)
    for reason, pins in by_reason.items():
        lines.append(f"  {reason}: {_counted(len(pins), 'axis', 'axes')}")
        lines += [f"    {_describe_pin(pin)}" for pin in pins[:SHOWN_PINS]]
        lines += [f"    and {len(pins) - SHOWN_PINS} more"] if len(pins) > SHOWN_PINS else []
    return "\n".join(lines)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def describe_kind(generator: Generator) -> str:
    """``permutation of 4 inside each of 2 (query)``."""
    text = f"{generator.kind} of {generator.size}"
    if generator.fibres:
        copies = " x ".join(
            f"{fibre.size} ({fibre.name})" if fibre.moves else f"{fibre.size}"
            for fibre in generator.fibres
        )
        text += f" inside each of {copies}"
    return text if generator.exact else f"{text}, exact up to the epsilon of a normaliser"


def _describe_pin(pin: Pin) -> str:
    return f"{pin.leaf} axis {pin.axis} ({pin.size}){f', at {pin.source}' if pin.source else ''}"


def describe_site(site: Site, generator: Generator | None = None) -> str:
    """``Dense_1/kernel axis 0``, with the segment where it is not the whole axis, and the power."""
    plain = (site.start, site.outer, site.inner) == (0, 1, 1)
    segment = "" if plain else f" from {site.start}, {site.outer} x units x {site.inner}"
    power = "" if site.power == 1 else f", to the power {site.power}"
    if generator is not None and generator.kind == "general linear" and site.power < 0:
        power = ", as the inverse transpose"
    return f"{site.leaf} axis {site.axis}{segment}{power}"
