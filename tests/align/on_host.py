"""The action in NumPy, for which nothing is compiled.

`test_elements` compares it with `mconn.symmetry.act`.
"""

from typing import Any

import jax
import numpy as np

from mconn.symmetry import Element, Group, in_order, move_leaf
from mconn.trees import named_leaves


def act(group: Group, element: Element, params: Any) -> Any:
    """The moved network, of the types that it had."""
    leaves = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    types = [leaf.dtype for leaf in leaves.values()]
    for generator in in_order(group):
        part = np.asarray(element[generator.name])
        for site in generator.sites:
            leaves[site.leaf] = move_leaf(generator, site, part, leaves[site.leaf])
    moved = [leaf.astype(t) for leaf, t in zip(leaves.values(), types, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(params), moved)
