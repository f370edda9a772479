"""The relaxed group: permutations are matrices, which may be doubly stochastic.

A permutation of units is one of many matrices that may act on them. Where it is a matrix, its
action is differentiable in the entries, and the mixtures of permutations act as well.
"""

from dataclasses import replace

import jax.numpy as jnp

from mconn.errors import StructureError
from mconn.symmetry import Element, Generator, Group
from mconn.symmetry.action import in_order
from mconn.trees import named_leaves
from mconn.types import Params


def relax(group: Group, params: Params) -> Group:
    """The group whose `act` takes any matrix in the place of a permutation.

    Its generators stand in the order in which they act: `act` applies matrices as they stand.

    Args:
        group: the group.
        params: the parameters that are to be moved.

    Raises:
        StructureError: naming a leaf of whole numbers or flags that a permutation moves; its
            entries cannot be mixed.
    """
    leaves = named_leaves(params)
    for generator in group.generators:
        for site in generator.sites:
            dtype = jnp.result_type(leaves[site.leaf])
            if generator.kind == "permutation" and not jnp.issubdtype(dtype, jnp.inexact):
                raise StructureError(
                    f"leaf '{site.leaf}' of dtype {dtype} is permuted by '{generator.name}', and "
                    "its entries cannot be mixed: leave the generator out of the group"
                )
    return replace(group, generators=tuple(map(relaxed, in_order(group))))


def relaxed(generator: Generator) -> Generator:
    """The generator, with matrices if its elements are permutations."""
    if generator.kind != "permutation":
        return generator
    # An orthogonal generator multiplies its sites by the matrix itself, whatever matrix it is.
    sites = tuple(replace(site, power=1) for site in generator.sites)
    return replace(generator, kind="orthogonal", sites=sites)


def matrices(group: Group, element: Element) -> dict[str, jnp.ndarray]:
    """The element of the relaxed group that an element of the group is."""
    return {
        g.name: jnp.eye(g.size)[jnp.asarray(element[g.name])]
        if g.kind == "permutation"
        else jnp.asarray(element[g.name])
        for g in group.generators
    }
