"""Runs a program on labels instead of numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mconn.jaxprs import Equation, Program, is_concrete
from mconn.symmetry.labels import Atom, Axis, Labels, Layout, atoms_of, uniform
from mconn.symmetry.rotary import recognise
from mconn.symmetry.rules.control import CONTROL, Steps
from mconn.symmetry.rules.table import RULES, pin_everything
from mconn.symmetry.weights import Occurrence, Weights


class Run(NamedTuple):
    """The equations of a program, and the layouts of its values."""

    program: Program
    equations: list[Equation]
    layouts: dict[int, Layout]


class Interpreter:
    """The labels, and the primitives without a rule that touched a free axis, with their places.

    ``steps`` are those of the operands of the equation at hand, and ``runs`` the last run of every
    program by its identity: of the network, and of the bodies of loops and branches.
    """

    def __init__(self) -> None:
        self.labels = Labels()
        self.unknown: dict[str, str] = {}
        self.steps: list[Steps] = []
        self.recognised: dict[int, tuple[Program, list[Equation]]] = {}
        self.runs: dict[int, Run] = {}

    def begin(self) -> None:
        """Forget the weights of an earlier run."""
        self.labels.weights = Weights()

    def _equations_of(self, program: Program) -> list[Equation]:
        if id(program) not in self.recognised:
            self.recognised[id(program)] = program, recognise(program)
        return self.recognised[id(program)][1]

    def run(
        self, program: Program, arguments: Sequence[Layout], steps: Sequence[Steps] | None = None
    ) -> dict[int, Layout]:
        """The layout of every value of a program, by number.

        Args:
            program: what is run.
            arguments: the layouts of its inputs.
            steps: for a loop's body, which of its inputs differ from step to step.
        """
        layouts = dict(zip(program.inputs, arguments, strict=True))
        inside = dict(zip(program.inputs, steps or [Steps()] * len(arguments), strict=True))
        for number, constant in program.constants.items():
            layouts[number] = _constant_layout(self.labels, constant)
        for number in program.inputs:
            self._observe(layouts[number], inside[number])
        for equation in self._equations_of(program):
            operands = [layouts[number] for number in equation.inputs]
            self.steps = [inside.get(number, Steps()) for number in equation.inputs]
            together = Steps().union(*self.steps)
            results = self.apply(equation, operands)
            for number, layout in zip(equation.outputs, results, strict=True):
                layouts[number], inside[number] = layout, together
                self._observe(layout, together)
        self.runs[id(program)] = Run(program, self._equations_of(program), layouts)
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
        if any(self._is_free(operand) for operand in operands):
            self.unknown.setdefault(equation.primitive, equation.source())
        return pin_everything(self.labels, equation, *operands)

    def _is_free(self, layout: Layout) -> bool:
        axes = (self.labels.resolve(axis) for axis in layout)
        return any(not self.labels.is_fixed(atom) for axis in axes for atom in atoms_of(axis))

    def _observe(self, layout: Layout, steps: Steps) -> None:
        """Note which labels a value has together in all its blocks.

        Segments of a sum lie beside each other, so that only the factors of a whole axis go with
        the other axes.
        """
        axes = [self.labels.resolve(axis) for axis in layout]
        whole = [_labels_of(axis[0]) if len(axis) == 1 else [] for axis in axes]
        for i, axis in enumerate(axes):
            others = [label for j, labels in enumerate(whole) if j != i for label in labels]
            for segment in axis:
                for k, atom in enumerate(segment):
                    if atom.label is None or (self.labels.is_fixed(atom) and atom.weight is None):
                        continue
                    siblings = _labels_of(segment[:k] + segment[k + 1 :])
                    companions = (*others, *siblings, *steps)
                    self.labels.weights.occurrences.append(
                        Occurrence(atom.label, atom.weight, companions)
                    )

    def weighted(self, layout: Layout) -> Layout:
        """The layout with a new unknown weight for every atom."""

        def axis_with_weights(axis: Axis) -> Axis:
            return tuple(
                tuple(
                    replace(atom, weight=self.labels.weights.new(atom.label))
                    if atom.label is not None
                    else Atom(None, atom.size)
                    for atom in segment
                )
                for segment in self.labels.resolve(axis)
            )

        return tuple(map(axis_with_weights, layout))


def _labels_of(atoms: Sequence[Atom]) -> list[int]:
    return [atom.label for atom in atoms if atom.label is not None]


def _constant_layout(labels: Labels, constant: Any) -> Layout:
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
