"""Recognises rotations of pairs of units by constant angles: rotary position embedding.

Su et al. (2021, arXiv:2104.09864, eq. 34) multiply the pairs (x1, x2) of an axis by rotations
[[a, -b], [b, a]] whose entries depend on the position. Written with slices and a concatenation this
looks as if the two halves of the axis were mixed in any way; as one step it is seen to commute with
all rotations and scalings of the same planes. `recognise` replaces the equations of such a mixture
by one equation ``rotate_pairs``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mconn.jaxprs import Equation, Program, live

Monomial = tuple[int, ...]
Polynomial = Mapping[Monomial, int]
"""``{constants multiplied: how often}``, a sum of products of constants."""

Mixture = Mapping[int, Polynomial]
"""``{slice: coefficient}``: a sum of multiples of slices of one value."""

JOINED = {"concatenate": "dimension", "stack": "axis"}
"""Primitives that put two values side by side, and the parameter that names the axis."""

RESHAPED = ("broadcast_in_dim", "expand_dims", "reshape", "squeeze")
DEPTH = 32
"""A mixture or a constant that takes more steps than this is not looked into."""

PASSED = ("convert_element_type", "copy", *RESHAPED)


@dataclass(frozen=True)
class _Half:
    """One half of an axis of a value."""

    source: int
    axis: int
    start: int
    size: int


def recognise(program: Program) -> list[Equation]:
    """The equations of a program, with rotations of pairs as single equations."""
    search = _Search(program)
    equations = [search.as_rotation(equation) or equation for equation in program.equations]
    return live(equations, program.outputs)


class _Search:
    """Writes values as mixtures of the two halves of one axis."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.producers = {
            number: equation for equation in program.equations for number in equation.outputs
        }
        self.halves: dict[int, _Half] = {}
        self.mixtures: dict[int, Mixture | None] = {}
        self.constants: dict[int, set[int]] = {}
        self.symbols: dict[int, int] = {}
        self.names: dict[object, int] = {}

    def as_rotation(self, equation: Equation) -> Equation | None:
        """The rotation that a concatenation of two mixtures makes, if it makes one."""
        joined = JOINED.get(equation.primitive)
        if joined is None or len(equation.inputs) != 2:
            return None
        mixtures = [self.mixture(number) for number in equation.inputs]
        if None in mixtures:
            return None
        one, other = (mixture or {} for mixture in mixtures)
        slices = sorted({*one, *other}, key=lambda number: self.halves[number].start)
        if len(slices) != 2:
            return None
        first, second = slices
        half, rest = self.halves[first], self.halves[second]
        axis, shape = equation.parameters[joined], equation.shapes[0]
        whole = self.program.shapes[half.source]
        fits = (
            half == replace(rest, start=0)
            and rest.start == half.size
            and (half.axis, 2 * half.size) == (axis, whole[axis])
            and whole == shape
        )
        opposite = {monomial: -count for monomial, count in other.get(first, {}).items()}
        is_rotation = one.get(first, {}) == other.get(second, {}) and one.get(second) == opposite
        if not fits or not is_rotation:
            return None
        constants = sorted(set().union(*(self.constants.get(n, set()) for n in equation.inputs)))
        return replace(
            equation,
            primitive="rotate_pairs",
            inputs=(half.source, *constants),
            zeros=(False,) * (1 + len(constants)),
            parameters={"axis": axis},
        )

    def mixture(self, number: int, depth: int = DEPTH) -> Mixture | None:
        """A value as a mixture of slices, or None if it is none."""
        if number not in self.mixtures:
            self.mixtures[number] = self.expand(number, depth) if depth > 0 else None
        return self.mixtures[number]

    def expand(self, number: int, depth: int) -> Mixture | None:
        """Write a value as a mixture of those of its operands."""
        equation = self.producers.get(number)
        if equation is None:
            return None
        if equation.primitive in ("slice", "split"):
            return self._slice_of(number, equation)
        if equation.primitive not in (*PASSED, "add", "add_any", "mul", "neg", "sub"):
            return None
        parts = [self.mixture(operand, depth - 1) for operand in equation.inputs]
        used = [part for part in parts if part is not None]
        found = [self.constants.get(operand, set()) for operand in equation.inputs]
        self.constants[number] = set().union(*found)
        if equation.primitive in PASSED and used and _is_same_order(self.program, equation):
            return used[0]
        if equation.primitive == "neg" and used:
            return _scaled(used[0], -1)
        if equation.primitive in ("add", "add_any", "sub") and len(used) == 2:
            return _added(used[0], _scaled(used[1], -1 if equation.primitive == "sub" else 1))
        if equation.primitive == "mul" and len(used) == 1:
            constant = equation.inputs[parts.index(None)]
            if self.program.shapes[constant]:
                self.constants[number].add(constant)
            return multiplied(used[0], self._symbol(constant))
        return None

    def _slice_of(self, number: int, equation: Equation) -> Mixture | None:
        (source,), parameters = equation.inputs, equation.parameters
        shape = self.program.shapes[source]
        if equation.primitive == "split":
            place, sizes = equation.outputs.index(number), list(map(int, parameters["sizes"]))
            half = _Half(source, parameters["axis"], sum(sizes[:place]), sizes[place])
            self.halves[number] = half
            return {number: {(): 1}}
        bounds = list(zip(parameters["start_indices"], parameters["limit_indices"], strict=True))
        cut = [i for i, bound in enumerate(bounds) if bound != (0, shape[i])]
        if len(cut) != 1 or any(step != 1 for step in parameters["strides"] or ()):
            return None
        start, limit = bounds[cut[0]]
        self.halves[number] = _Half(source, cut[0], start, limit - start)
        return {number: {(): 1}}

    def _symbol(self, number: int, depth: int = DEPTH) -> int:
        if number not in self.symbols:
            equation, constant = self.producers.get(number), self.program.constants.get(number)
            key: object = ("value", number)
            if constant is not None and not np.shape(constant):
                key = ("constant", float(constant))
            elif equation is not None and not equation.bodies and depth > 0:
                parameters = sorted((name, str(each)) for name, each in equation.parameters.items())
                operands = tuple(self._symbol(operand, depth - 1) for operand in equation.inputs)
                place = equation.outputs.index(number)
                key = (equation.primitive, tuple(parameters), place, operands)
            self.symbols[number] = self.names.setdefault(key, len(self.names))
        return self.symbols[number]


def _is_same_order(program: Program, equation: Equation) -> bool:
    if equation.primitive not in RESHAPED:
        return True
    (operand, *_), (shape,) = equation.inputs, equation.shapes
    sizes = [[n for n in each if n != 1] for each in (program.shapes[operand], shape)]
    return sizes[0] == sizes[1]


def _scaled(mixture: Mixture, factor: int) -> Mixture:
    return {
        number: {monomial: factor * count for monomial, count in polynomial.items()}
        for number, polynomial in mixture.items()
    }


def _added(one: Mixture, other: Mixture) -> Mixture:
    total = {number: dict(polynomial) for number, polynomial in one.items()}
    for number, polynomial in other.items():
        coefficient = total.setdefault(number, {})
        for monomial, count in polynomial.items():
            coefficient[monomial] = coefficient.get(monomial, 0) + count
    return total


def multiplied(mixture: Mixture, symbol: int) -> Mixture:
    """A mixture times a constant."""
    return {
        number: {
            tuple(sorted([*monomial, symbol])): count for monomial, count in polynomial.items()
        }
        for number, polynomial in mixture.items()
    }
