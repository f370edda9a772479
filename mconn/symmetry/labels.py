"""Labels of axes: which permutation moves which entries of a value.

An *axis* is a sum of segments, a *segment* is a product of atoms in C order (the outermost first),
and an *atom* is a label with its size. Flattening an image gives the product (height, width,
channels), concatenating gives a sum, and a reshape into groups splits a label into a product.

Labels live in a union-find. Aligning two axes makes their labels equal, or first splits the larger
label so that they can be made equal; where that is impossible the labels are *pinned*: only the
identity acts on them. Pinning is always sound; it can only make the group smaller.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from mconn.symmetry.weights import Law, Weights


@dataclass(frozen=True, slots=True)
class Atom:
    """A factor of an axis: a label, or None where the value does not vary ("uniform").

    ``weight`` is the number of the unknown that tells how the entries are multiplied under a
    scaling, sign or matrix (`mconn.symmetry.weights`); None where they never are: in inputs and
    constants.
    """

    label: int | None
    size: int
    weight: int | None = field(default=None, compare=False)


Segment = tuple[Atom, ...]
"""A product of atoms, the outermost first; the empty product has one entry."""

Axis = tuple[Segment, ...]
"""A sum of segments, one after the other."""

Layout = tuple[Axis, ...]
"""The axes of a value."""


def uniform(size: int) -> Axis:
    """An axis along which a value does not vary."""
    return ((),) if size == 1 else ((Atom(None, size),),)


def segment_size(segment: Segment) -> int:
    """The number of entries of a product."""
    return math.prod(atom.size for atom in segment)


def axis_size(axis: Axis) -> int:
    """The number of entries of a sum of products."""
    return sum(segment_size(segment) for segment in axis)


def boundaries(axis: Axis) -> set[int]:
    """Where the segments of an axis end."""
    return set(accumulate(segment_size(segment) for segment in axis))


def is_uniform(axis: Axis) -> bool:
    """Whether the value is known not to vary along the whole axis."""
    return len(axis) == 1 and all(atom.label is None for atom in axis[0])


def atoms_of(axis: Axis) -> Iterator[Atom]:
    """All atoms of an axis, in order."""
    return (atom for segment in axis for atom in segment)


def occurrences(axis: Axis) -> Iterator[tuple[Atom, int, int, int]]:
    """Every atom, where its segment starts, and the entries outside and inside the atom."""
    start = 0
    for segment in axis:
        outer, size = 1, segment_size(segment)
        for atom in segment:
            yield atom, start, outer, size // (outer * atom.size)
            outer *= atom.size
        start += size


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a label is pinned, and the place in the model where that happened."""

    text: str
    source: str


SEGMENTS = 256
"""An axis that would fall into more segments than this is pinned instead: time stays linear."""


class Labels:
    """A union-find of labels that can be pinned, and split into a product or a sum.

    Axes are immutable and refer to labels by number; `resolve` tells what an axis made earlier
    means now. `source` tells the place in the model that the next pin is blamed on, ``changes``
    counts what happened to labels that were free, and ``weights`` are those of the values that the
    labels were run through last.
    """

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.parts: dict[int, Axis] = {}
        self.pins: dict[int, _Reason] = {}
        self.indices: dict[int, int] = {}
        self.source: Callable[[], str] = str
        self.changes = 0
        self.weights = Weights()

    def fresh(self, size: int) -> Axis:
        """An axis with a new label of its own."""
        return uniform(size) if size < 2 else ((Atom(self._new_label(), size),),)

    def pinned(self, size: int, text: str) -> Axis:
        """An axis that nothing may permute."""
        axis = self.fresh(size)
        for atom in atoms_of(axis):
            if atom.label is not None:
                self.pins[atom.label] = _Reason(text, self.source())
        return axis

    def _new_label(self) -> int:
        self.parents.append(len(self.parents))
        return len(self.parents) - 1

    def find(self, label: int) -> int:
        """The representative of a label's class: its oldest member."""
        while self.parents[label] != label:
            self.parents[label] = self.parents[self.parents[label]]
            label = self.parents[label]
        return label

    def is_fixed(self, atom: Atom) -> bool:
        """Whether no permutation moves the atom: it is pinned, or uniform."""
        return atom.label is None or self.find(atom.label) in self.pins

    def resolve(self, axis: Axis) -> Axis:
        """The axis in terms of the labels that exist now."""
        if len(axis) == 1 == len(axis[0]):
            expanded = self.expand(axis[0][0])
            if len(expanded) == 1:
                return expanded
        return tuple(
            piece
            for segment in axis
            for piece in self.multiply([self.expand(atom) for atom in segment])
        )

    def expand(self, atom: Atom) -> Axis:
        """What an atom stands for, after the splits of its label."""
        if atom.label is None:
            return ((atom,),)
        root = self.find(atom.label)
        if not self._is_split(root):
            same = atom if root == atom.label else Atom(root, atom.size, atom.weight)
            return ((same,),) if atom.size > 1 else ((),)
        # From the innermost part outwards: a chain of splits can be longer than Python's stack.
        pending = [root]
        while pending:
            deeper = [part for part in self._split_parts(pending[-1]) if self._split_parts(part)]
            if not deeper:
                innermost = pending.pop()
                self.parts[innermost] = self.resolve(self.parts[innermost])
            pending.extend(deeper)
        return self.parts[root]

    def _is_split(self, root: int) -> bool:
        return root in self.parts and root not in self.pins

    def _split_parts(self, root: int) -> list[int]:
        labels = (atom.label for atom in atoms_of(self.parts.get(root, ())))
        roots = (self.find(label) for label in labels if label is not None)
        return [part for part in roots if self._is_split(part)]

    def multiply(self, axes: Iterable[Axis]) -> Axis:
        """The product of axes, the outermost first, as a sum of products.

        (A + B) x C = A x C + B x C. The other way round, C x (A + B) repeats A + B for every entry
        of C, which is a sum of products only if C is fixed; otherwise A and B are pinned.
        """
        terms: Axis = ((),)
        for axis in axes:
            factor = axis
            if len(factor) > 1:
                repeats = sum(segment_size(term) for term in terms)
                fixed = all(self.is_fixed(atom) for atom in atoms_of(terms))
                if fixed and repeats * len(factor) <= SEGMENTS:
                    self.unfold(terms)
                    terms = tuple(factor) * repeats
                    continue
                self.pin(factor, "a sum of axes inside a product of axes")
                factor = self.pinned(axis_size(factor), self._why(factor))
            terms = tuple(term + segment for term in terms for segment in factor)
        return terms

    def unfold(self, axis: Axis) -> None:
        """Note that entries of an axis are taken apart or written side by side: none is multiplied.

        Once the labels have settled this happens to fixed axes only.
        """
        for atom in atoms_of(axis):
            self.weights.require(Law.FIXED, None, [atom.weight])

    def pin(self, axis: Axis, text: str) -> None:
        """Let nothing permute or multiply the axis, along which entries meet each other."""
        for atom in atoms_of(axis):
            self._pin_atom(atom, text)
            self.weights.require(Law.FIXED, None, [atom.weight])
            if atom.label is not None:
                self.weights.mixed.add(atom.label)

    def hold(self, axis: Axis, text: str) -> None:
        """Let nothing permute the axis."""
        for atom in atoms_of(axis):
            self._pin_atom(atom, text)

    def _pin_atom(self, atom: Atom, text: str) -> None:
        if atom.label is None:
            return
        root = self.find(atom.label)
        if root in self.pins:
            return
        self.changes += 1
        reason = _Reason(text, self.source())
        for part in atoms_of(self.expand(atom)):
            if part.label is not None:
                self.pins.setdefault(part.label, reason)
        self.pins[root] = reason

    def align(self, left: Axis, right: Axis) -> Axis:
        """Make two axes move together, as the operands of an element-wise function must.

        Returns the axis of the result: it varies where either of the two varies.
        """
        while True:
            left, right = self.resolve(left), self.resolve(right)
            for one, other in ((left, right), (right, left)):
                if is_uniform(one):
                    return other
                if all(atom.label is not None and self.is_fixed(atom) for atom in atoms_of(one)):
                    self.hold(other, self._why(one))
                    self.match_indices(one, other)
                    return one
            differences = boundaries(left) ^ boundaries(right)
            if not differences:
                return tuple(map(self._align_segments, left, right))
            if max(len(left), len(right)) > SEGMENTS:
                return self._pin_together(left, right, "an axis of too many pieces")
            left, right = (sum(self.cut(axis, min(differences)), ()) for axis in (left, right))

    def _align_segments(self, left: Segment, right: Segment) -> Segment:
        result: Segment = ()
        while left:
            (left,), (right,) = self.resolve((left,)), self.resolve((right,))
            one, other = left[0], right[0]
            if one.size == other.size:
                result += (self._unify(one, other),)
                left, right = left[1:], right[1:]
            elif one.size % other.size == 0:
                left = self.divide(one, other.size) + left[1:]
            elif other.size % one.size == 0:
                right = self.divide(other, one.size) + right[1:]
            else:
                text = f"groups of {one.size} and of {other.size} on one axis"
                (rest,) = self._pin_together((left,), (right,), text)
                return result + rest
        return result

    def _pin_together(self, left: Axis, right: Axis, text: str) -> Axis:
        self.pin(left, text)
        self.pin(right, text)
        return self.pinned(axis_size(left), text)

    def _unify(self, one: Atom, other: Atom) -> Atom:
        if one.label is None or other.label is None:
            return one if other.label is None else other
        if self.is_fixed(one) or self.is_fixed(other):
            fixed, moving = (one, other) if self.is_fixed(one) else (other, one)
            self._pin_atom(moving, self._why(((fixed,),)))
            self.match_indices(((fixed,),), ((moving,),))
            return fixed
        older, newer = sorted((self.find(one.label), self.find(other.label)))
        self.changes += older != newer
        self.parents[newer] = older
        return Atom(older, one.size)

    def match_indices(self, one: Axis, other: Axis) -> None:
        """Note that two axes are aligned entry by entry, though nothing permutes them."""
        one, other = self.resolve(one), self.resolve(other)
        left, right = list(atoms_of(one)), list(atoms_of(other))
        if [atom.size for atom in left] == [atom.size for atom in right]:
            for first, second in zip(left, right, strict=True):
                if first.label is not None and second.label is not None:
                    root, child = self.index_of(first.label), self.index_of(second.label)
                    if root != child:
                        self.indices[child] = root

    def index_of(self, label: int) -> int:
        """The index set of a label: labels of axes that are aligned entry by entry share it."""
        root = start = self.find(label)
        while root in self.indices:
            root = self.indices[root]
        if root != start:
            self.indices[start] = root
        return root

    def _why(self, axis: Axis) -> str:
        roots = (self.find(atom.label) for atom in atoms_of(axis) if atom.label is not None)
        return next((self.pins[root].text for root in roots if root in self.pins), "")

    def divide(self, atom: Atom, outer: int) -> tuple[Atom, Atom]:
        """Split an atom into a product of ``outer`` and the rest."""
        one, other = self._child(atom, outer), self._child(atom, atom.size // outer)
        self.split(atom, ((one, other),))
        return one, other

    def _bisect(self, atom: Atom, first: int) -> tuple[Segment, Segment]:
        one, other = (
            (self._child(atom, size),) if size > 1 else () for size in (first, atom.size - first)
        )
        self.split(atom, (one, other))
        return one, other

    def _child(self, atom: Atom, size: int) -> Atom:
        if atom.label is None:
            return Atom(None, size)
        label = self._new_label()
        if self.is_fixed(atom):
            self.pins[label] = self.pins[self.find(atom.label)]
        return Atom(label, size)

    def split(self, atom: Atom, parts: Axis) -> None:
        """Note what a label consists of from now on; a fixed one stays whole."""
        self.unfold(((atom,),))
        if atom.label is not None and not self.is_fixed(atom):
            self.changes += 1
            self.parts[self.find(atom.label)] = parts

    def cut(self, axis: Axis, offset: int) -> tuple[Axis, Axis]:
        """The first ``offset`` entries of an axis, and the rest."""
        left: Axis = ()
        right = self.resolve(axis)
        while right:
            segment, size = right[0], segment_size(right[0])
            if offset < size:
                break
            left, right, offset = (*left, segment), right[1:], offset - size
        else:
            return left, ()
        if offset == 0:
            return left, right
        inner = size // segment[0].size
        if offset % inner == 0:
            first, second = self._bisect(segment[0], offset // inner)
            return (*left, first + segment[1:]), (second + segment[1:], *right[1:])
        if self.is_fixed(segment[0]) and segment[0].size + len(axis) <= SEGMENTS:
            self.unfold(((segment[0],),))
            copies: Axis = (segment[1:],) * segment[0].size
            one, other = self.cut(copies + right[1:], offset)
            return left + one, other
        text = f"a cut inside a group of {inner}"
        self.pin((segment,), text)
        one, other = self.pinned(offset, text), self.pinned(size - offset, text)
        return left + one, other + right[1:]
