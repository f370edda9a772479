"""What may change the network of a point before it is measured."""

import abc
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, Float

from mconn.types import Params


class MixtureRefresh(abc.ABC):
    """A refresh that depends on where a point lies between the ends.

    If it is a registered pytree, its leaves are arguments of the compiled program.
    """

    @abc.abstractmethod
    def __call__(
        self, params: Params, batches: Any, mixture: Float[Array | np.ndarray, "ends"]
    ) -> Params:
        """``params`` of the point at which the ends have the weights ``mixture``, refreshed."""


Refresh: TypeAlias = Callable[[Params, Any], Params] | MixtureRefresh
"""(params, batches) -> params with normaliser statistics recomputed on those batches."""
