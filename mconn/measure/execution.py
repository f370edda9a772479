"""How a measure is run: batches, calls, devices, memory, what is refreshed and what is kept."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.saving import Keeper
from mconn.types import Batch, Params


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


def silent(points: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Execution:
    """The options of everything that is measured along a path; none of them changes its numbers.

    Attributes:
        batch_size: largest number of examples in one batch.
        points_per_call: largest number of points of a path between two transfers to the host: the
            memory of their results. None leaves it to the measure; losses take 16.
        mesh: devices with axes among ``pair``, ``t`` and ``data``: paths are spread over the first,
            points over the second, the examples of a batch over the last. Where there is one path
            only, or a measure needs whole batches, the devices of that axis take points. By default
            the first eight local devices over the paths, or over the points where there are fewer
            paths than devices. Over the devices of several processes (`jax.distributed`) each
            passes the same arguments and gets all results.
        memory: bytes of one device that the program's temporaries and results may take; batches
            and calls are made as small as that needs. Data and control points come on top.
        refresh: recomputes normaliser statistics at every point, or repairs the network; hashable
            or a pytree. None mixes the ends' statistics.
        refresh_data: the examples that ``refresh`` sees: training data, whatever is measured on.
            The data that are measured on if None.
        cells: folder or keeper of finished points; called again, only the rest is measured. Other
            points of the same paths on the same data may be kept in it too.
        finished: called with the number of finished points of all paths, to show progress.

    Raises:
        ConfigError: if a batch or a call would be empty.
    """

    batch_size: int = 1000
    points_per_call: int | None = None
    mesh: Mesh | None = None
    memory: int | None = None
    refresh: Refresh | None = None
    refresh_data: Batch | None = None
    cells: Keeper | Path | str | None = None
    finished: Callable[[int], None] = silent

    def __post_init__(self) -> None:
        for name in ("batch_size", "points_per_call"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ConfigError(f"{name} is {size}: it must be at least 1")
