"""How alike the networks along a path, or some given ones, are in every layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mconn.features.capture import FeatureFn, along, between
from mconn.features.cca import TOLERANCE, Principal, correlated, correlations, principal
from mconn.features.cka import cka_of
from mconn.features.matrices import check_enough
from mconn.features.moments import Comparison, Moments, Similarities
from mconn.features.procrustes import Track, check_square, distance_of, track_rotations
from mconn.paths import Path
from mconn.types import Params

MOST = 0.99
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
    features: FeatureFn, path: Path, ts: Any, inputs: Any, *, batch_size: int = 1000
) -> dict[str, LayerSimilarity]:
    """How alike every layer at every point is to that of both ends.

    One compiled program sums the moments in one pass over the examples; they are then decomposed
    on the host in double precision.

    Args:
        features: (params, inputs) -> features by layer, such as `Units`.
        path: a curve.
        ts: its points.
        inputs: examples.
        batch_size: largest number of examples in one batch.

    Returns:
        By layer; ``networks`` are the points, ``others`` the two ends.

    Raises:
        DataError: naming a layer that does not vary, or has too few examples for its width.
        DivergenceError, StructureError, ConfigError: as `along`.
    """
    sums = along(Similarities(alone=False), features, path, ts, inputs, batch_size=batch_size)
    of_ends = between(Similarities(), features, ends(path), inputs, batch_size=batch_size)
    points = len(np.atleast_1d(np.asarray(ts)))
    found = {}
    for layer, (here, together) in sums.items():
        first, ((second, _),) = of_ends[layer]
        others = [Layer.of(first, layer), Layer.of(second, layer)]
        found[layer] = gathered(
            [
                compare(
                    Layer.of(at(here, i), layer),
                    others,
                    [at(both, i) for _, both in together],
                )
                for i in range(points)
            ]
        )
    return found


def similarity_between(
    features: FeatureFn | Sequence[FeatureFn],
    networks: Sequence[Params],
    inputs: Any,
    *,
    batch_size: int = 1000,
) -> dict[str, LayerSimilarity]:
    """How alike every layer of the first network is to that of every other one.

    Args:
        features: of all networks, or one function for each.
        networks: two or more.
        inputs: examples.
        batch_size: largest number of examples in one batch.

    Returns:
        By layer; shape (1, others).
    """
    sums = between(Similarities(), features, networks, inputs, batch_size=batch_size)
    found = {}
    for layer, (here, others) in sums.items():
        known = [Layer.of(alone, layer) for alone, _ in others]
        together = [both for _, both in others]
        found[layer] = gathered([compare(Layer.of(here, layer), known, together)])
    return found


def rotations_along(
    features: FeatureFn, path: Path, ts: Any, inputs: Any, *, batch_size: int = 1000
) -> dict[str, Track]:
    """The orthogonal map U(t) of every layer that brings the features of end 0 closest to t's.

    Arguments and errors are those of `similarity_along`.
    """
    sums = along(Similarities(alone=False), features, path, ts, inputs, batch_size=batch_size)
    of_ends = between(Similarities(), features, ends(path)[:1], inputs, batch_size=batch_size)
    tracks = {}
    for layer, (here, ((_, together), _)) in sums.items():
        squares = [float(np.trace(at(here, i).covariance())) for i in range(len(here.count))]
        crosses = np.stack([at(together, i).covariance().T for i in range(len(here.count))])
        first = float(np.trace(of_ends[layer][0].covariance()))
        tracks[layer] = track_rotations(crosses, first, np.array(squares))
    return tracks


@jax.jit
def ends(path: Path) -> tuple[Params, Params]:
    """The networks at both ends."""
    return path(jnp.zeros(())), path(jnp.ones(()))


def at(sums: Any, point: int) -> Any:
    """The moments of one point."""
    return jax.tree.map(lambda leaf: leaf[point], sums)


@dataclass(frozen=True)
class Layer:
    """What comparing one layer of one network needs of it, computed once for all comparisons."""

    name: str
    moments: Moments
    covariance: Float[np.ndarray, "p p"]
    components: Principal

    @classmethod
    def of(cls, moments: Moments, name: str) -> "Layer":
        """From its moments with itself."""
        covariance = moments.covariance()
        return cls(name, moments, covariance, principal(covariance))

    def leading(self, variance: float) -> Principal:
        """The components that hold a share of the variance.

        Moments in single precision tell correlations apart from 1 down to about 1e-6.
        """
        exact = self.moments.cross.dtype == np.float64
        return self.components.leading(variance, TOLERANCE if exact else 1e-5)


def compare(here: Layer, others: list[Layer], together: list[Moments]) -> list[dict]:
    """All measures of one network with every other."""
    return [compare_pair(here, other, both) for other, both in zip(others, together, strict=True)]


def compare_pair(here: Layer, other: Layer, together: Moments) -> dict[str, Any]:
    """All measures of two networks."""
    count, cross = int(here.moments.count), together.covariance()
    check_square(cross)
    check_enough(count - 1, max(cross.shape), "a Procrustes residual")
    kept = here.leading(MOST), other.leading(MOST)
    shared = correlations(*kept, cross, count)
    whole = correlated(here.leading(1.0), other.leading(1.0), cross, count)
    squares = [float(np.trace(each.covariance)) for each in (here, other)]
    moments = Comparison(here.moments, other.moments, together)
    return {
        "cka": cka_of(moments, layer=here.name),
        "biased_cka": cka_of(moments, debiased=False, layer=here.name),
        "svcca": shared.mean(),
        "pwcca": whole.weights @ whole.correlations,
        "sample_space_angle": np.arccos(shared.min()),
        "procrustes": distance_of(float(np.linalg.norm(cross, "nuc")), *squares),
        "dimensions": tuple(len(each.values) for each in kept),
        "examples": count,
    }


def gathered(rows: list[list[dict]]) -> LayerSimilarity:
    """The measures of all networks as arrays."""
    names = set(rows[0][0]) - {"examples"}
    return LayerSimilarity(
        examples=rows[0][0]["examples"],
        **{name: np.array([[each[name] for each in row] for row in rows], float) for name in names},
    )
