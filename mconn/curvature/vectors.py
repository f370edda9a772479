"""Vectors of an operator: parameter pytrees with None for the leaves that are held."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.types import Params


def restrict(tree: Params, moving: tuple[str, ...]) -> Params:
    """The tree with None in the place of every leaf that is not among ``moving``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf if trees.leaf_name(path) in moving else None, tree
    )


def merge(params: Params, vector: Params) -> Params:
    """``params`` with the leaves of ``vector`` in the place of those that move."""
    return jax.tree.map(
        lambda moved, held: held if moved is None else moved,
        vector,
        params,
        is_leaf=lambda leaf: leaf is None,
    )


def dimension(vector: Params) -> int:
    """The number of entries of a vector."""
    return sum(math.prod(jnp.shape(leaf)) for leaf in jax.tree.leaves(vector))


def ravel(vector: Params) -> Float[Array, " dimension"]:
    """All entries in one array, in single precision or wider."""
    return jnp.concatenate([trees.wide(leaf).ravel() for leaf in jax.tree.leaves(vector)])


def length(flat: Float[Array, " dimension"]) -> Float[Array, ""]:
    """|x|, of entries whose squares underflow as well."""
    plain, kind = jnp.linalg.norm(flat), jnp.finfo(flat.dtype)

    def scaled() -> Array:
        largest = jnp.abs(flat).max()
        return largest * jnp.linalg.norm(flat / jnp.where(largest > 0, largest, 1))

    return jax.lax.cond(plain > kind.tiny**0.5 / kind.eps, lambda: plain, scaled)


def unravel(template: Params, flat: Float[Array | np.ndarray, "*stack dimension"]) -> Params:
    """The vector of these entries, in the shapes and dtypes of ``template``; stacked if they are.

    The dtypes are those of the parameters, so that half-precision networks stay what they are.
    """
    leaves, structure = jax.tree.flatten(template)
    sizes = [math.prod(jnp.shape(leaf)) for leaf in leaves]
    parts, start = [], 0
    for leaf, size in zip(leaves, sizes, strict=True):
        part = flat[..., start : start + size].reshape(*flat.shape[:-1], *jnp.shape(leaf))
        parts.append(part.astype(jnp.result_type(leaf)))
        start += size
    return jax.tree.unflatten(structure, parts)


def precision(template: Params) -> Any:
    """The dtype of raveled vectors."""
    kinds = [jnp.result_type(leaf) for leaf in jax.tree.leaves(template)]
    return jnp.result_type(jnp.float32, *kinds)
