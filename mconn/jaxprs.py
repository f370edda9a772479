"""From a function to a flat list of equations, and back to numbers: what reads jaxprs.

`trace` makes a `Program` of a function: numbered values, every call (jit, remat, custom_jvp, ...)
inlined, and dead code removed. `evaluate` computes any of its values, with other operations in
place of some of its equations if need be. This is the only module that knows the versions of JAX:
0.10 and 0.12 are two dialects of jaxpr, in which closed and open jaxprs became one class, and scan
tells its operands apart in another way.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend import core, source_info_util

_CALLS = {
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

_CUSTOM = frozenset(name for name in _CALLS if name.startswith("custom"))

BODIES = {"scan": ("jaxpr",), "while": ("cond_jaxpr", "body_jaxpr"), "cond": ("branches",)}
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
"""Primitives that add their operands."""

_LARGEST_EPSILON = 1e-3


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


def trace(apply: Callable[..., Any], *arguments: Any, custom_derivatives: bool = False) -> Program:
    """The live equations of ``apply(*arguments)``; the arguments may be abstract.

    Args:
        apply: a function of pytrees of arrays.
        *arguments: what it is applied to, arrays or their shapes.
        custom_derivatives: whether a call with a derivative of its own stays one equation, so that
            the derivatives of the evaluated program are those of the function (that of ReLU at 0 is
            one). Otherwise it is inlined as all other calls are.
    """
    calls = _CALLS if not custom_derivatives else _CALLS.keys() - _CUSTOM
    return _to_program(*_opened(jax.make_jaxpr(apply)(*arguments)), calls)


def without_epsilon(program: Program) -> Program:
    """The program with zero in the place of every epsilon."""
    gone = {
        number: np.zeros_like(np.asarray(program.constants[number]))
        for equation in program.equations
        if equation.epsilon
        for number in equation.inputs
        if _is_epsilon(program, number)
    }
    equations = [
        replace(equation, bodies=tuple(map(without_epsilon, equation.bodies)))
        for equation in program.equations
    ]
    return replace(program, constants=program.constants | gone, equations=equations)


def live(equations: Sequence[Equation], outputs: Sequence[int]) -> list[Equation]:
    """The equations that the outputs depend on, and those with effects."""
    needed, kept = set(outputs), []
    for equation in reversed(equations):
        if equation.has_effects or needed.intersection(equation.outputs):
            needed.update(equation.inputs)
            kept.append(equation)
    return kept[::-1]


def bind(
    equation: Equation, operands: Sequence[Any], parameters: dict[str, Any] | None = None
) -> list[Any]:
    """Apply the primitive of an equation to values, as it was traced or with other parameters."""
    primitive = equation.original.primitive
    chosen = equation.original.params if parameters is None else parameters
    with equation.original.ctx.manager:
        results = primitive.bind(*operands, **primitive.get_bind_params(chosen))
    return list(results) if primitive.multiple_results else [results]


def evaluate(
    program: Program,
    arguments: Sequence[Any],
    wanted: Sequence[int],
    apply: Callable[[Equation, Sequence[Any]], list[Any]] = bind,
) -> list[Any]:
    """The values numbered ``wanted``, computed from the flat arguments; can be traced.

    Args:
        program: the function.
        arguments: its arguments, as flat as `jax.tree.leaves` makes them.
        wanted: the numbers of the values to return.
        apply: what computes the outputs of an equation from its operands.
    """
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


def _opened(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """A jaxpr without its constants, and these."""
    return getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())


def _to_program(jaxpr: Any, consts: Sequence[Any], calls: Collection[str]) -> Program:
    program = Program()
    inputs = [_new_value(program, var.aval) for var in jaxpr.invars]
    outputs = _inline(program, jaxpr, consts, inputs, calls)
    program.inputs, program.outputs = tuple(inputs), tuple(outputs)
    program.equations = live(program.equations, program.outputs)
    return program


def _new_value(program: Program, aval: Any) -> int:
    program.shapes.append(_shape_of(aval))
    if not jnp.issubdtype(getattr(aval, "dtype", np.dtype(bool)), jnp.inexact):
        program.exact.add(len(program.shapes) - 1)
    return len(program.shapes) - 1


def _shape_of(aval: Any) -> tuple[int, ...]:
    """The shape of an abstract value; tokens and the like have none."""
    return tuple(getattr(aval, "shape", ()))


def _inline(
    program: Program,
    jaxpr: Any,
    consts: Sequence[Any],
    inputs: Sequence[int],
    calls: Collection[str],
) -> list[int]:
    """Append the equations of ``jaxpr``, applied to ``inputs``; returns its outputs."""
    values: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> int:
        if not isinstance(atom, core.Literal):
            return values[atom]
        aval: Any = atom.aval
        number = _new_value(program, aval)
        _add_constant(program, number, np.asarray(atom.val, aval.dtype))
        return number

    for var, constant in zip(jaxpr.constvars, consts, strict=True):
        values[var] = _new_value(program, var.aval)
        _add_constant(program, values[var], constant)
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        name = equation.primitive.name
        if name in calls:
            called = _opened(equation.params[_CALLS[name]])
            results = _inline(program, *called, operands, calls)
        else:
            results = [_new_value(program, var.aval) for var in equation.outvars]
            zeros = tuple(number in program.zeros for number in operands)
            epsilon = name in SUMS and any(_is_epsilon(program, number) for number in operands)
            bodies = tuple(_to_program(*_opened(body), calls) for body in _bodies(equation))
            shapes = tuple(_shape_of(var.aval) for var in equation.outvars)
            program.equations.append(
                Equation(
                    name,
                    tuple(operands),
                    zeros,
                    epsilon,
                    tuple(results),
                    shapes,
                    _parameters(equation),
                    bodies,
                    equation,
                )
            )
            if (name in KEEP_ZERO and all(zeros)) or (name == "mul" and any(zeros)):
                program.zeros.update(results)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _add_constant(program: Program, number: int, constant: Any) -> None:
    program.constants[number] = constant
    if is_concrete(constant) and not np.any(np.asarray(constant)):
        program.zeros.add(number)


def _is_epsilon(program: Program, number: int) -> bool:
    constant = program.constants.get(number)
    if constant is None or not is_concrete(constant) or np.shape(constant):
        return False
    return bool(0 < np.asarray(constant) <= _LARGEST_EPSILON)


def _bodies(equation: Any) -> Sequence[Any]:
    held = [equation.params[key] for key in BODIES.get(equation.primitive.name, ())]
    return held[0] if equation.primitive.name == "cond" else held


def _parameters(equation: Any) -> dict[str, Any]:
    parameters = dict(equation.params)
    if equation.primitive.name == "scan" and "ft_in" in parameters:
        consts, carry, _ = parameters["ft_in"].unpack()
        parameters |= {"num_consts": len(list(consts)), "num_carry": len(list(carry))}
    return parameters
