"""The step-wise curve from a network to a permuted one: one exchange of two units at a time.

A permutation of n units with c cycles is n - c exchanges, each a straight segment. The network at
every knot is a permutation of the first, so the loss there is the same, and the barrier of the
curve is the largest of single exchanges: lower than that of the straight line, but not zero (two
permuted networks are isolated points of their orbit). With a spare unit it is zero, see
`mconn.paths.spare`.
"""

import itertools

import numpy as np
from jaxtyping import Int

from mconn.paths.rearranged import (
    Arrangement,
    Rearranged,
    cycles,
    permuted_generators,
    rearranged,
)
from mconn.symmetry import Element, Group
from mconn.symmetry.action import act
from mconn.types import Params


def stepwise(group: Group, element: Element, params: Params) -> Rearranged:
    """The step-wise curve from ``params`` to ``act(symmetry, element, params)``.

    Args:
        group: the group of the network.
        element: an element of it whose only parts are permutations.
        params: the network.

    Raises:
        SymmetryError: if the element is the identity or is no permutation; names the generator.
        StructureError: if the network or the element is not of this group.
    """
    act(group, element, params)
    arrangements = {}
    for generator in permuted_generators(group, element):
        orders = exchanges(np.asarray(element[generator.name]))
        arrangements[generator.name] = Arrangement(orders, orders, np.zeros(orders.shape, bool))
    return rearranged(group, params, arrangements)


def exchanges(part: Int[np.ndarray, "*copies units"]) -> Int[np.ndarray, "knots *copies units"]:
    """The orders of the units from the identity to a permutation, one exchange after the other."""
    size = part.shape[-1]
    order = np.broadcast_to(np.arange(size), part.shape).copy()
    orders = [order.copy()]
    for copy in np.ndindex(part.shape[:-1]):
        for cycle in cycles(part[copy]):
            for place, other in itertools.pairwise(cycle):
                here, there = (*copy, place), (*copy, other)
                order[here], order[there] = order[there], order[here]
                orders.append(order.copy())
    return np.stack(orders)
