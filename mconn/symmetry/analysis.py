"""What the labels and weights say about the parameters, once a program has run on them.

If label B occurs nowhere without label A, in no value and no parameter, what moves B's units may
depend on the index along A: the entries of a head, the channels of a group, the hidden units of an
expert, of a layer under ``scan``. A is a *fibre* of B then. It is not if some equation sums over A
and keeps B, lets the entries along A meet each other, or does so along an axis that is aligned with
A; the rules note this as `Weights.parted` and `Weights.mixed`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from mconn.jaxprs import Equation, Program
from mconn.symmetry.group import Kind, Pin, Place
from mconn.symmetry.interpret import Run
from mconn.symmetry.labels import Labels, Layout, occurrences
from mconn.symmetry.roles import Roles
from mconn.symmetry.solutions import Matrices, solve_matrices
from mconn.symmetry.values import Flow
from mconn.symmetry.weights import Occurrence


class _Copies:
    """Finds the fibres of labels from where they occur in the last run."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.mixed = {labels.index_of(label) for label in labels.weights.mixed}
        self.parted: dict[int, set[int]] = defaultdict(set)
        for label, companion in labels.weights.parted:
            self.parted[labels.index_of(label)].add(labels.index_of(companion))

    def cooccurring(self, label: int, occurrences: Iterable[Occurrence]) -> set[int]:
        """The index sets that come with every one of some occurrences of a label."""
        own = self.labels.index_of(label)
        common: set[int] | None = None
        for occurrence in occurrences:
            counts = Counter(map(self.labels.index_of, occurrence.companions))
            # An index set that a value has twice does not tell which of its entries is meant.
            here = {index for index, count in counts.items() if count == 1 and index != own}
            common = here if common is None else common & here
            if not common:
                return set()
        return (common or set()) - self.parted[own] - self.mixed


def _fibres_of_labels(found: dict[int, set[int]], order: Mapping[int, int]) -> dict[int, set[int]]:
    """The fibres of all free labels, such that those of a fibre are fibres too.

    Args:
        found: what comes with every occurrence of every label.
        order: where each label first appears in the parameters; of two labels that always come
            together, the later one lies inside the earlier one.
    """
    fibres = {
        label: {
            other
            for other in companions
            if not (label in found.get(other, ()) and order[label] < order[other])
        }
        for label, companions in found.items()
    }
    while True:
        after = {label: _closed(companions, fibres) for label, companions in fibres.items()}
        if after == fibres:
            return fibres
        fibres = after


def _closed(companions: set[int], fibres: Mapping[int, set[int]]) -> set[int]:
    """The companions whose own fibres are all among them.

    What moves the copies may itself depend on copies, and these have to be copies here too.
    """
    return {other for other in companions if fibres.get(other, set()) <= companions}


Item = TypeVar("Item")
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Spot:
    """One factor of an axis of a leaf, with its label and its unknown weight.

    ``is_alone`` tells whether the axis is a single segment.
    """

    leaf: str
    place: Place
    size: int
    label: int
    weight: int
    is_alone: bool


@dataclass(frozen=True)
class Analysis:
    """A program with the labels of all its values; the first inputs are the leaves.

    ``runs`` has the layouts of the values, also inside the bodies of loops (`Interpreter`).
    """

    program: Program
    runs: dict[int, Run]
    labels: Labels
    leaves: dict[str, tuple[int, ...]]

    @property
    def equations(self) -> list[Equation]:
        """The equations of the program itself."""
        return self.runs[id(self.program)].equations

    @property
    def layouts(self) -> dict[int, Layout]:
        """The layouts of the values of the program itself, by number."""
        return self.runs[id(self.program)].layouts

    def leaf_layouts(self) -> dict[str, Layout]:
        """The layouts of the leaves, in terms of the labels that there are at the end."""
        return {
            name: tuple(self.labels.resolve(axis) for axis in self.layouts[number])
            for name, number in zip(self.leaves, self.program.inputs, strict=False)
        }

    @cached_property
    def flow(self) -> Flow:
        """Where the labels go inside the network."""
        return Flow(self.program, self.equations, self.labels, self.layouts, list(self.leaves))

    @cached_property
    def roles(self) -> Roles:
        """Which unknowns of leaves make units, and which read them."""
        return Roles(self.runs, self.labels.weights, self.program, len(self.leaves))

    @cached_property
    def spots(self) -> list[Spot]:
        """All factors of all axes of the leaves."""
        return [
            Spot(leaf, Place(axis, start, outer, inner), atom.size, label, weight, len(sums) == 1)
            for leaf, layout in self.leaf_layouts().items()
            for axis, sums in enumerate(layout)
            for atom, start, outer, inner in occurrences(sums)
            if (label := atom.label) is not None and (weight := atom.weight) is not None
        ]

    @cached_property
    def _spots_of_leaf(self) -> dict[str, list[Spot]]:
        return group_by(self.spots, lambda spot: spot.leaf)

    @cached_property
    def free(self) -> dict[int, list[Spot]]:
        """The spots of every label that moves: it is neither pinned nor unused."""
        moving = [
            spot
            for spot in self.spots
            if spot.label not in self.labels.pins and spot.label in self.flow.used
        ]
        return group_by(moving, lambda spot: spot.label)

    @cached_property
    def pins(self) -> tuple[Pin, ...]:
        """Why the other spots do not move."""
        pins = []
        for spot in self.spots:
            reason = self.labels.pins.get(spot.label)
            if reason is not None:
                pins.append(Pin(spot.leaf, spot.place.axis, spot.size, reason.text, reason.source))
            elif spot.label not in self.flow.used:
                pins.append(Pin(spot.leaf, spot.place.axis, spot.size, "not used", ""))
        return tuple(pins)

    @cached_property
    def matrices(self) -> Matrices:
        """Which labels matrices move."""
        weights = self.labels.weights
        return solve_matrices(weights, {u: self.labels.find(u) for u in set(weights.labels)})

    def kind_of(self, label: int) -> Kind:
        """The kind of the generator that moves the units of a free label."""
        if label in self.matrices.spoiled:
            return "permutation"
        return "orthogonal" if label in self.matrices.orthogonal else "general linear"

    @cached_property
    def occurrences(self) -> dict[int, list[Occurrence]]:
        """Where every label occurs."""
        return group_by(self.labels.weights.occurrences, lambda o: self.labels.find(o.label))

    @cached_property
    def copies(self) -> _Copies:
        """What finds fibres."""
        return _Copies(self.labels)

    @cached_property
    def _unfit(self) -> set[int]:
        return {label for label in self.free if self.kind_of(label) != "permutation"}

    @cached_property
    def fibres(self) -> dict[int, set[int]]:
        """The fibres of every free label."""
        order = {label: i for i, label in enumerate(self.free)}
        found = {
            label: self.copies.cooccurring(label, self.occurrences[label]) - self._unfit
            for label in self.free
        }
        return _fibres_of_labels(found, order)

    def fibres_where(self, label: int, places: Iterable[Occurrence]) -> set[int]:
        """The fibres of a pinned label, as far as some of its occurrences are concerned."""
        return _closed(self.copies.cooccurring(label, places) - self._unfit, self.fibres)

    def outside_first(self, spot: Spot, fibres: Iterable[int]) -> tuple[int, ...]:
        """Fibres in the order in which they lie on the leaf of a spot."""

        def place(index: int) -> tuple[int, int]:
            found = self.companion(spot, index).place
            return found.axis, found.outer

        return tuple(sorted(fibres, key=place))

    def companion(self, spot: Spot, index: int) -> Spot:
        """The spot of a fibre on the leaf of another spot."""
        (found,) = (
            other
            for other in self._spots_of_leaf[spot.leaf]
            if self.labels.index_of(other.label) == index
            and (
                (other.place.axis, other.place.start) == (spot.place.axis, spot.place.start)
                if other.place.axis == spot.place.axis
                else other.is_alone
            )
        )
        return found


def group_by(items: Sequence[Item], name_of: Callable[[Item], Name]) -> dict[Name, list[Item]]:
    """The items by name, in their order."""
    groups: dict[Name, list[Item]] = defaultdict(list)
    for item in items:
        groups[name_of(item)].append(item)
    return dict(groups)
