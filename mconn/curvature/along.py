"""Eigenvalues and traces of an operator at many points of a path, in one compiled program."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from mconn import trees
from mconn.checks import check_kind
from mconn.curvature.eigenpairs import Search, started
from mconn.curvature.lanczos import Found, search as lanczos
from mconn.curvature.operators import (
    OverData,
    check_finite,
    chosen_key,
    dimension,
    precision,
    unravel,
)
from mconn.curvature.random import over_probes, standard_error
from mconn.curvature.ritz import Plan
from mconn.errors import ConfigError
from mconn.measure import Refresh, fold_whole, network_at
from mconn.paths import Path
from mconn.types import Batch, Key

_SEARCH = Search()


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


class _Plan(NamedTuple):
    search: Plan
    probes: int
    refresh: Any


def along(
    operator: OverData,
    path: Path,
    ts: Any,
    key: Key | None = None,
    *,
    search: Search = _SEARCH,
    probes: int = 0,
    refresh: Refresh | None = None,
    refresh_data: Batch | None = None,
) -> AlongPath:
    """The operator of every network on a path: its extreme eigenvalues, and its trace.

    The search at a point starts from the vectors of the point before. Another path of the same
    family, or another operator of the same kind and shape, runs the same program.

    Args:
        operator: of any network of this architecture, such as an end; its data are used.
        path: a curve.
        ts: its points.
        key: for starts and random vectors; one of its own by default.
        search: which eigenvalues, how precisely, and with how much work.
        probes: random vectors for the trace; 0 leaves it out.
        refresh: recomputes normaliser statistics at every point; hashable.
        refresh_data: the examples that ``refresh`` sees, in batches of 1000.

    Raises:
        StructureError: if a point lies outside the path's domain, or the path's networks are not
            like the operator's.
        ConfigError: for sizes out of their range.
        DivergenceError: if a product is not finite, with the number of the point.
    """
    check_kind("operator", operator, OverData, "make it with curvature.hessian")
    check_kind("path", path, Path, "make it with paths.line")
    plan = search.plan(operator.dimension)
    if probes < 0:
        raise ConfigError(f"probes is {probes}: pass 0 to leave the trace out")
    if (refresh is None) != (refresh_data is None):
        raise ConfigError("refresh and refresh_data belong together: pass both or neither")
    ts = np.atleast_1d(np.asarray(ts, precision(operator.template)))
    path.domain.check(ts)
    trees.check_same_structure(
        operator.params, jax.eval_shape(path, ts[0]), ("the operator's network", "the path")
    )
    batches = None if refresh_data is None else fold_whole(refresh_data, 1000)
    key = chosen_key(key)
    static, tolerance = _Plan(plan, probes, refresh), search.tolerance
    limits = (tolerance, search.products)
    found, traces = jax.device_get(
        _at_points(operator, path, jnp.asarray(ts), key, batches, static, limits)
    )
    for row, t in enumerate(ts):
        where = f"at point {row}, t = {t}: "
        check_finite(operator, found.values[row], found.residuals[row], traces[row], where=where)
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
        top=plan.top,
    )


@partial(jax.jit, static_argnums=5)
def _at_points(
    operator: OverData,
    path: Path,
    ts: Float[Array, " points"],
    key: Key,
    refresh_batches: Any,
    plan: _Plan,
    limits: tuple[Any, Any],
) -> tuple[Found, Float[Array, "points probes"]]:
    template = operator.template
    of_search, of_probes = jax.random.split(key)

    def at(start: Array, t: Array) -> tuple[Array, tuple[Found, Array]]:
        params = network_at(path, t, plan.refresh, refresh_batches).params
        multiply = operator.at(params).flat_map()
        begin = started(template, unravel(template, start), of_search)
        found = lanczos(multiply, begin, of_search, plan.search, *limits)
        traces = (
            over_probes(lambda z: z @ multiply(z), template, of_probes, plan.probes)
            if plan.probes
            else jnp.zeros(0, start.dtype)
        )
        # The vectors themselves would be as large as all networks of the path together.
        return found.vectors.sum(axis=0), (found._replace(vectors=jnp.zeros(0)), traces)

    nowhere = jnp.zeros(dimension(template), precision(template))
    return jax.lax.scan(at, nowhere, ts)[1]
