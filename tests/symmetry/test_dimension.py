"""The continuous part of the group against the null space of the Jacobian, for every family.

A direction of the parameters that the outputs do not feel, at generic parameters and on many
inputs, is a tangent of the group or an exception: `LEFT_OUT` tells for every network which
directions the group leaves out, why, and how many. The tangents and they must lie in the null
space, be independent of each other, and span it.
"""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from left_out import LEFT_OUT, Leaves, Reason
from small_families import FAMILIES, QUICK, Family

from mconn import symmetry
from mconn.symmetry.elements import CONTINUOUS


def vector(family: Family, changes: Leaves) -> np.ndarray:
    """Changes of some leaves as a change of the vector of all parameters."""
    parts = [(changes.get(short(name), 0), leaf.shape) for name, leaf in family.leaves.items()]
    return np.concatenate([np.broadcast_to(part, shape).ravel() for part, shape in parts])


def short(leaf: str) -> str:
    """A leaf's name without Flax's collection."""
    return leaf.removeprefix("params/").removeprefix("batch_stats/")


def left_out(family: Family, reasons: list[Reason]) -> np.ndarray:
    """The directions that the group leaves out, as columns."""
    p = {short(name): leaf for name, leaf in family.leaves.items()}
    columns = [
        vector(family, reason.move(p, t))
        for reason in reasons
        for t in np.eye(prod(reason.shape)).reshape(-1, *reason.shape)
    ]
    return np.reshape(columns, (-1, family.flat.size)).T


def tangents(family: Family, group: symmetry.Group) -> np.ndarray:
    """The directions in which the group moves the parameters, as columns."""
    moving = group.restricted(CONTINUOUS)
    zero = {generator.name: np.zeros(generator.shape) for generator in moving.generators}
    basis = []
    for generator in moving.generators:
        for unit in np.eye(prod(generator.shape)).reshape(-1, *generator.shape):
            if generator.kind == "orthogonal":
                unit = np.triu(unit, 1) - np.triu(unit, 1).swapaxes(-1, -2)
            if unit.any():
                basis.append(zero | {generator.name: unit})

    def tangent(direction: symmetry.Tangent) -> jax.Array:
        def moved(s: jax.Array) -> jax.Array:
            still = symmetry.identity(moving)  # the derivative of exp(s X) at s = 0 is X
            element = {name: still[name] + s * part for name, part in direction.items()}
            leaves = jax.tree.leaves(symmetry.act(moving, element, family.params))
            return jnp.concatenate([leaf.ravel() for leaf in leaves])

        return jax.jvp(moved, (0.0,), (1.0,))[1]

    if not basis:
        return np.zeros((family.flat.size, 0))
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *basis)
    return np.asarray(jax.jit(jax.vmap(tangent), compiler_options=QUICK)(stacked)).T


@pytest.mark.parametrize("name", FAMILIES)
def test_tangents_and_exceptions_span_the_null_space(name):
    with jax.enable_x64(True):
        family = FAMILIES[name]()
        group = symmetry.discover(family.apply, family.params, family.x)
        derivative = jax.jit(jax.jacfwd(family.outputs), compiler_options=QUICK)
        jacobian = np.asarray(derivative(family.flat, family.x))
        moved = tangents(family, group)
    exceptions = left_out(family, LEFT_OUT.get(name, []))
    directions = np.hstack([moved, exceptions])
    directions /= np.linalg.norm(directions, axis=0)
    values = np.linalg.svd(jacobian, compute_uv=False)
    assert moved.shape[1] == group.dimension
    assert np.abs(jacobian @ directions).max(initial=0) < 1e-12 * values[0]
    assert np.linalg.matrix_rank(directions, 1e-3) == directions.shape[1]
    assert not np.any((values > 1e-12 * values[0]) & (values < 1e-10 * values[0]))
    assert np.sum(values < 1e-11 * values[0]) == directions.shape[1]
