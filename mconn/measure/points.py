"""Points of paths, the networks there, and paths of networks that are simply given."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from mconn import trees
from mconn.errors import ConfigError
from mconn.measure.execution import MixtureRefresh
from mconn.measure.measures import Point
from mconn.paths import INTERVAL, Domain, Path
from mconn.types import Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Networks(Path):
    """Given networks, such as the epochs of a training, as a path whose points are their numbers.

    Attributes:
        stacked: their parameters, along the leading axis of every leaf.
    """

    stacked: Params

    @property
    def count(self) -> int:
        """The number of networks."""
        return len(jax.tree.leaves(self.stacked)[0])

    @property
    def domain(self) -> Domain:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The numbers from 0; the first network and the last are the ends."""
        return _numbers(self.count)

    def __call__(self, t: Any) -> Params:
        """The network of a number."""
        return trees.index(self.stacked, t)


@functools.cache
def _numbers(count: int) -> Domain:
    def mixture(number: Any) -> Float[Array, "2"]:
        share = jnp.asarray(number, float) / max(1, count - 1)
        return jnp.stack([1 - share, share])

    def fault(ts: np.ndarray) -> str | None:
        wrong = ~np.isin(ts, np.arange(count))
        return f"{ts[wrong].flat[0]} is none of their numbers" if wrong.any() else None

    return Domain(f"{count} networks, numbered from 0,", mixture, fault)


def is_curve(path: Path) -> bool:
    """Whether a path has two ends: it is an interval, or networks in their order."""
    return path.domain == INTERVAL or isinstance(path, Networks)


def points_of(paths: Sequence[Path], ts: Any) -> Shaped[np.ndarray, "points ..."]:
    """The points in JAX's precision.

    Args:
        paths: that have them.
        ts: their parameters, shape (points,) or (points, k); or how many equispaced points of a
            curve, its ends included; or None for all of given networks.

    Raises:
        StructureError: if one lies outside a path's domain.
        ConfigError: if a number of points is asked for that there is not.
    """
    if isinstance(paths[0], Networks):
        ts = np.arange(paths[0].count) if ts is None else np.atleast_1d(np.asarray(ts))
    elif isinstance(ts, int | np.integer):
        if paths[0].domain != INTERVAL or ts < 2:
            raise ConfigError(
                f"{ts} equispaced points of {paths[0].domain.name} are no grid with its ends: pass "
                "at least 2 on a curve, and the points themselves on anything else"
            )
        ts = np.linspace(0, 1, int(ts))
    ts = np.atleast_1d(np.asarray(ts))
    for path in paths:
        path.domain.check(ts)
    kind = np.int32 if isinstance(paths[0], Networks) else np.float64
    return ts.astype(jax.dtypes.canonicalize_dtype(kind))


def ends_of(path: Path) -> tuple[Params, Params] | None:
    """The networks at both ends, or None on a surface."""
    if not is_curve(path):
        return None
    if isinstance(path, Networks):
        return path(0), path(path.count - 1)
    t = jnp.zeros((), jax.dtypes.canonicalize_dtype(np.float64))
    return path(t), path(jnp.ones_like(t))


def network_at(path: Path, t: Any, refresh: Any = None, batches: Any = None) -> Point:
    """The point of a path with the network there, refreshed on some batches."""
    mixture = path.mixture(t)
    return Point(_refreshed(refresh, batches, path(t), mixture), t, mixture)


def moving_at(path: Path, t: Any, refresh: Any = None, batches: Any = None) -> Point:
    """The same, with the derivative of the network by t."""
    mixture, turning = jax.jvp(path.mixture, (t,), (jnp.ones_like(t),))
    params, motion = jax.jvp(
        functools.partial(_refreshed, refresh, batches),
        (path(t), mixture),
        (velocity(path, t), turning),
    )
    return Point(params, t, mixture, motion)


def velocity(path: Path, t: Array) -> Params:
    """The derivative of a curve by its parameter; at a bend of a chain the mean of both sides."""
    # An end is returned as it was given, which can hide how the path leaves it.
    inside = jnp.clip(t, 1e-6, 1 - 1e-6)
    return jax.jvp(path, (inside,), (jnp.ones_like(t),))[1]


def _refreshed(refresh: Any, batches: Any, params: Params, mixture: Any) -> Params:
    if isinstance(refresh, MixtureRefresh):
        return refresh(params, batches, mixture)
    return params if refresh is None else refresh(params, batches)
