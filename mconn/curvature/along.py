"""Eigenvalues and traces of an operator at many points of a path, in one compiled program."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from mconn import trees
from mconn.curvature.eigenpairs import planned, started
from mconn.curvature.lanczos import Found, search
from mconn.curvature.operator import not_finite, on_flat
from mconn.curvature.over_data import OverData
from mconn.curvature.probes import over_probes
from mconn.curvature.ritz import Search
from mconn.curvature.trace import standard_error
from mconn.curvature.vectors import dimension, precision, unravel
from mconn.errors import ConfigError, DivergenceError
from mconn.landscape.batches import fold_whole
from mconn.landscape.program import network
from mconn.landscape.refresh import Refresh
from mconn.paths import Path
from mconn.types import Batch, Key


@dataclass(frozen=True)
class AlongPath:
    """Extreme eigenvalues and traces at points of a path, on the host.

    Attributes:
        t: the points.
        values: the largest eigenvalues from the highest down, then the smallest from the lowest
            up.
        residuals: |A x - value x|.
        errors: of the values, as in `Eigenpairs`.
        missed: a bound of the chance that a wanted eigenvalue was missed, as in `Eigenpairs`; it is
            large where the vectors of the point before led to the values quickly.
        converged: whether the error is within the tolerance.
        norm: the largest absolute eigenvalue that was seen.
        products: with the operator, for the eigenvalues.
        traces: estimates of the trace, one per random vector; the vectors are the same at every
            point, so that differences between points are paired. Empty without probes.
        top: how many of the values are the largest ones.
    """

    t: Float[np.ndarray, " points"]
    values: Float[np.ndarray, "points wanted"]
    residuals: Float[np.ndarray, "points wanted"]
    errors: Float[np.ndarray, "points wanted"]
    converged: Bool[np.ndarray, "points wanted"]
    missed: Float[np.ndarray, " points"]
    norm: Float[np.ndarray, " points"]
    products: Int[np.ndarray, " points"]
    traces: Float[np.ndarray, "points probes"]
    top: int

    @property
    def largest(self) -> Float[np.ndarray, "points top"]:
        """The largest eigenvalues, from the highest down."""
        return self.values[:, : self.top]

    @property
    def smallest(self) -> Float[np.ndarray, "points bottom"]:
        """The smallest eigenvalues, from the lowest up."""
        return self.values[:, self.top :]

    def trace(self) -> Float[np.ndarray, " points"]:
        """The trace, as the mean over random vectors.

        Raises:
            ConfigError: if there was no random vector.
        """
        if not self.traces.size:
            raise ConfigError(
                "the path was measured without random vectors: pass probes to `along`"
            )
        return self.traces.mean(axis=1)

    def trace_standard_error(self) -> Float[np.ndarray, " points"]:
        """Of the trace, over random vectors."""
        return np.asarray(standard_error(self.traces.T))


class Plan(NamedTuple):
    """What is measured at every point; static."""

    search: Search
    probes: int
    refresh: Any


def along(
    operator: OverData,
    path: Path,
    ts: Any,
    key: Key,
    *,
    top: int = 1,
    bottom: int = 1,
    tolerance: float = 1e-3,
    basis: int | None = None,
    products: int = 300,
    probes: int = 0,
    refresh: Refresh | None = None,
    refresh_data: Batch | None = None,
    refresh_batch_size: int = 1000,
) -> AlongPath:
    """The operator of every network on a path: its extreme eigenvalues, and its trace.

    The search at a point starts from the vectors of the point before. Another path of the same
    family, or another operator of the same kind and shape, runs the same program.

    Args:
        operator: of any network of this architecture, such as an end; its data are used.
        path: a curve.
        ts: its points.
        key: for starts and random vectors.
        top: the number of largest eigenvalues.
        bottom: the number of smallest eigenvalues.
        tolerance: the largest error of a value, relative to the norm of the operator.
        basis: directions in memory, as in `eigenpairs`.
        products: the largest number of products at a point.
        probes: random vectors for the trace; 0 leaves it out.
        refresh: recomputes normaliser statistics at every point; hashable.
        refresh_data: the examples that ``refresh`` sees.
        refresh_batch_size: of these.

    Raises:
        StructureError: if a point lies outside the path's domain, or the path's networks are not
            like the operator's.
        ConfigError: for sizes out of their range.
        DivergenceError: if a product is not finite, with the number of the point.
    """
    plan = planned(operator.dimension, top, bottom, basis, products, tolerance)
    if probes < 0:
        raise ConfigError(f"probes is {probes}: pass 0 to leave the trace out")
    if (refresh is None) != (refresh_data is None):
        raise ConfigError("refresh and refresh_data belong together: pass both or neither")
    ts = np.atleast_1d(np.asarray(ts, precision(operator.template)))
    path.domain.check(ts)
    trees.check_same_structure(
        operator.params, jax.eval_shape(path, ts[0]), ("the operator's network", "the path")
    )
    batches = None if refresh_data is None else fold_whole(refresh_data, refresh_batch_size)
    found, traces = jax.device_get(
        at_points(
            operator, path, jnp.asarray(ts), key, batches, Plan(plan, probes, refresh), tolerance
        )
    )
    check_every_point(operator, ts, found, traces)
    return AlongPath(
        t=ts,
        values=found.values,
        residuals=found.residuals,
        errors=found.errors,
        converged=found.errors <= tolerance * found.norm[:, None],
        missed=found.missed,
        norm=found.norm,
        products=found.products,
        traces=traces,
        top=top,
    )


def check_every_point(
    operator: OverData, ts: Float[np.ndarray, " points"], found: Found, traces: np.ndarray
) -> None:
    """Refuse numbers that are not finite.

    Raises:
        DivergenceError: naming the first such point and the operator.
    """
    measured = np.concatenate([found.values, found.residuals, traces], axis=1)
    finite = np.isfinite(measured).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DivergenceError(f"at point {row}, t = {ts[row]}: {not_finite(operator)}")


@partial(jax.jit, static_argnums=5)
def at_points(
    operator: OverData,
    path: Path,
    ts: Float[Array, " points"],
    key: Key,
    refresh_batches: Any,
    plan: Plan,
    tolerance: Any,
) -> tuple[Found, Float[Array, "points probes"]]:
    """The measurements of all points, one after the other."""
    template = operator.template
    of_search, of_probes = jax.random.split(key)

    def at(start: Array, t: Array) -> tuple[Array, tuple[Found, Array]]:
        params, _ = network(path, plan.refresh, refresh_batches, t, moving=False)
        multiply = on_flat(operator.at(params))
        begin = started(template, unravel(template, start), of_search)
        found = search(multiply, begin, of_search, plan.search, tolerance)
        traces = (
            over_probes(lambda z: z @ multiply(z), template, of_probes, plan.probes)
            if plan.probes
            else jnp.zeros(0, start.dtype)
        )
        # The vectors themselves would be as large as all networks of the path together.
        return found.vectors.sum(axis=0), (found._replace(vectors=jnp.zeros(0)), traces)

    nowhere = jnp.zeros(dimension(template), precision(template))
    return jax.lax.scan(at, nowhere, ts)[1]
