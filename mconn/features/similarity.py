"""How alike the networks along a path, or some given ones, are in every layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mconn.features.capture import FeatureFn, along, between
from mconn.features.cca import canonical_of
from mconn.features.cka import cka_of
from mconn.features.moments import Comparison, Moments, Similarities
from mconn.features.procrustes import Track, procrustes_of, track_rotations
from mconn.paths import Path
from mconn.types import Params


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
    sums = along(Similarities(), features, path, ts, inputs, batch_size=batch_size)
    points = len(np.atleast_1d(np.asarray(ts)))
    return {
        layer: gathered([compare(at(each, i), layer) for i in range(points)])
        for layer, each in sums.items()
    }


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
    return {layer: gathered([compare(each, layer)]) for layer, each in sums.items()}


def rotations_along(
    features: FeatureFn, path: Path, ts: Any, inputs: Any, *, batch_size: int = 1000
) -> dict[str, Track]:
    """The orthogonal map U(t) of every layer that brings the features of end 0 closest to t's.

    Arguments and errors are those of `similarity_along`.
    """
    sums = along(Similarities(), features, path, ts, inputs, batch_size=batch_size)
    tracks = {}
    for layer, (here, ((start, together), _)) in sums.items():
        squares = [float(np.trace(at(here, i).covariance())) for i in range(len(here.count))]
        crosses = np.stack([at(together, i).covariance().T for i in range(len(here.count))])
        first = float(np.trace(at(start, 0).covariance()))
        tracks[layer] = track_rotations(crosses, first, np.array(squares))
    return tracks


def at(sums: Any, point: int) -> Any:
    """The moments of one point."""
    import jax

    return jax.tree.map(lambda leaf: leaf[point], sums)


def compare(sums: tuple[Moments, tuple[tuple[Moments, Moments], ...]], layer: str) -> list[dict]:
    """All measures of one network with every other."""
    here, others = sums
    found = []
    for alone, together in others:
        moments = Comparison(here, alone, together)
        kept, whole = canonical_of(moments, variance=0.99), canonical_of(moments)
        found.append(
            {
                "cka": cka_of(moments, layer=layer),
                "biased_cka": cka_of(moments, debiased=False, layer=layer),
                "svcca": kept.correlations.mean(),
                "pwcca": whole.weights @ whole.correlations,
                "sample_space_angle": np.arccos(kept.correlations.min()),
                "procrustes": procrustes_of(moments).distance,
                "dimensions": kept.dimensions,
                "examples": int(here.count),
            }
        )
    return found


def gathered(rows: list[list[dict]]) -> LayerSimilarity:
    """The measures of all networks as arrays."""
    names = set(rows[0][0]) - {"examples"}
    return LayerSimilarity(
        examples=rows[0][0]["examples"],
        **{name: np.array([[each[name] for each in row] for row in rows], float) for name in names},
    )
