"""Tests, with random numbers, that a sum is proportional to two leaves and that they do no more."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.jaxprs import Equation, Program, evaluate, live
from mconn.repair.additions import Addition, Units

TOLERANCE = 1e-3
"""Relative; a sum that is not proportional is wrong by tens of per cent."""


class Candidate(NamedTuple):
    """A leaf, by its position, that may multiply what the bias of an addition is added to."""

    addition: Addition
    weight: int
    axes: tuple[int, ...]


class Section(NamedTuple):
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
    sections = [(each, section_of(program, each)) for each in candidates]
    private = [(each, section) for each, section in sections if section is not None]
    random = np.random.default_rng(0)
    types = [np.dtype(jnp.result_type(leaf)) for leaf in leaves.values()]
    arguments = []
    for each, section in private:
        known = dict(zip(program.inputs, types, strict=False)) | section.types
        drawn = [
            draw(random, program.shapes[number], known[number]) for number in section.program.inputs
        ]
        factors = draw(random, Units(program, each.addition).bias, types[each.addition.leaf])
        arguments.append((drawn, factors))

    def errors(arguments: Sequence[Any]) -> list[Float[Array, ""]]:
        return [
            relative_error(program, each, section, *drawn)
            for (each, section), drawn in zip(private, arguments, strict=True)
        ]

    found = jax.device_get(jax.jit(errors)(arguments)) if private else []
    return [each for (each, _), error in zip(private, found, strict=True) if error <= TOLERANCE]


def section_of(program: Program, candidate: Candidate) -> Section | None:
    """The equations between the leaves and the sum; None if the leaves lead anywhere else."""
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
    return Section(section, types)


def draw(random: np.random.Generator, shape: tuple[int, ...], kind: Any) -> np.ndarray:
    """Numbers between 1/2 and 3/2, or zeros of a type that holds no such numbers."""
    if jnp.issubdtype(kind, jnp.inexact):
        return random.uniform(0.5, 1.5, size=shape).astype(kind)
    return np.zeros(shape, np.int32 if jnp.issubdtype(kind, jax.dtypes.extended) else kind)


def relative_error(
    program: Program,
    candidate: Candidate,
    section: Section,
    drawn: Sequence[Float[Array, "..."]],
    factors: Float[Array, "..."],
) -> Float[Array, ""]:
    """How far the sum is from its multiple when the leaves are multiplied."""
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
