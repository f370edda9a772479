"""The table of rules: what each primitive does to the labels of its operands.

A rule takes the labels, the equation and the layouts of its operands, aligns or pins what must
move together or not at all, and returns the layouts of its outputs. It must hold for every
permutation of every label that it leaves free: permuting the operands permutes the outputs.
"""

from collections.abc import Callable, Sequence

from mconn.jaxprs import Equation
from mconn.symmetry.labels import Axis, Labels, Layout, axis_size, uniform

Rule = Callable[..., Sequence[Layout]]
"""``rule(labels, equation, *operands) -> outputs``."""

RULES: dict[str, Rule] = {}


def primitives(names: str) -> frozenset[str]:
    """The primitives named in a text."""
    return frozenset(names.split())


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of the named primitives."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def pin_axes(labels: Labels, layout: Layout, axes: Sequence[int], text: str) -> Layout:
    """Pin some axes of a value; in the layout returned they are fixed even where it was uniform."""
    fixed = list(layout)
    for axis in axes:
        labels.pin(layout[axis], text)
        fixed[axis] = labels.pinned(axis_size(layout[axis]), text)
    return tuple(fixed)


def pin_everything(labels: Labels, equation: Equation, *operands: Layout) -> list[Layout]:
    """Pin all operands and outputs: the rule of whatever has no better one."""
    for operand in operands:
        pin_axes(labels, operand, range(len(operand)), equation.primitive)
    return [
        tuple(labels.pinned(size, equation.primitive) for size in shape)
        for shape in equation.shapes
    ]


def zero_free(equation: Equation, operands: Sequence[Layout], first: int = 0) -> list[Layout]:
    """The operands that are not known to be zero: a zero goes with every multiple of the others.

    Those before the ``first`` stay in any case.
    """
    pairs = enumerate(zip(operands, equation.zeros, strict=False))
    return [operand for i, (operand, is_zero) in pairs if i < first or not is_zero]


def align_layouts(labels: Labels, layouts: Sequence[Layout]) -> Layout:
    """The common layout of values of one rank that move together; axes of size one broadcast."""
    result: list[Axis] = []
    for axes in zip(*layouts, strict=True):
        size = max(axis_size(axis) for axis in axes)
        common = uniform(size)
        for axis in axes:
            if axis_size(axis) == size:
                common = labels.align(common, axis)
        result.append(common)
    return tuple(result)


# These are known to move entries about, or to draw at random: nothing they touch may be permuted.
rule(
    *primitives("""
        random_bits random_clone random_fold_in random_gamma random_seed random_split random_unwrap
        random_wrap rng_bit_generator rng_uniform scatter scatter-add scatter-max scatter-min
        scatter-mul scatter-sub scatter_add scatter_max scatter_min scatter_mul scatter_sub
        select_and_gather_add select_and_scatter_add threefry2x32
    """)
)(pin_everything)
