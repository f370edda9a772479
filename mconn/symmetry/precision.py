"""Evaluates a traced network in double precision, whatever types it was written for.

Tracing the network again with 64-bit types would not do: a type fixed in the model (a bfloat16
layer, a float32 carry) would stay narrow or clash. Here every equation has its operands widened.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mconn.jaxprs import Equation, Program, bind, evaluate, has_jaxpr


def evaluate_in_double(program: Program, arguments: Sequence[Any]) -> list[Any]:
    """The outputs of a program in double precision; call it with 64-bit types enabled."""
    wide = [widened(argument) for argument in arguments]
    outputs = evaluate(program, wide, program.outputs, bind_in_double)
    return [widened(output) for output in outputs]


def bind_in_double(equation: Equation, operands: Sequence[Any]) -> list[Any]:
    """Apply an equation to widened operands."""
    wide = [widened(operand) for operand in operands]
    if equation.bodies:
        return {"scan": scan, "while": while_loop, "cond": cond}[equation.primitive](equation, wide)
    if equation.primitive == "reduce_precision":
        return wide
    if equation.primitive == "bitcast_convert_type" or has_jaxpr(equation):
        # The width of these is part of what they compute, or of a jaxpr that they hold.
        narrow = [x.astype(t) for x, t in zip(wide, equation.operand_types, strict=True)]
        return [widened(result) for result in bind(equation, narrow, equation.parameters)]
    parameters = {name: widened_type(value) for name, value in equation.parameters.items()}
    return [widened(result) for result in bind(equation, wide, parameters)]


def scan(equation: Equation, operands: list[Any]) -> list[Any]:
    """A scan over the widened body."""
    (body,), parameters = equation.bodies, equation.parameters
    first, carried = parameters["num_consts"], parameters["num_carry"]
    constants, carry = operands[:first], operands[first : first + carried]

    def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = evaluate_in_double(body, [*constants, *carry, *slices])
        return outputs[:carried], outputs[carried:]

    length, reverse = parameters["length"], parameters["reverse"]
    carry, steps = jax.lax.scan(step, carry, operands[first + carried :], length, reverse)
    return [*carry, *steps]


def while_loop(equation: Equation, operands: list[Any]) -> list[Any]:
    """A loop over the widened body."""
    condition, body = equation.bodies
    first = equation.parameters["cond_nconsts"]
    last = first + equation.parameters["body_nconsts"]
    return jax.lax.while_loop(
        lambda carry: evaluate_in_double(condition, [*operands[:first], *carry])[0],
        lambda carry: evaluate_in_double(body, [*operands[first:last], *carry]),
        operands[last:],
    )


def cond(equation: Equation, operands: list[Any]) -> list[Any]:
    """A choice between the widened branches."""
    branches = [lambda *rest, body=body: evaluate_in_double(body, rest) for body in equation.bodies]
    return jax.lax.switch(operands[0], branches, *operands[1:])


def widened(value: Any) -> Any:
    """The value in double precision; integers, booleans and keys stay as they are."""
    wide = widened_type(jnp.result_type(value))
    return value if wide == jnp.result_type(value) else jnp.asarray(value, wide)


def widened_type(entry: Any) -> Any:
    """The wide type for a narrow float or complex type; everything else stays as it is."""
    is_narrow = isinstance(entry, jnp.dtype) and jnp.issubdtype(entry, jnp.inexact)
    return jnp.promote_types(entry, jnp.float64) if is_narrow else entry
