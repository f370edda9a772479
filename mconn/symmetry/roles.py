"""On which side of a contraction a leaf is: whether it makes the units of an axis, or reads them.

A leaf *reads* units where the network sums over them: the input axis of a kernel that activations
are contracted with. Everywhere else it *makes* them, or shifts or scales what makes them: the
output axis of a kernel, a bias, the scale of a normaliser. A leaf can do both along one axis: a
matrix of embeddings that is also the matrix of the output layer.

Every factor of an axis of a leaf has an unknown weight of its own (`mconn.symmetry.weights`). The
number of this weight goes wherever the entries go, and the laws tell which numbers a value that is
made of several leaves has its own from, so that a summed axis names the leaves behind it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, TypeVar

from mconn.jaxprs import Equation, Program
from mconn.symmetry.interpret import Run
from mconn.symmetry.labels import Layout, atoms_of
from mconn.symmetry.rules.contraction import summed_axes
from mconn.symmetry.rules.table import primitives
from mconn.symmetry.rules.ties import atoms_like
from mconn.symmetry.values import reduced_axes
from mconn.symmetry.weights import Weights

Item = TypeVar("Item")


class _Origin(IntEnum):
    """What a value is made of."""

    PARAMETERS = 0
    CHOSEN = 1
    """Entries of parameters that the inputs choose: embeddings of tokens, kernels of experts."""
    ACTIVATIONS = 2


class _Product(NamedTuple):
    """A contraction of two values: the unknowns of the summed and of the other axes of each."""

    left: set[int]
    right: set[int]
    left_kept: set[int]
    right_kept: set[int]


CHOOSERS = primitives("dynamic_slice gather")
"""Primitives that read their first operand at computed positions."""

REARRANGED = primitives(
    "broadcast_in_dim convert_element_type copy expand_dims reshape squeeze transpose"
)
"""Primitives that hand on all entries of their operand."""


class Roles:
    """The unknowns of the leaves that are read against activations, and of those that make them.

    Args:
        runs: the last run of every program, by the identity of the program: of the network, and
            of the bodies of its loops and branches.
        weights: the laws written down in these runs.
        program: the network.
        leaves: how many of its inputs are parameters.
    """

    def __init__(
        self, runs: Mapping[int, Run], weights: Weights, program: Program, leaves: int
    ) -> None:
        self.runs = runs
        self.reads: set[int] = set()
        self.makes: set[int] = set()
        self.products: list[_Product] = []
        self.behind: dict[int, list[int]] = {}
        for constraint in weights.constraints:
            if constraint.out is not None:
                operands = (operand for operand in constraint.operands if operand is not None)
                self.behind.setdefault(constraint.out, []).extend(operands)
        inputs = dict.fromkeys(program.inputs[leaves:], _Origin.ACTIVATIONS)
        self.visit(runs[id(program)], inputs)
        # How a product of parameters is used tells which of its factors comes first, and later
        # equations tell how it is used.
        for product in reversed(self.products):
            self.order(product)

    def visit(self, run: Run, inputs: Mapping[int, _Origin]) -> None:
        """Note what the leaves do in the equations of a program."""
        origins = self._origins(run, inputs)
        summed_later = self._summed_later(run)
        for equation in run.equations:
            operands = [origins[number] for number in equation.inputs]
            every = [_unknowns(run, number) for number in equation.inputs]
            axes = enumerate(summed_axes(equation))
            summed = [_unknowns(run, equation.inputs[i], each) for i, each in axes]
            if equation.bodies:
                self._visit_bodies(run, equation, operands)
            elif summed and set(operands) == {_Origin.PARAMETERS}:
                kept = [all_of - gone for all_of, gone in zip(every, summed, strict=True)]
                self.products.append(_Product(*summed, *kept))
            elif any(origins[number] is _Origin.ACTIVATIONS for number in equation.outputs):
                later = {u for number in equation.outputs for u in summed_later.get(number, ())}
                for i, origin in enumerate(operands):
                    if origin is not _Origin.ACTIVATIONS:
                        is_read = summed and origin < operands[1 - i]
                        read = every[i] & later | (summed[i] if is_read else set())
                        self.mark(self.reads, read)
                        self.mark(self.makes, every[i] - read)

    def _visit_bodies(self, run: Run, equation: Equation, operands: list[_Origin]) -> None:
        settled, _ = self.through(equation, operands)
        outside = _arguments_of(equation, equation.inputs)
        for body, numbers, origins in zip(
            equation.bodies, outside, _arguments_of(equation, settled), strict=True
        ):
            inside = self.runs.get(id(body))
            if inside is not None:
                for number, start in zip(body.inputs, numbers, strict=True):
                    self._carry_over(inside.layouts[number], run.layouts[start])
                self.visit(inside, dict(zip(body.inputs, origins, strict=True)))

    def _carry_over(self, inside: Layout, start: Layout) -> None:
        for axis, other in zip(inside, start[len(start) - len(inside) :], strict=True):
            for atom, first in zip(atoms_of(axis), atoms_like(axis, other) or (), strict=False):
                if atom.weight is not None and first.weight not in (None, atom.weight):
                    self.behind.setdefault(atom.weight, []).append(first.weight)

    def _origins(self, run: Run, inputs: Mapping[int, _Origin]) -> dict[int, _Origin]:
        origins = dict.fromkeys(run.layouts, _Origin.PARAMETERS) | dict(inputs)
        for equation in run.equations:
            operands = [origins[number] for number in equation.inputs]
            if equation.bodies:
                _, results = self.through(equation, operands)
            else:
                results = [_origin_of(equation, operands)] * len(equation.outputs)
            origins.update(zip(equation.outputs, results, strict=True))
        return origins

    def through(
        self, equation: Equation, operands: list[_Origin]
    ) -> tuple[list[_Origin], list[_Origin]]:
        """What the operands of a loop, in any of its rounds, and its outputs are made of."""
        settled = list(operands)
        while True:
            branches = []
            for body, given in zip(equation.bodies, _arguments_of(equation, settled), strict=True):
                inputs = dict(zip(body.inputs, given, strict=True))
                if id(body) in self.runs:
                    inputs = self._origins(self.runs[id(body)], inputs)
                branches.append([inputs.get(number, max(settled)) for number in body.outputs])
            if equation.primitive == "cond":
                return settled, [max(settled[0], *each) for each in zip(*branches, strict=True)]
            carry = _carry_of(equation)
            after = list(map(max, settled[carry], branches[-1]))
            if after == settled[carry]:
                return settled, branches[-1]
            settled[carry] = after

    def _summed_later(self, run: Run) -> dict[int, set[int]]:
        """The unknowns of the factors of products that are summed over at once.

        A contraction can be written as a product and a sum. If the product is used in any other way
        as well, a factor of it scales the units.
        """
        uses = Counter(number for equation in run.equations for number in equation.inputs)
        uses.update(run.program.outputs)
        producers = {number: each for each in run.equations for number in each.outputs}
        found: dict[int, set[int]] = {}
        for equation in run.equations:
            if equation.primitive == "reduce_sum":
                (number,) = equation.inputs
                summed = _unknowns(run, number, *reduced_axes(equation))
                while (
                    uses[number] == 1
                    and number in producers
                    and producers[number].primitive in REARRANGED
                ):
                    number = producers[number].inputs[0]
                if (
                    uses[number] == 1
                    and number in producers
                    and producers[number].primitive in ("dot_general", "mul")
                ):
                    found[number] = {u for unknown in summed for u in self.behind.get(unknown, ())}
        return found

    def order(self, product: _Product) -> None:
        """Let the second factor of a product of parameters read the units that the first makes.

        The first one is that which makes these units elsewhere, or is not read along them. If this
        does not tell, it is the one that activations are contracted with, as they are with ``a``
        in ``x @ (a @ b)``. Otherwise neither reads.
        """
        left, right = self._surplus(product.left), self._surplus(product.right)
        if left == right:
            left, right = -self._surplus(product.left_kept), -self._surplus(product.right_kept)
        self.mark(self.reads if left < right else self.makes, product.left)
        self.mark(self.reads if right < left else self.makes, product.right)

    def _surplus(self, unknowns: set[int]) -> int:
        found = self._sources(unknowns)
        return bool(found & self.makes) - bool(found & self.reads)

    def mark(self, role: set[int], unknowns: set[int]) -> None:
        """Give a role to the leaves behind some unknowns."""
        role |= self._sources(unknowns - role)

    def _sources(self, unknowns: set[int]) -> set[int]:
        found, pending = set(unknowns), list(unknowns)
        while pending:
            behind = [each for each in self.behind.get(pending.pop(), ()) if each not in found]
            found.update(behind)
            pending += behind
        return found


def _unknowns(run: Run, number: int, axes: Sequence[int] | None = None) -> set[int]:
    layout = run.layouts[number]
    chosen = layout if axes is None else [layout[axis] for axis in axes]
    return {atom.weight for axis in chosen for atom in atoms_of(axis) if atom.weight is not None}


def _origin_of(equation: Equation, operands: Sequence[_Origin]) -> _Origin:
    highest = max(operands, default=_Origin.PARAMETERS)
    if equation.primitive in CHOOSERS:
        return max(operands[0], min(highest, _Origin.CHOSEN))
    if equation.primitive == "select_n" and max(operands[1:]) is _Origin.CHOSEN:
        # A choice at a position outside of the array is masked.
        return _Origin.CHOSEN
    if highest is _Origin.CHOSEN and summed_axes(equation):
        return _Origin.ACTIVATIONS
    return highest


def _carry_of(equation: Equation) -> slice:
    parameters = equation.parameters
    if equation.primitive == "scan":
        first = parameters["num_consts"]
        return slice(first, first + parameters["num_carry"])
    return slice(parameters["cond_nconsts"] + parameters["body_nconsts"], None)


def _arguments_of(equation: Equation, operands: Sequence[Item]) -> list[Sequence[Item]]:
    if equation.primitive == "scan":
        return [operands]
    if equation.primitive == "cond":
        return [operands[1:]] * len(equation.bodies)
    first, last = equation.parameters["cond_nconsts"], _carry_of(equation).start
    return [[*operands[:first], *operands[last:]], operands[first:]]
