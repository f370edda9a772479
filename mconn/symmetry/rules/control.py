"""Control flow: the rules that run the rules of a body."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from mconn.symmetry.compat import Equation, Program
from mconn.symmetry.labels import Labels
from mconn.symmetry.layout import Layout
from mconn.symmetry.rules.table import align_layouts, pin_everything

ROUNDS = 16
"""A loop whose carried labels have not settled after so many rounds is pinned."""


@runtime_checkable
class Runner(Protocol):
    """What a rule needs to run a body: see `mconn.symmetry.interpret.Interpreter`."""

    labels: Labels

    def run(self, program: Program, arguments: Sequence[Layout]) -> dict[int, Layout]:
        """The layout of every value of a program, by number."""
        ...


def outputs(runner: Runner, body: Program, arguments: Sequence[Layout]) -> list[Layout]:
    """The layouts of the outputs of a body."""
    layouts = runner.run(body, arguments)
    return [layouts[number] for number in body.outputs]


def settle(
    runner: Runner, step: Callable[[list[Layout]], list[Layout]], carry: list[Layout]
) -> tuple[list[Layout], list[Layout]] | None:
    """Run a loop's body until what it carries does not change; returns the carry and all outputs.

    A carry that starts uniform (zeros) takes the labels that the first round gives it.
    """

    def resolved(layouts: Sequence[Layout]) -> list[Layout]:
        return [tuple(runner.labels.resolve(axis) for axis in layout) for layout in layouts]

    for _ in range(ROUNDS):
        results = step(carry)
        after = [
            align_layouts(runner.labels, pair)
            for pair in zip(carry, results[: len(carry)], strict=True)
        ]
        if resolved(after) == resolved(carry):
            return after, results
        carry = after
    return None


def scan(runner: Runner, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
    """The steps stay in their order; carried axes move together before and after a step."""
    (body,) = equation.bodies
    first, last = equation.parameters["num_consts"], equation.parameters["num_carry"]
    constants, carry = list(operands[:first]), list(operands[first : first + last])
    scanned = operands[first + last :]
    for layout in scanned:
        runner.labels.pin(layout[0], "the steps of a scan")
    slices = [layout[1:] for layout in scanned]
    settled = settle(runner, lambda carry: outputs(runner, body, constants + carry + slices), carry)
    if settled is None:
        return pin_everything(runner.labels, equation, *operands)
    carry, results = settled
    length = equation.parameters["length"]
    steps = runner.labels.pinned(length, "the steps of a scan")
    return [*carry, *((steps, *layout) for layout in results[last:])]


def while_loop(runner: Runner, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
    """Carried axes move together before and after a step; the condition is a scalar."""
    condition, body = equation.bodies
    first = equation.parameters["cond_nconsts"]
    last = first + equation.parameters["body_nconsts"]
    constants, own, carry = operands[:first], list(operands[first:last]), list(operands[last:])
    settled = settle(runner, lambda carry: outputs(runner, body, own + carry), carry)
    if settled is None:
        return pin_everything(runner.labels, equation, *operands)
    carry, _ = settled
    outputs(runner, condition, [*constants, *carry])
    return carry


def cond(runner: Runner, equation: Equation, operands: Sequence[Layout]) -> Sequence[Layout]:
    """The branches agree on how their outputs move; the choice is a scalar."""
    results = [outputs(runner, body, operands[1:]) for body in equation.bodies]
    return [align_layouts(runner.labels, branches) for branches in zip(*results, strict=True)]


CONTROL = {"scan": scan, "while": while_loop, "cond": cond}
"""The rule of every primitive that has bodies: ``rule(interpreter, equation, operands)``."""
