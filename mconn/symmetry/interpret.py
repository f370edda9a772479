"""Runs a program on labels instead of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mconn.symmetry.compat import Equation, Program, is_concrete
from mconn.symmetry.labels import Labels
from mconn.symmetry.layout import Layout, atoms_of, uniform
from mconn.symmetry.rules.control import CONTROL
from mconn.symmetry.rules.table import RULES, pin_everything


class Interpreter:
    """The labels, and the primitives without a rule that touched a free axis, with their places."""

    def __init__(self) -> None:
        self.labels = Labels()
        self.unknown: dict[str, str] = {}

    def run(self, program: Program, arguments: Sequence[Layout]) -> dict[int, Layout]:
        """The layout of every value of a program, by number."""
        layouts = dict(zip(program.inputs, arguments, strict=True))
        for number, constant in program.constants.items():
            layouts[number] = constant_layout(self.labels, constant)
        for equation in program.equations:
            operands = [layouts[number] for number in equation.inputs]
            results = self.apply(equation, operands)
            layouts.update(zip(equation.outputs, results, strict=True))
        return layouts

    def apply(self, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
        """The layouts of the outputs of one equation, by its rule."""
        self.labels.source = equation.source
        if equation.shapes and all(0 in shape for shape in equation.shapes):
            return [tuple(uniform(size) for size in shape) for shape in equation.shapes]
        if equation.primitive in CONTROL:
            return CONTROL[equation.primitive](self, equation, operands)
        if equation.primitive in RULES:
            return RULES[equation.primitive](self.labels, equation, *operands)
        if any(self.is_free(operand) for operand in operands):
            self.unknown.setdefault(equation.primitive, equation.source())
        return pin_everything(self.labels, equation, *operands)

    def is_free(self, layout: Layout) -> bool:
        """Whether some permutation moves entries of a value."""
        axes = (self.labels.resolve(axis) for axis in layout)
        return any(not self.labels.is_fixed(atom) for axis in axes for atom in atoms_of(axis))


def constant_layout(labels: Labels, constant: Any) -> Layout:
    """A constant is uniform along the axes on which all its entries agree, and pins the others."""
    shape = np.shape(constant)
    if not is_concrete(constant):
        return tuple(labels.pinned(size, "a constant") for size in shape)
    entries = np.asarray(constant)
    return tuple(
        uniform(size)
        if bool(np.all(entries == np.take(entries, range(min(size, 1)), axis=axis)))
        else labels.pinned(size, "a constant that varies along the axis")
        for axis, size in enumerate(shape)
    )
