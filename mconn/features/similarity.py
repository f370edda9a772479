"""How alike the networks along a path, or some given ones, are in every layer: in one pass.

Second moments of pairs of features, summed batch by batch, are all that linear similarity needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn.features.capture import FeatureFn, Features
from mconn.features.cka import ratio
from mconn.features.procrustes import Track, check_square, distance_of, track_rotations
from mconn.features.reduction import Reduction, Shapes, along, as_given, between
from mconn.features.subspaces import (
    CORRELATED,
    Principal,
    check_enough,
    check_four,
    correlated,
    correlations,
    principal,
)
from mconn.measure import Execution, ends_of
from mconn.paths import Path
from mconn.types import Params


class _Moments(NamedTuple):
    """Sums over examples of two matrices of features x and y.

    All are of features less a fixed vector near their mean, so that single precision suffices;
    what is computed from them does not depend on that vector.

    Attributes:
        count: the number of rows.
        sum_x: shape (p,).
        sum_y: shape (q,).
        cross: the sum of x_i y_i^T, shape (p, q).
        squares_x: the sum of |x_i|^2.
        squares_y: the sum of |y_i|^2.
        squares: the sum of |x_i|^2 |y_i|^2.
        weighted_x: the sum of |y_i|^2 x_i, shape (p,).
        weighted_y: the sum of |x_i|^2 y_i, shape (q,).
    """

    count: Any
    sum_x: Any
    sum_y: Any
    cross: Any
    squares_x: Any
    squares_y: Any
    squares: Any
    weighted_x: Any
    weighted_y: Any

    def covariance(self) -> Float[np.ndarray, "p q"]:
        one = _Moments(*(np.asarray(part, np.float64) for part in self))
        return one.cross - np.outer(one.sum_x, one.sum_y) / one.count

    def hsic(self, debiased: bool) -> float:
        """The Hilbert-Schmidt independence criterion of both linear kernels, unnormalised.

        Debiased it is HSIC_1 of Song et al. 2012 (Journal of Machine Learning Research 13,
        equation 5) times n (n - 3), with the diagonals of both kernels left out; its expected value
        is 0 for independent features, whatever their width. Otherwise it is |Y^T X|_F^2.
        """
        if not debiased:
            return float(np.square(self.covariance()).sum())
        n, sx, sy, cross, kx, ky, both, wx, wy = (np.asarray(part, np.float64) for part in self)
        check_four(int(n))
        trace = np.square(cross).sum() - both
        totals = (sx @ sx - kx) * (sy @ sy - ky)
        rows = sx @ cross @ sy - sx @ wx - sy @ wy + both
        return float(trace + totals / ((n - 1) * (n - 2)) - 2 / (n - 2) * rows)


def _moments(x: Float[Array, "n p"], y: Float[Array, "n q"], mask: Bool[Array, "n"]) -> _Moments:
    x, y = (jnp.where(mask[:, None], each, 0) for each in (x, y))
    of_x, of_y = (jnp.einsum("ij,ij->i", each, each) for each in (x, y))
    sums = mask.sum().astype(x.dtype), x.sum(axis=0), y.sum(axis=0), x.T @ y
    return _Moments(*sums, of_x.sum(), of_y.sum(), of_x @ of_y, of_y @ x, of_x @ y)


@dataclass(frozen=True)
class _Similarities(Reduction):
    """The moments of every layer of the first network with the same layer of each other one.

    The result is, by layer, the moments of the first network with itself, and a tuple of those of
    the others with themselves and with the first.

    Attributes:
        alone: whether the others are compared with themselves as well; None in their place if not.
    """

    alone: bool = True

    def start(self, shapes: Shapes) -> Any:
        first, *others = shapes

        def zeros(a: Any, b: Any) -> _Moments:
            p, q, dtype = a.shape[1], b.shape[1], a.dtype
            forms = ((), (p,), (q,), (p, q), (), (), (), (p,), (q,))
            return _Moments(*(jnp.zeros(form, dtype) for form in forms))

        def of_layer(layer: str, a: Any) -> tuple[_Moments, tuple]:
            return zeros(a, a), tuple(
                (zeros(o[layer], o[layer]) if self.alone else None, zeros(a, o[layer]))
                for o in others
            )

        means = jax.tree.map(lambda a: jnp.zeros(a.shape[1], a.dtype), shapes)
        return {layer: of_layer(layer, a) for layer, a in first.items()}, means

    def update(
        self,
        state: Any,
        features: tuple[Features, ...],
        mask: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> Any:
        sums, means = state
        is_first = next(iter(sums.values()))[0].count == 0
        # The same on all devices that share the batch, so that their sums can be added.
        shared = jax.lax.axis_size("data") > 1

        def shifted(x: Array, mean: Array) -> Array:
            here = x.mean(axis=0)
            return jnp.where(is_first, jax.lax.pmean(here, "data") if shared else here, mean)

        means = jax.tree.map(shifted, features, means)
        first, *others = jax.tree.map(jnp.subtract, features, means)

        def of_layer(layer: str, x: Array, so_far: Any) -> tuple[_Moments, tuple]:
            def added(old: _Moments, x: Array, y: Array) -> _Moments:
                return _Moments(*map(jnp.add, old, _moments(x, y, mask[layer])))

            own, pairs = so_far
            return added(own, x, x), tuple(
                (added(alone, y[layer], y[layer]) if self.alone else None, added(both, x, y[layer]))
                for y, (alone, both) in zip(others, pairs, strict=True)
            )

        return {layer: of_layer(layer, first[layer], old) for layer, old in sums.items()}, means

    def combine(self, state: Any) -> Any:
        return jax.lax.psum(state[0], "data"), state[1]

    def finish(self, state: Any, t: Any) -> Any:
        return state[0]


_MOST = 0.99
"""The share of the variance that SVCCA and the angles in sample space are about."""


@dataclass(frozen=True)
class LayerSimilarity:
    """How alike one layer is in some networks and in one or two others; each (networks, others).

    Attributes:
        cka: debiased linear CKA.
        biased_cka: the plain estimate, too high where there are few examples for the width.
        svcca: mean canonical correlation of the components with 99 % of the variance.
        pwcca: canonical correlations weighted by what they account for in the network.
        sample_space_angle: the largest principal angle between the column spaces of the
            components with 99 % of the variance, in sample space, radians.
        procrustes: distance after the best rotation, of features of norm 1, from 0 to sqrt(2).
        examples: rows that were compared.
        dimensions: of the components with 99 % of the variance, (networks, others, 2).
    """

    cka: Float[np.ndarray, "networks others"]
    biased_cka: Float[np.ndarray, "networks others"]
    svcca: Float[np.ndarray, "networks others"]
    pwcca: Float[np.ndarray, "networks others"]
    sample_space_angle: Float[np.ndarray, "networks others"]
    procrustes: Float[np.ndarray, "networks others"]
    examples: int
    dimensions: Float[np.ndarray, "networks others 2"]


def similarity_along(
    features: FeatureFn,
    path: Path,
    ts: Any,
    inputs: Any,
    execution: Execution = Execution(),
) -> dict[str, LayerSimilarity]:
    """How alike every layer at every point is to that of both ends.

    One compiled program sums the moments in one pass over the examples; they are then decomposed
    on the host in double precision.

    Args:
        features: (params, inputs) -> features by layer, such as `Units`.
        path: a curve.
        ts: its points.
        inputs: examples.
        execution: as in `along`.

    Returns:
        By layer; ``networks`` are the points, ``others`` the two ends.

    Raises:
        DataError: naming a layer that does not vary, or has too few examples for its width.
        DivergenceError, StructureError, ConfigError: as `along`.
    """
    sums = along(_Similarities(alone=False), features, path, ts, inputs, execution)
    of_ends = between(_Similarities(), features, _ends(path), inputs, as_given(execution))
    found = {}
    for layer, (here, together) in sums.items():
        first, ((second, _),) = of_ends[layer]
        ends = [_Layer.of(first, layer), _Layer.of(second, layer)]
        rows = [
            _compare(_Layer.of(_at(here, i), layer), ends, [_at(both, i) for _, both in together])
            for i in range(len(here.count))
        ]
        found[layer] = _gathered(rows)
    return found


def similarity_between(
    features: FeatureFn | Sequence[FeatureFn],
    networks: Sequence[Params],
    inputs: Any,
    execution: Execution = Execution(),
) -> dict[str, LayerSimilarity]:
    """How alike every layer of the first network is to that of every other one.

    Args:
        features: of all networks, or one function for each.
        networks: two or more.
        inputs: examples.
        execution: as in `between`.

    Returns:
        By layer; shape (1, others).
    """
    sums = between(_Similarities(), features, networks, inputs, execution)
    found = {}
    for layer, (here, others) in sums.items():
        known = [_Layer.of(alone, layer) for alone, _ in others]
        together = [both for _, both in others]
        found[layer] = _gathered([_compare(_Layer.of(here, layer), known, together)])
    return found


def rotations_along(
    features: FeatureFn,
    path: Path,
    ts: Any,
    inputs: Any,
    execution: Execution = Execution(),
) -> dict[str, Track]:
    """The orthogonal map U(t) of every layer that brings the features of end 0 closest to t's.

    Arguments and errors are those of `similarity_along`.
    """
    sums = along(_Similarities(alone=False), features, path, ts, inputs, execution)
    of_ends = between(_Similarities(), features, _ends(path)[:1], inputs, as_given(execution))
    tracks = {}
    for layer, (here, ((_, together), _)) in sums.items():
        squares = [float(np.trace(_at(here, i).covariance())) for i in range(len(here.count))]
        crosses = np.stack([_at(together, i).covariance().T for i in range(len(here.count))])
        first = float(np.trace(of_ends[layer][0].covariance()))
        tracks[layer] = track_rotations(crosses, first, np.array(squares))
    return tracks


_ends = jax.jit(ends_of)


def _at(sums: Any, point: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[point], sums)


@dataclass(frozen=True)
class _Layer:
    """What comparing one layer of one network needs of it, computed once for all comparisons."""

    name: str
    moments: _Moments
    covariance: Float[np.ndarray, "p p"]
    components: Principal

    @classmethod
    def of(cls, moments: _Moments, name: str) -> "_Layer":
        covariance = moments.covariance()
        return cls(name, moments, covariance, principal(covariance))

    def leading(self, variance: float) -> Principal:
        """The components that hold a share of the variance.

        Moments in single precision tell correlations apart from 1 down to about 1e-6.
        """
        exact = self.moments.cross.dtype == np.float64
        return self.components.leading(variance, CORRELATED if exact else 1e-5)


def _compare(here: _Layer, others: list[_Layer], together: list[_Moments]) -> list[dict]:
    return [_compare_pair(here, other, both) for other, both in zip(others, together, strict=True)]


def _compare_pair(here: _Layer, other: _Layer, together: _Moments) -> dict[str, Any]:
    count, cross = int(here.moments.count), together.covariance()
    check_square(cross)
    check_enough(count - 1, max(cross.shape), "a Procrustes residual")
    kept = here.leading(_MOST), other.leading(_MOST)
    shared = correlations(*kept, cross, count)
    whole = correlated(here.leading(1.0), other.leading(1.0), cross, count)
    squares = [float(np.trace(each.covariance)) for each in (here, other)]
    moments = here.moments, other.moments, together
    cka, biased = (
        ratio(*(m.hsic(each) for m in moments), layer=here.name) for each in (True, False)
    )
    return {
        "cka": cka,
        "biased_cka": biased,
        "svcca": shared.mean(),
        "pwcca": whole.weights @ whole.correlations,
        "sample_space_angle": np.arccos(shared.min()),
        "procrustes": distance_of(float(np.linalg.norm(cross, "nuc")), *squares),
        "dimensions": tuple(len(each.values) for each in kept),
        "examples": count,
    }


def _gathered(rows: list[list[dict]]) -> LayerSimilarity:
    names = set(rows[0][0]) - {"examples"}
    return LayerSimilarity(
        examples=rows[0][0]["examples"],
        **{name: np.array([[each[name] for each in row] for row in rows], float) for name in names},
    )
