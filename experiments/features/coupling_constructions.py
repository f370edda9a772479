"""Networks that compute the same and have other features, for one or other reason; exact."""

from collections.abc import Callable

import jax
import numpy as np

from mconn import trees
from mconn.symmetry import Generator, Group
from mconn.types import Params

Entries = np.ndarray
"""The entries of a leaf that belong to its units, units first."""


def without_unit(group: Group, layer: str, params: Params, unit: int) -> Params:
    """The network with all weights from and to a unit at zero: it is not there."""

    def silent(entries: Entries) -> Entries:
        entries[unit] = 0
        return entries

    both = {"makes": silent, "reads": silent}
    return changed(generator(group, layer), params, both)


def with_copy(
    group: Group, layer: str, params: Params, unit: int, source: int, scale: float
) -> Params:
    """The network in which a unit computes ``scale`` times what another one does.

    What the next layer reads from the unit stays as it is; if it is nothing, so does the function.
    """

    def copied(entries: Entries) -> Entries:
        entries[unit] = scale * entries[source]
        return entries

    return changed(generator(group, layer), params, {"makes": copied})


def generator(group: Group, layer: str) -> Generator:
    """The generator of a name that permutes the units of a layer."""
    return next(each for each in group.generators if each.name == layer)


def changed(
    layer: Generator, params: Params, changes: dict[str, Callable[[Entries], Entries]]
) -> Params:
    """The network with changed entries in the leaves that make, or that read, a layer's units."""
    leaves = {name: np.array(leaf) for name, leaf in trees.named_leaves(params).items()}
    for site in layer.sites:
        for role, change in changes.items():
            if getattr(site, role):
                entries = np.moveaxis(leaves[site.leaf], site.axis, 0)
                leaves[site.leaf] = np.moveaxis(change(entries), 0, site.axis)
    return jax.tree.unflatten(jax.tree.structure(params), list(leaves.values()))
