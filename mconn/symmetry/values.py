"""Where the axis of a generator lives inside the model: before and after its nonlinearity."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from mconn.jaxprs import Equation, Program
from mconn.symmetry.group import Value
from mconn.symmetry.labels import Labels, Layout, atoms_of, occurrences
from mconn.symmetry.rules.contraction import REDUCTIONS, summed_axes
from mconn.symmetry.rules.elementwise import is_nonlinear
from mconn.symmetry.rules.structural import CUTS


class Flow:
    """The values of a program that depend on its inputs, with the labels that they carry.

    The first inputs are the parameters' ``leaves``, the others are what the network is applied to.
    """

    def __init__(
        self,
        program: Program,
        equations: list[Equation],
        labels: Labels,
        layouts: dict[int, Layout],
        leaves: Sequence[str],
    ) -> None:
        self.equations = equations
        self.layouts = {
            number: tuple(labels.resolve(axis) for axis in layout)
            for number, layout in layouts.items()
        }
        self.dependent = set(program.inputs[len(leaves) :])
        self.leaves = {
            number: {leaf: None} for number, leaf in zip(program.inputs, leaves, strict=False)
        }
        self.producers: dict[int, int] = {}
        for i, equation in enumerate(self.equations):
            self.producers.update(dict.fromkeys(equation.outputs, i))
            if self.dependent.intersection(equation.inputs):
                self.dependent.update(equation.outputs)
            else:
                sources = [self.leaves.get(number, {}) for number in equation.inputs]
                merged = {leaf: None for source in sources for leaf in source}
                self.leaves.update(dict.fromkeys(equation.outputs, merged))
        # A slice reads only a part of its operand: what it leaves out may be used nowhere.
        readers = [equation for equation in self.equations if equation.primitive not in CUTS]
        read = [*program.outputs, *(number for equation in readers for number in equation.inputs)]
        self.used = {label for number in read for label in self.carried(number)}
        self.contracted = self._operands_by_label(summed_axes)
        self.reduced = self._operands_by_label(reduced_axes)

    def carried(self, number: int) -> list[int]:
        """The labels of a value, in the order of its axes."""
        atoms = (atom for axis in self.layouts[number] for atom in atoms_of(axis))
        return [atom.label for atom in atoms if atom.label is not None]

    def births(self) -> dict[int, tuple[str, ...]]:
        """The labels in the order in which they appear in values that depend on the inputs.

        Each comes with the leaves from which the equation takes it.
        """
        born: dict[int, tuple[str, ...]] = {}
        for equation in self.equations:
            for output in equation.outputs:
                if output in self.dependent:
                    for label in self.carried(output):
                        if label not in born:
                            born[label] = self._leaves_behind(equation, label)
        return born

    def meetings(self) -> dict[str, int]:
        """The leaves in the order in which they meet values that depend on the inputs."""
        order: dict[str, int] = {}
        for equation in self.equations:
            if self.dependent.intersection(equation.outputs):
                for number in equation.inputs:
                    for leaf in self.leaves.get(number, ()):
                        order.setdefault(leaf, len(order))
        return order

    def _leaves_behind(self, equation: Equation, label: int) -> tuple[str, ...]:
        return tuple(
            leaf
            for number in equation.inputs
            if number not in self.dependent and label in self.carried(number)
            for leaf in self.leaves.get(number, ())
        )

    def values(self, label: int) -> tuple[Value, ...]:
        """The values in which the axis of a label lives: before, and after its nonlinearity."""
        after = self.contracted.get(label) or self.reduced.get(label, {})
        before = dict.fromkeys(self._before(number, label) for number in after)
        return (*self._located(before, label, "before"), *self._located(after, label, "after"))

    def _operands_by_label(
        self, axes_of: Callable[[Equation], Sequence[Sequence[int]]]
    ) -> dict[int, dict[int, None]]:
        operands: dict[int, dict[int, None]] = {}
        for equation in self.equations:
            for number, axes in zip(equation.inputs, axes_of(equation), strict=False):
                if number in self.dependent:
                    for atom in (atom for i in axes for atom in atoms_of(self.layouts[number][i])):
                        if atom.label is not None:
                            operands.setdefault(atom.label, {})[number] = None
        return operands

    def _before(self, number: int, label: int) -> int:
        """The value that the nonlinearity which makes a value is applied to, or the value itself.

        Going back from the value, it is the first one from which alone, with a nonlinearity on the
        way, all entries of the value come: for GELU, x * cdf(x), it is x.
        """
        frontier, is_bent = {number}, False
        while True:
            latest = max(frontier, key=lambda value: self.producers.get(value, -1))
            if latest not in self.producers:
                return number
            equation = self.equations[self.producers[latest]]
            carriers = [
                operand
                for operand in equation.inputs
                if operand in self.dependent and label in self.carried(operand)
            ]
            if not carriers or summed_axes(equation):
                return number
            is_bent = is_bent or is_nonlinear(equation, carriers)
            frontier = (frontier - {latest}).union(carriers)
            if is_bent and len(frontier) == 1:
                return frontier.pop()

    def _located(self, numbers: Iterable[int], label: int, moment: str) -> Iterator[Value]:
        for number in numbers:
            primitive = self.equations[self.producers[number]].traced_as
            for i, axis in enumerate(self.layouts[number]):
                places = [place[1:] for place in occurrences(axis) if place[0].label == label]
                for start, outer, inner in places:
                    yield Value(number, primitive, i, start, outer, inner, moment)
                if places:
                    break


def reduced_axes(equation: Equation) -> list[Sequence[int]]:
    """The axes over which a reduction goes."""
    if equation.primitive not in REDUCTIONS:
        return []
    return [tuple(int(axis) for axis in equation.parameters["axes"])]
