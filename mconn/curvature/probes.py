"""Random vectors of signs, one at a time, for estimates of traces."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from mconn.curvature.vectors import dimension, precision
from mconn.errors import ConfigError
from mconn.types import Key, Params


def over_probes(
    function: Callable[[Float[Array, " dimension"]], Any], template: Params, key: Key, count: int
) -> Any:
    """The function's values at random vectors of entries 1 and -1, stacked.

    One vector at a time, so that memory holds one whatever their number.
    """
    shape, kind = (dimension(template),), precision(template)

    def at(key: Key) -> Any:
        return function(jax.random.rademacher(key, shape, kind))

    return jax.lax.map(at, jax.random.split(key, count))


def check_probes(probes: int) -> None:
    """Refuse fewer than one random vector.

    Raises:
        ConfigError: with the number.
    """
    if probes < 1:
        raise ConfigError(f"probes is {probes}: an estimate needs at least 1 random vector")
