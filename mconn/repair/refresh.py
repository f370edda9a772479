"""REPAIR at every point of a sweep."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from mconn.landscape import MixtureRefresh
from mconn.repair.closed_form import repair_closed_form
from mconn.repair.forward import repair
from mconn.repair.layers import Layers
from mconn.repair.statistics import Ends
from mconn.types import ApplyFn, Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Repair(MixtureRefresh):
    """`repair` as a ``refresh`` of `mconn.landscape.evaluate`.

    The ends' statistics are data, so that the sweeps of many pairs share one compiled program.

    Attributes:
        ends: statistics of the ends of the path, from `measure`.
        layers: what is repaired.
        apply: the network, ``apply(params, inputs) -> output``.
        passes: passes over the batches at every point.
    """

    ends: Ends
    layers: Layers = field(metadata={"static": True})
    apply: ApplyFn = field(metadata={"static": True})
    passes: int = field(default=1, metadata={"static": True})

    def __call__(
        self, params: Params, batches: Any, mixture: Float[Array | np.ndarray, "ends"]
    ) -> Params:
        """Repaired ``params``; the batches have a field ``inputs`` (batches, size, ...)."""
        return repair(
            self.layers,
            self.apply,
            params,
            self.ends,
            mixture,
            batches.inputs,
            passes=self.passes,
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RepairClosedForm(MixtureRefresh):
    """`repair_closed_form` as a ``refresh``: no data are seen."""

    ends: Ends
    layers: Layers = field(metadata={"static": True})

    def __call__(
        self, params: Params, batches: Any, mixture: Float[Array | np.ndarray, "ends"]
    ) -> Params:
        """Repaired ``params``."""
        return repair_closed_form(self.layers, params, self.ends, mixture)
