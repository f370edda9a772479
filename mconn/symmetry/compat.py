"""From a function to a flat list of equations: the only module that knows the versions of JAX.

JAX 0.10 and 0.12 are two dialects of jaxpr: closed and open jaxprs became one class, and scan tells
its operands apart in another way. Here both become a `Program`, with every call (jit, remat,
custom_jvp, ...) inlined and with dead code removed. Values are numbered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend import core, source_info_util

CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "core_call": "call_jaxpr",
    "closed_call": "call_jaxpr",
    "composite": "jaxpr",
    "core_closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}
"""Primitives that only call a jaxpr on their operands, and the parameter that holds it."""

BODIES = {
    "scan": ("jaxpr",),
    "while": ("cond_jaxpr", "body_jaxpr"),
    "cond": ("branches",),
}
"""Control flow that is kept as one equation, and the parameters that hold its jaxprs."""

KEEP_ZERO = frozenset(
    (
        "broadcast_in_dim",
        "convert_element_type",
        "copy",
        "expand_dims",
        "neg",
        "pvary",
        "reshape",
        "squeeze",
        "transpose",
    )
)
"""Primitives that make zero of zero."""

SUMS = frozenset(("add", "add_any"))
LARGEST_EPSILON = 1e-3


@dataclass(frozen=True)
class Equation:
    """One application of a primitive to numbered values.

    ``zeros`` tells which of its operands are known to be zero, ``epsilon`` whether it adds a small
    constant to something, and ``shapes`` are those of its outputs.
    """

    primitive: str
    inputs: tuple[int, ...]
    zeros: tuple[bool, ...]
    epsilon: bool
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    parameters: dict[str, Any]
    bodies: tuple["Program", ...]
    original: Any

    def source(self) -> str:
        """The place in the model, as ``module (file:line)``."""
        place = source_info_util.summarize(self.original.source_info).rpartition("/")[2]
        module = str(self.original.source_info.name_stack)
        return f"{module} ({place})" if module else place

    @property
    def traced_as(self) -> str:
        """The primitive that it was traced as."""
        return self.original.primitive.name

    @property
    def operand_types(self) -> list[Any]:
        """The types that it was traced with."""
        return [atom.aval.dtype for atom in self.original.invars]

    @property
    def has_effects(self) -> bool:
        """Whether it does more than to compute its outputs."""
        return bool(self.original.effects)


@dataclass
class Program:
    """A function as equations over numbered values; ``shapes[v]`` is the shape of value v.

    ``exact`` are the values of a type that holds whole numbers, flags or keys, and ``zeros`` those
    that are known to be zero.
    """

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    exact: set[int] = field(default_factory=set)
    zeros: set[int] = field(default_factory=set)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    equations: list[Equation] = field(default_factory=list)


def trace(apply: Callable[..., Any], *arguments: Any) -> Program:
    """The live equations of ``apply(*arguments)``; the arguments may be abstract."""
    return to_program(*opened(jax.make_jaxpr(apply)(*arguments)))


def opened(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """A jaxpr without its constants, and these."""
    return getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())


def to_program(jaxpr: Any, consts: Sequence[Any]) -> Program:
    """A program that computes what the jaxpr does."""
    program = Program()
    inputs = [new_value(program, var.aval) for var in jaxpr.invars]
    outputs = inline(program, jaxpr, consts, inputs)
    program.inputs, program.outputs = tuple(inputs), tuple(outputs)
    program.equations = live(program.equations, program.outputs)
    return program


def without_epsilon(program: Program) -> Program:
    """The program with zero in the place of every epsilon."""
    gone = {
        number: np.zeros_like(np.asarray(program.constants[number]))
        for equation in program.equations
        if equation.epsilon
        for number in equation.inputs
        if is_epsilon(program, number)
    }
    equations = [
        replace(equation, bodies=tuple(map(without_epsilon, equation.bodies)))
        for equation in program.equations
    ]
    return replace(program, constants=program.constants | gone, equations=equations)


def new_value(program: Program, aval: Any) -> int:
    """The number of a new value."""
    program.shapes.append(shape_of(aval))
    if not jnp.issubdtype(getattr(aval, "dtype", np.dtype(bool)), jnp.inexact):
        program.exact.add(len(program.shapes) - 1)
    return len(program.shapes) - 1


def shape_of(aval: Any) -> tuple[int, ...]:
    """The shape of an abstract value; tokens and the like have none."""
    return tuple(getattr(aval, "shape", ()))


def inline(program: Program, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[int]) -> list[int]:
    """Append the equations of ``jaxpr``, applied to ``inputs``; returns its outputs."""
    values: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> int:
        if not isinstance(atom, core.Literal):
            return values[atom]
        aval: Any = atom.aval
        number = new_value(program, aval)
        add_constant(program, number, np.asarray(atom.val, aval.dtype))
        return number

    for var, constant in zip(jaxpr.constvars, consts, strict=True):
        values[var] = new_value(program, var.aval)
        add_constant(program, values[var], constant)
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        called = CALLS.get(equation.primitive.name)
        if called is not None:
            results = inline(program, *opened(equation.params[called]), operands)
        else:
            results = [new_value(program, var.aval) for var in equation.outvars]
            zeros = tuple(number in program.zeros for number in operands)
            name = equation.primitive.name
            epsilon = name in SUMS and any(is_epsilon(program, number) for number in operands)
            program.equations.append(to_equation(equation, operands, zeros, epsilon, results))
            if (name in KEEP_ZERO and all(zeros)) or (name == "mul" and any(zeros)):
                program.zeros.update(results)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def add_constant(program: Program, number: int, constant: Any) -> None:
    """Note the value of a constant, and whether it is zero."""
    program.constants[number] = constant
    if is_concrete(constant) and not np.any(np.asarray(constant)):
        program.zeros.add(number)


def is_epsilon(program: Program, number: int) -> bool:
    """Whether a value is a small positive constant, as normalisers add to what they divide by."""
    constant = program.constants.get(number)
    if constant is None or not is_concrete(constant) or np.shape(constant):
        return False
    return bool(0 < np.asarray(constant) <= LARGEST_EPSILON)


def to_equation(
    equation: Any,
    inputs: list[int],
    zeros: tuple[bool, ...],
    epsilon: bool,
    outputs: list[int],
) -> Equation:
    """One equation, with the bodies of control flow as programs of their own."""
    name, parameters = equation.primitive.name, dict(equation.params)
    if name == "scan" and "ft_in" in parameters:
        consts, carry, _ = parameters["ft_in"].unpack()
        parameters |= {"num_consts": len(list(consts)), "num_carry": len(list(carry))}
    held = [parameters[key] for key in BODIES.get(name, ())]
    bodies = held[0] if name == "cond" else held
    programs = tuple(to_program(*opened(jaxpr)) for jaxpr in bodies)
    shapes = tuple(shape_of(var.aval) for var in equation.outvars)
    return Equation(
        name, tuple(inputs), zeros, epsilon, tuple(outputs), shapes, parameters, programs, equation
    )


def live(equations: Sequence[Equation], outputs: Sequence[int]) -> list[Equation]:
    """The equations that the outputs depend on, and those with effects."""
    needed, kept = set(outputs), []
    for equation in reversed(equations):
        if equation.has_effects or needed.intersection(equation.outputs):
            needed.update(equation.inputs)
            kept.append(equation)
    return kept[::-1]


def bind(equation: Equation, operands: Sequence[Any], parameters: dict[str, Any]) -> list[Any]:
    """Apply the primitive of an equation to values."""
    primitive = equation.original.primitive
    with equation.original.ctx.manager:
        results = primitive.bind(*operands, **primitive.get_bind_params(parameters))
    return list(results) if primitive.multiple_results else [results]


def bind_as_traced(equation: Equation, operands: Sequence[Any]) -> list[Any]:
    """Apply an equation as it stands."""
    return bind(equation, operands, equation.original.params)


def evaluate(
    program: Program,
    arguments: Sequence[Any],
    wanted: Sequence[int],
    apply: Callable[[Equation, Sequence[Any]], list[Any]] = bind_as_traced,
) -> list[Any]:
    """The values numbered ``wanted``, computed from the flat arguments; can be traced."""
    values = program.constants | dict(zip(program.inputs, arguments, strict=True))
    for equation in live(program.equations, wanted):
        results = apply(equation, [values[number] for number in equation.inputs])
        values.update(zip(equation.outputs, results, strict=True))
    return [values[number] for number in wanted]


def has_jaxpr(equation: Equation) -> bool:
    """Whether a parameter of the equation is a jaxpr."""
    return any(True for _ in core.jaxprs_in_params(equation.parameters))


def is_concrete(constant: Any) -> bool:
    """Whether the entries of a constant can be looked at: it is no tracer and holds no keys."""
    return not isinstance(constant, Tracer) and not jnp.issubdtype(
        jnp.result_type(constant), jax.dtypes.extended
    )
