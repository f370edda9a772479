"""How every stage treats the running statistics of the networks that it measures."""

from typing import Any

from mconn import landscape
from mconn.data import Split
from mconn.types import Params

STATISTICS_EXAMPLES = 10_000
"""Training examples that normaliser statistics are recomputed on."""


def has_statistics(params: Params) -> bool:
    """Whether a network, or a stack of them, keeps running statistics."""
    return "batch_stats" in params


def recomputed(
    model: Any, params: Params, train: Split, examples: int = STATISTICS_EXAMPLES
) -> dict[str, Any]:
    """Options of an `mconn.measure.Execution` that recompute BatchNorm statistics at every point.

    Args:
        model: the network.
        params: of one network, or stacked.
        train: training examples, of which the first are used.
        examples: so many.

    Returns:
        ``refresh`` and ``refresh_data``; nothing for a network without running statistics.
    """
    if not has_statistics(params):
        return {}
    return {
        "refresh": landscape.BatchNormStatistics(model),
        "refresh_data": train.head(examples),
    }
