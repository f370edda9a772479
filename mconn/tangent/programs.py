"""A network on one example as a flat list of equations, with its derivatives left as they are."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from mconn.errors import StructureError
from mconn.symmetry.compat import CALLS, Program, add_constant, live, new_value, opened, to_equation
from mconn.types import ApplyFn, Params

INLINED = {name: body for name, body in CALLS.items() if not name.startswith("custom")}
"""Calls that are looked into. A custom derivative would be lost: that of ReLU at 0 is one."""


def one_example(apply: ApplyFn, params: Params, example: Any) -> Any:
    """The outputs of one example, shape (classes,).

    Raises:
        StructureError: if the network does not return one row of outputs per example.
    """
    outputs = apply(params, jax.tree.map(lambda leaf: leaf[None], example))
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != 1:
        raise StructureError(
            f"the network maps one example to {shape or type(outputs).__name__}, not to (1, "
            "outputs): pass an apply(params, inputs) that returns one row of outputs per example"
        )
    return outputs[0]


def trace(apply: ApplyFn, params: Params, example: Any) -> Program:
    """The live equations of a network on one example; the arguments may be abstract."""
    jaxpr = jax.make_jaxpr(lambda params, example: one_example(apply, params, example))
    closed, consts = opened(jaxpr(params, example))
    program = Program()
    inputs = [new_value(program, var.aval) for var in closed.invars]
    outputs = inline(program, closed, consts, inputs)
    program.inputs, program.outputs = tuple(inputs), tuple(outputs)
    program.equations = live(program.equations, program.outputs)
    return program


def inline(program: Program, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[int]) -> list[int]:
    """Append the equations of ``jaxpr``, applied to ``inputs``; returns its outputs."""
    values: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> int:
        if not isinstance(atom, core.Literal):
            return values[atom]
        aval: Any = atom.aval
        number = new_value(program, aval)
        add_constant(program, number, jnp.asarray(atom.val, aval.dtype))
        return number

    for var, constant in zip(jaxpr.constvars, consts, strict=True):
        values[var] = new_value(program, var.aval)
        add_constant(program, values[var], constant)
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        called = INLINED.get(equation.primitive.name)
        if called is not None:
            results = inline(program, *opened(equation.params[called]), operands)
        else:
            results = [new_value(program, var.aval) for var in equation.outvars]
            unknown = (False,) * len(operands)
            program.equations.append(to_equation(equation, operands, unknown, False, results))
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]
