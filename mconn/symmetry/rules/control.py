"""Control flow: the rules that run the rules of a body."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from mconn.jaxprs import Equation, Program
from mconn.symmetry.labels import Labels, Layout, atoms_of
from mconn.symmetry.rules.table import align_layouts, pin_everything
from mconn.symmetry.rules.ties import require, tie
from mconn.symmetry.weights import Law

ROUNDS = 16
"""A loop whose carried labels have not settled after so many rounds is pinned."""

Steps = frozenset[int]
"""The labels of the steps of the loops that a value inside a loop's body belongs to."""


@runtime_checkable
class Runner(Protocol):
    """What a rule needs to run a body: see `mconn.symmetry.interpret.Interpreter`."""

    labels: Labels
    steps: list[Steps]

    def run(
        self, program: Program, arguments: Sequence[Layout], steps: Sequence[Steps] | None = None
    ) -> dict[int, Layout]:
        """The layout of every value of a program, by number."""
        ...

    def weighted(self, layout: Layout) -> Layout:
        """The layout with a new unknown weight for every atom."""
        ...


def _outputs(
    runner: Runner, body: Program, arguments: Sequence[Layout], steps: Sequence[Steps]
) -> list[Layout]:
    layouts = runner.run(body, arguments, steps)
    return [layouts[number] for number in body.outputs]


def _settle(
    runner: Runner,
    step: Callable[[list[Layout]], list[Layout]],
    initial: Sequence[Layout],
    zeros: Sequence[bool],
) -> tuple[list[Layout], list[Layout]] | None:
    """Run a loop's body until what it carries does not change; returns the carry and all outputs.

    A carry that starts uniform (zeros) takes the labels that the first round gives it. The weights
    of the carry are unknowns of their own, equal to those of its start (unless this is zero) and to
    those of its end; they are those of the last round.
    """
    labels = runner.labels

    def resolved(layouts: Sequence[Layout]) -> list[Layout]:
        return [tuple(labels.resolve(axis) for axis in layout) for layout in layouts]

    carry = list(initial)
    for _ in range(ROUNDS):
        mark = labels.weights.mark()
        weighted = [runner.weighted(layout) for layout in carry]
        results = step(weighted)
        after = [
            align_layouts(labels, pair) for pair in zip(carry, results[: len(carry)], strict=True)
        ]
        if resolved(after) == resolved(carry):
            for inside, start, end, is_zero in zip(weighted, initial, results, zeros, strict=False):
                tie(labels, Law.EQUAL, inside, [inside, end] if is_zero else [inside, start, end])
            return weighted, results
        labels.weights.rewind(mark)
        carry = after
    return None


def scan(runner: Runner, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
    """The steps stay in their order; carried axes move together before and after a step."""
    (body,), around = equation.bodies, runner.steps
    first, last = equation.parameters["num_consts"], equation.parameters["num_carry"]
    constants, carry = list(operands[:first]), list(operands[first : first + last])
    scanned = operands[first + last :]
    # All scanned operands are taken apart along the same steps, one after the other.
    steps = runner.labels.pinned(equation.parameters["length"], "the steps of a scan")
    for layout in scanned:
        runner.labels.hold(layout[0], "the steps of a scan")
        runner.labels.match_indices(steps, layout[0])
        require(runner.labels, Law.FIXED, layout[0])
    own = Steps(atom.label for atom in atoms_of(steps) if atom.label is not None)
    slices = [layout[1:] for layout in scanned]
    inside = around[: first + last] + [each | own for each in around[first + last :]]
    settled = _settle(
        runner,
        lambda carry: _outputs(runner, body, constants + carry + slices, inside),
        carry,
        equation.zeros[first : first + last],
    )
    if settled is None:
        return pin_everything(runner.labels, equation, *operands)
    carry, results = settled
    return [*carry, *((steps, *layout) for layout in results[last:])]


def while_loop(runner: Runner, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
    """Carried axes move together before and after a step; the condition is a scalar."""
    (condition, body), around = equation.bodies, runner.steps
    first = equation.parameters["cond_nconsts"]
    last = first + equation.parameters["body_nconsts"]
    constants, own, carry = operands[:first], list(operands[first:last]), list(operands[last:])
    settled = _settle(
        runner,
        lambda carry: _outputs(runner, body, own + carry, around[first:]),
        carry,
        equation.zeros[last:],
    )
    if settled is None:
        return pin_everything(runner.labels, equation, *operands)
    carry, _ = settled
    _outputs(runner, condition, [*constants, *carry], [*around[:first], *around[last:]])
    return carry


def cond(runner: Runner, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
    """The branches agree on how their outputs move; the choice is a scalar."""
    around = runner.steps[1:]
    results = [_outputs(runner, body, operands[1:], around) for body in equation.bodies]
    return [
        tie(runner.labels, Law.EQUAL, align_layouts(runner.labels, branches), branches)
        for branches in zip(*results, strict=True)
    ]


CONTROL = {"scan": scan, "while": while_loop, "cond": cond}
"""The rule of every primitive that has bodies: ``rule(interpreter, equation, operands)``."""
