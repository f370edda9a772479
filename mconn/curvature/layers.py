"""Curvature by layer: the diagonal blocks of an operator."""

from mconn import trees
from mconn.curvature.over_data import OverData
from mconn.types import Params


def layers(params: Params) -> dict[str, tuple[str, ...]]:
    """The leaves of every layer: those whose names differ after the last stroke only.

    Args:
        params: a network, or a vector of an operator.

    Returns:
        For ``params/Dense_0`` its leaves, ``params/Dense_0/bias`` and ``params/Dense_0/kernel``;
        a leaf that stands alone is a layer of its own name.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in trees.named_leaves(params):
        layer = name.rpartition("/")[0] or name
        found[layer] = (*found.get(layer, ()), name)
    return found


def layer_blocks(operator: OverData) -> dict[str, OverData]:
    """The diagonal block of every layer, in the network's order.

    A block is the curvature when this layer alone moves. Programs are compiled once for every
    shape of a layer.

    Args:
        operator: of all or some of the leaves.
    """
    return {name: operator.block(leaves) for name, leaves in layers(operator.template).items()}
