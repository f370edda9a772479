"""The proof of the pudding: random elements of every generator, applied in float64.

Whatever types a network was written for, it is evaluated in double precision. Tracing it again with
64-bit types would not do: a type fixed in the model (a bfloat16 layer, a float32 carry) would stay
narrow or clash. Here every equation of the traced network has its operands widened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from mconn.checks import check_kind
from mconn.errors import SymmetryError
from mconn.jaxprs import Equation, Program, bind, evaluate, has_jaxpr, trace, without_epsilon
from mconn.symmetry.action import Element, check_fits, move_leaf
from mconn.symmetry.group import Generator, Group, check_group
from mconn.trees import named_leaves
from mconn.types import ApplyFn, Key, Params


@dataclass(frozen=True)
class Certificate:
    """How much the outputs change under a random element of every generator.

    Attributes:
        changes: for every generator the largest change of an entry of an output, relative to the
            largest entry of that output. For a generator that is exact but for the epsilon of a
            normaliser it is the change with epsilon at zero.
        tolerance: the largest change that counts as rounding.
        approximate: for those generators the change with epsilon as it is.
    """

    changes: dict[str, float]
    tolerance: float
    approximate: dict[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        """The largest change of all generators."""
        return max(self.changes.values(), default=0.0)

    @property
    def holds(self) -> bool:
        """Whether every change is within the tolerance."""
        return all(change <= self.tolerance for change in self.changes.values())

    def check(self) -> "Certificate":
        """Return the certificate if it holds.

        Raises:
            SymmetryError: naming the generator that changes the outputs most.
        """
        for name, change in sorted(self.changes.items(), key=lambda item: -item[1]):
            if not change <= self.tolerance:
                raise SymmetryError(
                    f"the generator '{name}' changes the outputs by {change:.1e} of their size, "
                    f"more than {self.tolerance:.0e}: leave it out of the symmetry, and report it"
                )
        return self


def certify(
    group: Group,
    apply: ApplyFn,
    params: Params,
    *inputs: Any,
    key: Key | None = None,
    tolerance: float = 1e-10,
) -> Certificate:
    """Apply a random element of every generator in float64, and compare the outputs.

    The parameters are jittered first, so that zero biases or equal scales cannot hide a fault;
    leaves without a negative entry (variances) stay so. The network is evaluated in double
    precision even where it asks for a narrower type. One program is compiled, and it evaluates the
    network once per generator and once more.

    Args:
        group: The group to check.
        apply: The network, ``apply(params, *inputs) -> output``.
        params: Its parameters, of any float type.
        *inputs: A few examples.
        key: What the jitter and the elements are drawn with; always the same by default.
        tolerance: The largest relative change that still counts as rounding.

    Returns:
        The largest relative change per generator; call `Certificate.check` to insist on it.
    """
    check_group(group)
    check_kind("apply", apply, cast(type, Callable), "pass the function apply(params, *inputs)")
    rng = np.random.default_rng(0 if key is None else np.asarray(jax.random.key_data(key)))
    if not group.generators:
        return Certificate({}, tolerance)

    params, inputs = jax.tree.map(jnp.asarray, (params, inputs))
    check_fits(group, params)
    program = trace(apply, params, *inputs)
    with jax.enable_x64(True):
        parts = {each.name: draw_part(each, rng) for each in group.generators}
        params = jax.tree.map(lambda leaf: jittered(leaf, rng), params)
        found = _changes(program, group, parts, params, inputs)
        if all(each.exact for each in group.generators):
            return Certificate(found, tolerance)
        limit = _changes(without_epsilon(program), group, parts, params, inputs)
    inexact = {each.name for each in group.generators if not each.exact}
    return Certificate(
        {name: limit[name] if name in inexact else found[name] for name in found},
        tolerance,
        {name: found[name] for name in found if name in inexact},
    )


def _changes(
    program: Program, group: Group, parts: Element, params: Params, inputs: Sequence[Any]
) -> dict[str, float]:
    outputs = jax.jit(lambda *arguments: evaluate_in_double(program, jax.tree.leaves(arguments)))
    leaves = named_leaves(params)
    expected = outputs(list(leaves.values()), inputs)
    found = {}
    for generator in group.generators:
        moved = dict(leaves)
        for site in generator.sites:
            leaf = np.asarray(moved[site.leaf])
            moved[site.leaf] = move_leaf(generator, site, parts[generator.name], leaf)
        after = outputs(list(moved.values()), inputs)
        # NaN shows in NumPy's maximum, and not in Python's.
        found[generator.name] = float(np.max([*map(_relative_change, expected, after), 0.0]))
    return found


def draw_part(generator: Generator, rng: np.random.Generator) -> np.ndarray:
    """A random part of an element, drawn by NumPy: JAX would compile a program for every shape."""
    shape = generator.shape
    if generator.kind == "permutation":
        return np.argsort(rng.random(shape), axis=-1)
    if generator.kind == "sign":
        return rng.choice([-1.0, 1.0], shape)
    if generator.kind == "rotation":
        return rng.uniform(-np.pi, np.pi, shape)
    if generator.kind == "scaling":
        return np.exp(0.5 * rng.normal(size=shape))
    rotation, triangle = np.linalg.qr(rng.normal(size=shape))
    if generator.kind == "orthogonal":
        return rotation
    # The triangle with a safe diagonal makes it a matrix of any kind that is easily inverted.
    return rotation @ (np.triu(triangle, 1) / generator.size + np.eye(generator.size))


def _relative_change(expected: Any, moved: Any) -> float:
    wide = np.promote_types(expected.dtype, np.float64)
    before, after = np.asarray(expected, wide), np.asarray(moved, wide)
    scale = np.max(np.abs(before), initial=0.0)
    return np.max(np.abs(after - before), initial=0.0) / (scale or 1.0)


def jittered(leaf: Any, rng: np.random.Generator) -> Any:
    """The leaf in double precision, scaled and shifted at random.

    A leaf without a negative entry (a variance, a scale) keeps this property.
    """
    leaf = _widened(leaf)
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
        return leaf
    entries = np.asarray(leaf)
    scale = float(np.sqrt(np.mean(entries**2))) if entries.size else 0.0
    shift = rng.normal(size=entries.shape) * 0.3 * (scale or 1.0)
    is_positive = bool(np.all(entries >= 0))
    scaled = entries * np.exp(0.3 * rng.normal(size=entries.shape))
    return scaled + (np.abs(shift) if is_positive else shift)


def evaluate_in_double(program: Program, arguments: Sequence[Any]) -> list[Any]:
    """The outputs of a program in double precision; call it with 64-bit types enabled."""
    wide = [_widened(argument) for argument in arguments]
    outputs = evaluate(program, wide, program.outputs, _bind_in_double)
    return [_widened(output) for output in outputs]


def _bind_in_double(equation: Equation, operands: Sequence[Any]) -> list[Any]:
    wide = [_widened(operand) for operand in operands]
    if equation.bodies:
        return {"scan": _scan, "while": _while_loop, "cond": _cond}[equation.primitive](
            equation, wide
        )
    if equation.primitive == "reduce_precision":
        return wide
    if equation.primitive == "bitcast_convert_type" or has_jaxpr(equation):
        # The width of these is part of what they compute, or of a jaxpr that they hold.
        narrow = [x.astype(t) for x, t in zip(wide, equation.operand_types, strict=True)]
        return [_widened(result) for result in bind(equation, narrow, equation.parameters)]
    parameters = {name: _widened_type(value) for name, value in equation.parameters.items()}
    return [_widened(result) for result in bind(equation, wide, parameters)]


def _scan(equation: Equation, operands: list[Any]) -> list[Any]:
    (body,), parameters = equation.bodies, equation.parameters
    first, carried = parameters["num_consts"], parameters["num_carry"]
    constants, carry = operands[:first], operands[first : first + carried]

    def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = evaluate_in_double(body, [*constants, *carry, *slices])
        return outputs[:carried], outputs[carried:]

    length, reverse = parameters["length"], parameters["reverse"]
    carry, steps = jax.lax.scan(step, carry, operands[first + carried :], length, reverse)
    return [*carry, *steps]


def _while_loop(equation: Equation, operands: list[Any]) -> list[Any]:
    condition, body = equation.bodies
    first = equation.parameters["cond_nconsts"]
    last = first + equation.parameters["body_nconsts"]
    return jax.lax.while_loop(
        lambda carry: evaluate_in_double(condition, [*operands[:first], *carry])[0],
        lambda carry: evaluate_in_double(body, [*operands[first:last], *carry]),
        operands[last:],
    )


def _cond(equation: Equation, operands: list[Any]) -> list[Any]:
    branches = [lambda *rest, body=body: evaluate_in_double(body, rest) for body in equation.bodies]
    return jax.lax.switch(operands[0], branches, *operands[1:])


def _widened(value: Any) -> Any:
    wide = _widened_type(jnp.result_type(value))
    return value if wide == jnp.result_type(value) else jnp.asarray(value, wide)


def _widened_type(entry: Any) -> Any:
    is_narrow = isinstance(entry, jnp.dtype) and jnp.issubdtype(entry, jnp.inexact)
    return jnp.promote_types(entry, jnp.float64) if is_narrow else entry
