"""Parameter pytrees as vectors: names of leaves, structure checks, stacking, inner products."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import DataError, StructureError
from mconn.types import Batch, Params, PyTree


def leaf_name(path: tuple[Any, ...]) -> str:
    """The readable name of a key path: ``params/Dense_0/kernel``."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """The leaves of ``tree`` by name, in the order of ``jax.tree.leaves``.

    Raises:
        StructureError: if two leaves have the same name, as in ``{"a/b": x, "a": {"b": y}}``.
    """
    leaves: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = leaf_name(path)
        if name in leaves:
            raise StructureError(f"two leaves are called '{name}': rename one of their keys")
        leaves[name] = leaf
    return leaves


def check_same_structure(a: PyTree, b: PyTree, names: tuple[str, str] = ("a", "b")) -> None:
    """Refuse two trees that differ in a leaf's name, shape or dtype.

    Raises:
        StructureError: naming the first leaf that differs, with both shapes.
    """
    leaves_a, leaves_b = named_leaves(a), named_leaves(b)
    for leaf in [*leaves_a, *leaves_b]:
        for here, there, leaves in ((*names, leaves_b), (*names[::-1], leaves_a)):
            if leaf not in leaves:
                raise StructureError(
                    f"leaf '{leaf}' of {here} is missing in {there}: "
                    "the two networks have different architectures"
                )
        kind_a, kind_b = _kind(leaves_a[leaf]), _kind(leaves_b[leaf])
        if kind_a != kind_b:
            raise StructureError(
                f"leaf '{leaf}' is {kind_a} in {names[0]} and {kind_b} in {names[1]}: "
                "the two networks have different architectures"
            )
    if jax.tree.structure(a) != jax.tree.structure(b):
        raise StructureError(
            f"{names[0]} and {names[1]} have the same leaves in different containers "
            f"({jax.tree.structure(a)} and {jax.tree.structure(b)}): convert one of them"
        )


def _kind(leaf: Any) -> str:
    return f"{jnp.result_type(leaf)}{list(jnp.shape(leaf))}"


def stack(trees: Sequence[Params]) -> Params:
    """Stack trees of one structure along a new leading axis.

    Raises:
        StructureError: if there is no tree, or two differ.
    """
    if not trees:
        raise StructureError("cannot stack an empty sequence of trees: pass at least one")
    for i, tree in enumerate(trees[1:], start=1):
        check_same_structure(trees[0], tree, ("tree 0", f"tree {i}"))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def index(stacked: Params, i: Any) -> Params:
    """Entry ``i`` of every leaf's leading axis."""
    return jax.tree.map(lambda leaf: leaf[i], stacked)


def count_examples(data: Batch) -> int:
    """The number of examples: the length of the leading axis that all arrays share.

    Raises:
        DataError: if there is no example, or the leading axes differ.
    """
    counts = {len(leaf) for leaf in jax.tree.leaves(data)}
    if len(counts) != 1 or counts == {0}:
        raise DataError(
            f"the data's arrays must share one non-zero number of examples, got {sorted(counts)}"
        )
    return counts.pop()


def to_numpy(tree: PyTree) -> PyTree:
    """Every leaf on the host, as a NumPy array."""
    return jax.tree.map(np.asarray, jax.device_get(tree))


def inner(a: Params, b: Params) -> Float[Array, ""]:
    """<a, b>, the sum over all leaves, accumulated in float32 or wider."""
    products = jax.tree.map(lambda x, y: jnp.vdot(wide(x), wide(y)), a, b)
    return jax.tree.reduce(jnp.add, products)


def distance(a: Params, b: Params) -> Float[Array, ""]:
    """|a - b|, the Euclidean norm over all leaves."""
    difference = jax.tree.map(lambda x, y: wide(x) - wide(y), a, b)
    return jnp.sqrt(inner(difference, difference))


def wide(leaf: Any) -> Array:
    """The leaf in single precision, or in double where it is."""
    leaf = jnp.asarray(leaf)
    return leaf.astype(jnp.promote_types(jnp.float32, leaf.dtype))
