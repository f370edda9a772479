"""The proof of the pudding: random elements of every generator, applied in float64."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import SymmetryError
from mconn.symmetry.compat import trace
from mconn.symmetry.group import Element, Symmetry, act
from mconn.symmetry.precision import evaluate_in_double, widened
from mconn.types import ApplyFn, Key, Params


@dataclass(frozen=True)
class Certificate:
    """How much the outputs change under a random element of every generator.

    ``changes`` holds, for every generator, the largest change of an entry of an output, relative to
    the largest entry of that output.
    """

    changes: dict[str, float]
    tolerance: float

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
    symmetry: Symmetry,
    apply: ApplyFn,
    params: Params,
    *inputs: Any,
    key: Key,
    tolerance: float = 1e-10,
) -> Certificate:
    """Apply a random element of every generator in float64, and compare the outputs.

    The parameters are jittered first, so that zero biases or equal scales cannot hide a fault;
    leaves without a negative entry (variances) stay so. The network is evaluated in double
    precision even where it asks for a narrower type. One program is compiled, and it evaluates the
    network once per generator and once more.

    Args:
        symmetry: The group to check.
        apply: The network, ``apply(params, *inputs) -> output``.
        params: Its parameters, of any float type.
        *inputs: A few examples.
        key: What the jitter and the elements are drawn with.
        tolerance: The largest relative change that still counts as rounding.

    Returns:
        The largest relative change per generator; call `Certificate.check` to insist on it.
    """
    names = list(symmetry.sizes)
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    if not names:
        return Certificate({}, tolerance)

    params, inputs = jax.tree.map(jnp.asarray, (params, inputs))
    program = trace(apply, params, *inputs)

    def changes(elements: Any, params: Params, inputs: tuple[Any, ...]) -> Any:
        def outputs(params: Params) -> list[Any]:
            return evaluate_in_double(program, jax.tree.leaves((params, *inputs)))

        expected = outputs(params)

        def change(element: Element) -> Any:
            moved = outputs(act(symmetry, element, params))
            return jnp.stack(list(map(relative_change, expected, moved))).max()

        return jax.lax.map(change, elements)

    with jax.enable_x64(True):
        elements = {
            name: np.stack(
                [random.permutation(size) if other == name else np.arange(size) for other in names]
            )
            for name, size in symmetry.sizes.items()
        }
        jittered_params = jax.tree.map(lambda leaf: jittered(leaf, random), params)
        found = jax.jit(changes)(elements, jittered_params, inputs)
    return Certificate(dict(zip(names, np.asarray(found).tolist(), strict=True)), tolerance)


def relative_change(expected: Any, moved: Any) -> Float[Array, ""]:
    """The largest change of an entry, relative to the largest entry."""
    wide = jnp.promote_types(jnp.result_type(expected), jnp.float64)
    expected, moved = jnp.asarray(expected, wide), jnp.asarray(moved, wide)
    scale = jnp.max(jnp.abs(expected), initial=0.0)
    return jnp.max(jnp.abs(moved - expected), initial=0.0) / jnp.where(scale == 0, 1.0, scale)


def jittered(leaf: Any, random: np.random.Generator) -> Any:
    """The leaf in double precision, scaled and shifted at random.

    A leaf without a negative entry (a variance, a scale) keeps this property.
    """
    leaf = widened(leaf)
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
        return leaf
    entries = np.asarray(leaf)
    scale = float(np.sqrt(np.mean(entries**2))) if entries.size else 0.0
    shift = random.normal(size=entries.shape) * 0.3 * (scale or 1.0)
    is_positive = bool(np.all(entries >= 0))
    scaled = entries * np.exp(0.3 * random.normal(size=entries.shape))
    return jnp.asarray(scaled + (np.abs(shift) if is_positive else shift))
