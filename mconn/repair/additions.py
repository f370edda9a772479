"""Where leaves of the parameters enter a traced program: added, or multiplied with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.jaxprs import BODIES, KEEP_ZERO, SUMS, Equation, Program, bind, evaluate, live
from mconn.trees import wide

_SPREADING = KEEP_ZERO - {"neg"}
"""Primitives that only put the entries of a value in other places, or in another precision."""

_PRODUCTS = frozenset(("mul", "dot_general", "conv_general_dilated", "gather"))


class Addition(NamedTuple):
    """A leaf, by its position, that is added to a value which depends on the inputs: their sum.

    The operand is the number of the value that is added: the leaf, spread over the other axes.
    """

    leaf: int
    operand: int
    value: int


class Uses(NamedTuple):
    """How a program uses the leaves of the parameters, by position: added, multiplied, in loops."""

    additions: tuple[Addition, ...]
    multiplied: tuple[int, ...]
    looped: tuple[int, ...]


def uses(program: Program, leaves: int) -> Uses:
    """Find how the first ``leaves`` inputs of a program are used."""
    origin = {number: i for i, number in enumerate(program.inputs[:leaves])}
    dependent = set(program.inputs[leaves:])
    additions: list[Addition] = []
    multiplied: dict[int, None] = {}
    looped: dict[int, None] = {}
    for equation in program.equations:
        taken = [origin[number] for number in equation.inputs if number in origin]
        if dependent.intersection(equation.inputs):
            dependent.update(equation.outputs)
        elif equation.primitive in _SPREADING and taken:
            origin.update(dict.fromkeys(equation.outputs, taken[0]))
        if equation.primitive in _PRODUCTS:
            multiplied.update(dict.fromkeys(taken))
        elif equation.primitive in BODIES:
            looped.update(dict.fromkeys(taken))
        elif equation.primitive in SUMS and dependent.intersection(equation.inputs):
            (value,) = equation.outputs
            additions += [
                Addition(origin[number], number, value)
                for number in equation.inputs
                if number in origin
            ]
    return Uses(tuple(additions), tuple(multiplied), tuple(looped))


class Units:
    """The units of an addition: one number per entry of the bias, and their places in the value."""

    def __init__(self, program: Program, addition: Addition) -> None:
        leaf, operand, value = addition
        self.addition = addition
        self.bias = program.shapes[program.inputs[leaf]]
        self.shape = program.shapes[value]
        chain = [each for each in live(program.equations, [operand]) if not each.has_effects]
        self.chain = replace(program, inputs=(program.inputs[leaf],), equations=chain)

    def spread(self, numbers: Float[Array, "*units"]) -> Float[Array, "..."]:
        """One number per unit in the places of the value, as the program spreads the bias."""

        def without_rounding(equation: Equation, operands: Sequence[Any]) -> list[Any]:
            is_cast = equation.primitive == "convert_element_type"
            return list(operands) if is_cast else bind(equation, operands)

        (spread,) = evaluate(self.chain, [numbers], [self.addition.operand], without_rounding)
        return jnp.broadcast_to(spread, self.shape)

    def mean(self, values: Float[Array, "..."]) -> Float[Array, "*units"]:
        """The mean over all places of every unit: examples, and positions or pixels."""
        values = wide(values)
        one = jax.ShapeDtypeStruct(self.bias, values.dtype)
        (total,) = jax.linear_transpose(self.spread, one)(values)
        samples = values.size / total.size
        return total / samples


_TOLERANCE = 1e-3
"""Relative; a sum that is not proportional is wrong by tens of per cent."""


class Candidate(NamedTuple):
    """A leaf, by its position, that may multiply what the bias of an addition is added to."""

    addition: Addition
    weight: int
    axes: tuple[int, ...]


class _Section(NamedTuple):
    """The equations between two leaves and their sum, and the values that come from outside."""

    program: Program
    types: dict[int, Any]


def scales_alone(
    program: Program, leaves: Mapping[str, Any], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Those candidates with which the sum is multiplied by s if weight and bias are, and no more.

    Only the equations between the leaves and the sum are computed, on random positive numbers,
    all in one compiled program.
    """
    sections = [(each, _section_of(program, each)) for each in candidates]
    private = [(each, section) for each, section in sections if section is not None]
    random = np.random.default_rng(0)
    types = [np.dtype(jnp.result_type(leaf)) for leaf in leaves.values()]
    arguments = []
    for each, section in private:
        known = dict(zip(program.inputs, types, strict=False)) | section.types
        drawn = [
            _draw(random, program.shapes[number], known[number])
            for number in section.program.inputs
        ]
        factors = _draw(random, Units(program, each.addition).bias, types[each.addition.leaf])
        arguments.append((drawn, factors))

    def errors(arguments: Sequence[Any]) -> list[Float[Array, ""]]:
        return [
            _relative_error(program, each, section, *drawn)
            for (each, section), drawn in zip(private, arguments, strict=True)
        ]

    found = jax.device_get(jax.jit(errors)(arguments)) if private else []
    return [each for (each, _), error in zip(private, found, strict=True) if error <= _TOLERANCE]


def _section_of(program: Program, candidate: Candidate) -> _Section | None:
    (bias, _, value), weight = candidate.addition, candidate.weight
    made = {program.inputs[bias], program.inputs[weight]}
    local: list[Equation] = []
    for equation in live(program.equations, [value]):
        if made.intersection(equation.inputs):
            local.append(equation)
            made.update(equation.outputs)
    inside = made - {value}
    numbers = {output for equation in local for output in equation.outputs}
    for equation in program.equations:
        if inside.intersection(equation.inputs) and not numbers.intersection(equation.outputs):
            return None
    if inside.intersection(program.outputs):
        return None
    types = {
        number: kind
        for equation in local
        for number, kind in zip(equation.inputs, equation.operand_types, strict=True)
        if number not in made and number not in program.constants
    }
    leaves = (program.inputs[bias], program.inputs[weight])
    section = replace(program, inputs=(*leaves, *types), equations=local, outputs=(value,))
    return _Section(section, types)


def _draw(random: np.random.Generator, shape: tuple[int, ...], kind: Any) -> np.ndarray:
    if jnp.issubdtype(kind, jnp.inexact):
        return random.uniform(0.5, 1.5, size=shape).astype(kind)
    return np.zeros(shape, np.int32 if jnp.issubdtype(kind, jax.dtypes.extended) else kind)


def _relative_error(
    program: Program,
    candidate: Candidate,
    section: _Section,
    drawn: Sequence[Float[Array, "..."]],
    factors: Float[Array, "..."],
) -> Float[Array, ""]:
    bias, weight, *outside = drawn
    wanted = section.program.outputs
    (before,) = evaluate(section.program, drawn, wanted)
    scaled = weight * along(factors, candidate.axes, jnp.ndim(weight)).astype(weight.dtype)
    (after,) = evaluate(section.program, [bias * factors, scaled, *outside], wanted)
    expected = before * Units(program, candidate.addition).spread(factors)
    return jnp.abs(after - expected).max() / jnp.abs(expected).max()


def along(
    numbers: Float[Array | np.ndarray, "*units"], axes: tuple[int, ...], rank: int
) -> Float[Array, "..."]:
    """One number per unit as a factor of a leaf that has the units along neighbouring axes."""
    shape = [1] * rank
    for axis, size in zip(axes, np.shape(numbers), strict=True):
        shape[axis] = size
    return jnp.reshape(jnp.asarray(numbers), shape)
