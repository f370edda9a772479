"""Activations of any model, read through the labels of its symmetry: no hooks in the model."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.errors import StructureError
from mconn.jaxprs import evaluate, trace
from mconn.symmetry.action import check_fits
from mconn.symmetry.group import Group, Value
from mconn.types import ApplyFn, Params


def activations(
    group: Group, apply: ApplyFn, params: Params, *inputs: Any, moment: str = "after"
) -> dict[str, tuple[Float[Array, "samples size"], ...]]:
    """The intermediate values in which every generator's axis lives.

    The model is traced, and only what these values depend on is computed. Works inside ``jit``, and
    under ``lax.scan`` over batches.

    Args:
        group: What `discover` found for this network; the batch size may differ.
        apply: The network, ``apply(params, *inputs) -> output``.
        params: Its parameters.
        *inputs: One batch of its inputs.
        moment: "after" the nonlinearity (what the next layer contracts), or "before" it.

    Returns:
        For every generator that moves units among each other one array per value in which its axis
        lives: one for a hidden layer, one per block for the residual stream, none for an axis that
        only parameters have. The rows are all other axes (examples, positions), the columns the
        units. Scalings, signs and rotations have no units of their own.

    Raises:
        StructureError: if the parameters or the traced network are not those of the symmetry.
    """
    check_choice("moment", moment, ("before", "after"))
    check_fits(group, params)
    program = trace(apply, params, *inputs)
    generators = [generator for generator in group.generators if generator.moves_units]
    producers = {number: eq.primitive for eq in program.equations for number in eq.outputs}
    places = {
        generator.name: [value for value in generator.values if value.moment == moment]
        for generator in generators
    }
    for generator in generators:
        for value in places[generator.name]:
            end = value.start + value.outer * generator.size * value.inner
            shape = program.shapes[value.number] if value.number in producers else ()
            if producers.get(value.number) != value.primitive or shape[value.axis] < end:
                raise StructureError(
                    f"the generator '{generator.name}' is not where it was when the symmetry was "
                    "discovered: discover it with this function, and with inputs of these shapes"
                )
    wanted = list(dict.fromkeys(value.number for values in places.values() for value in values))
    arguments = jax.tree.leaves((params, *inputs))
    computed = dict(zip(wanted, evaluate(program, arguments, wanted), strict=True))
    return {
        generator.name: tuple(
            units_last(computed[value.number], value, generator.size)
            for value in places[generator.name]
        )
        for generator in generators
    }


def units_last(
    array: Float[Array, "..."], value: Value, size: int
) -> Float[Array, "samples {size}"]:
    """The segment of a value as a matrix with one column per unit."""
    end = value.start + value.outer * size * value.inner
    segment = jax.lax.slice_in_dim(array, value.start, end, axis=value.axis)
    before, after = array.shape[: value.axis], array.shape[value.axis + 1 :]
    split = segment.reshape(*before, value.outer, size, value.inner, *after)
    return jnp.moveaxis(split, value.axis + 1, -1).reshape(-1, size)
