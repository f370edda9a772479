"""Costs by their names."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from mconn.align.cost import Cost
from mconn.align.costs.activations import ActivationCost
from mconn.align.costs.contribution import ContributionCost
from mconn.align.costs.covariance import CovarianceCost
from mconn.align.costs.weights import WeightCost
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.types import ApplyFn

_WITH_DATA: dict[str, Callable[..., Any]] = {
    "activations": ActivationCost,
    "covariance": CovarianceCost,
    "contribution": ContributionCost,
}

COSTS = ("weights", *_WITH_DATA)
"""The names of the costs."""


def cost_named(
    name: str,
    apply: ApplyFn | None = None,
    inputs: Float[Array | np.ndarray, "n ..."] | None = None,
) -> Cost:
    """The cost of a name, with its defaults.

    Args:
        name: ``weights``, ``activations``, ``covariance`` or ``contribution``.
        apply: the network, (params, inputs) -> outputs; all but ``weights`` need it.
        inputs: examples, shape (n, ...); all but ``weights`` need some.

    Raises:
        ConfigError: naming an unknown cost, or one that needs the network and examples.
    """
    check_choice("cost", name, COSTS)
    if name == "weights":
        return WeightCost()
    make = _WITH_DATA[name]
    if apply is None or inputs is None:
        raise ConfigError(
            f"the cost '{name}' compares units on data, which a name does not have: pass "
            f"align.{make.__name__}(apply, inputs)"
        )
    return make(apply, inputs)
