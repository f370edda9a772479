"""Eigenvalues and traces of an operator at many points of a path, in one compiled program."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from mconn import measure, trees
from mconn.checks import check_kind
from mconn.curvature.eigenpairs import Search, started
from mconn.curvature.lanczos import Found, search as lanczos
from mconn.curvature.operators import OverData, check_finite, chosen_key, precision, unravel
from mconn.curvature.random import over_probes, standard_error
from mconn.curvature.ritz import Plan
from mconn.errors import ConfigError
from mconn.measure import Execution, Point, Whole
from mconn.paths import Path
from mconn.types import Key, Params

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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Extremes(Whole):
    operator: OverData
    key: Any
    limits: tuple[Any, Any]
    plan: Plan = field(metadata={"static": True})
    probes: int = field(metadata={"static": True})
    generator: Any = field(metadata={"static": True})

    def first(self, params: Params) -> Array:
        """No direction, from which `started` makes a random one."""
        return jnp.zeros(self.operator.dimension, precision(self.operator.template))

    def at_point(
        self, point: Point, examples: Any, carry: Array
    ) -> tuple[tuple[Found, Array], Array]:
        key = jax.random.wrap_key_data(self.key, impl=self.generator)
        of_search, of_probes = jax.random.split(key)
        template, multiply = self.operator.template, self.operator.at(point.params).flat_map()
        begin = started(template, unravel(template, carry), of_search)
        found = lanczos(multiply, begin, of_search, self.plan, *self.limits)
        traces = (
            over_probes(lambda z: z @ multiply(z), template, of_probes, self.probes)
            if self.probes
            else jnp.zeros(0, carry.dtype)
        )
        # The vectors themselves would be as large as all networks of the path together.
        return (found._replace(vectors=jnp.zeros(0)), traces), found.vectors.sum(axis=0)


def along(
    operator: OverData,
    path: Path,
    ts: Any,
    key: Key | None = None,
    *,
    search: Search = _SEARCH,
    probes: int = 0,
    execution: Execution = Execution(),
) -> AlongPath:
    """The operator of every network on a path: its extreme eigenvalues, and its trace.

    The search at a point starts from the vectors of the point before, on the same device: with
    other devices the values agree to the tolerance of the search. Another path of the same family,
    or another operator of the same kind and shape, runs the same program.

    Args:
        operator: of any network of this architecture, such as an end; its data are used.
        path: a curve; or `mconn.measure.Networks`.
        ts: its points, or how many equispaced ones; None for all of given networks.
        key: for starts and random vectors; one of its own by default.
        search: which eigenvalues, how precisely, and with how much work.
        probes: random vectors for the trace; 0 leaves it out.
        execution: devices over points, refreshed statistics (``refresh_data`` is needed then, and
            ``batch_size`` is of these), and finished points on disk.

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
    ts = measure.points_of([path], ts)
    network = jax.eval_shape(lambda path, t: path(t), path, ts[0])
    trees.check_same_structure(operator.params, network, ("the operator's network", "the path"))
    if jax.process_count() > 1:  # what lies on one of its devices is not sent to other processes
        operator = trees.to_numpy(operator)
    key, kind = chosen_key(key), precision(operator.template)
    limits = (np.asarray(search.tolerance, kind), np.asarray(search.products, np.int32))
    words, generator = np.asarray(jax.random.key_data(key)), jax.random.key_impl(key)
    extremes = _Extremes(operator, words, limits, plan, probes, generator)
    found, traces = measure.along(extremes, path, ts, None, execution).result
    for row, t in enumerate(ts):
        where = f"at point {row}, t = {t}: "
        check_finite(operator, found.values[row], found.residuals[row], traces[row], where=where)
    return AlongPath(
        t=ts,
        values=found.values,
        residuals=found.residuals,
        errors=found.errors,
        converged=found.errors <= search.tolerance * found.norm[:, None],
        missed=found.missed,
        norm=found.norm,
        products=found.products,
        traces=traces,
        top=plan.top,
    )
