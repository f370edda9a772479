"""The largest batch and the most points per call whose program fits a budget of memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

from mconn.errors import ConfigError


class Sizes(NamedTuple):
    """How the work is cut.

    Attributes:
        batch: examples in one batch, over all devices.
        points: points that a device works off in one call.
    """

    batch: int
    points: int


def fitting(
    compiled: Callable[[Sizes], Any], largest: Sizes, smallest_batch: int, memory: int
) -> Sizes:
    """Sizes whose program's temporaries and results fit; each try compiles it once.

    Args:
        compiled: sizes -> the compiled program.
        largest: where to begin.
        smallest_batch: one example per device that shares a batch.
        memory: the budget, bytes of one device. What the program is given, the data and the
            control points, comes on top.

    Raises:
        ConfigError: if not even the smallest sizes fit.
    """
    sizes = largest
    while True:
        found = compiled(sizes).memory_analysis()
        temporaries, results = found.temp_size_in_bytes, found.output_size_in_bytes
        if temporaries + results <= memory:
            return sizes
        if sizes.points > 1 and 2 * results > memory:
            sizes = sizes._replace(points=max(1, int(sizes.points * memory / (2 * results))))
        elif sizes.batch > smallest_batch:
            share = max(0, memory - results) / temporaries
            fewer = min(sizes.batch // 2, int(sizes.batch * share))
            sizes = sizes._replace(batch=max(smallest_batch, fewer))
        elif sizes.points > 1:
            sizes = sizes._replace(points=1)
        else:
            raise ConfigError(
                f"memory is {memory:,} bytes, and one example at one point needs "
                f"{temporaries + results:,} on a device: raise memory to that"
            )
