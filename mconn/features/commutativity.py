"""When blends of networks have blends of features: weak additivity, and commutativity.

Zhou et al. 2023, *Going beyond linear mode connectivity: the layerwise linear feature
connectivity*. Theorem 1: if in every layer the nonlinearity of the blended pre-activations is the
blend of the nonlinearities (weak additivity), and both networks' weights act alike on the
difference of their features (commutativity), then every layer of the network half way has exactly
the blend of the ends' features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn.errors import DataError
from mconn.features.capture import Features, Reduction, Shapes, between
from mconn.features.coupling import LayerCoupling, coupling_along
from mconn.features.layer_maps import ActivatedBlend, Crossed
from mconn.landscape import WithEnds
from mconn.paths import Path
from mconn.symmetry import Group
from mconn.types import ApplyFn, Params


def weak_additivity(
    group: Group,
    apply: ApplyFn,
    path: Path,
    ts: Any,
    inputs: Any,
    *,
    batch_size: int = 1000,
) -> dict[str, LayerCoupling]:
    """Compare sigma((1-t) Z_0 + t Z_1) with (1-t) sigma(Z_0) + t sigma(Z_1), layer by layer.

    Z_0 and Z_1 are the ends' pre-activations; only the ends and the weights of the chord count.
    ``blend_distance`` and ``blend_cosine_distance`` are 0 where the nonlinearity is additive.

    Args:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
        path: a curve.
        ts: its points.
        inputs: examples.
        batch_size: largest number of examples in one batch.

    Returns:
        By layer the measures of `coupling_along`, without rotations, of sigma of the blended
        pre-activations in the place of H_t. Layers whose nonlinearity does not stand alone, as
        those of a normaliser after the pre-activation, are missing.
    """
    return coupling_along(
        ActivatedBlend(group, apply),
        WithEnds(path),
        ts,
        inputs,
        rotations=False,
        batch_size=batch_size,
    )


class LayerCommutativity(NamedTuple):
    """How far one layer is from commuting, with Z_PQ the pre-activations by P on features of Q.

    Attributes:
        distance: |(Z_AA + Z_BB) - (Z_AB + Z_BA)|^2 / (|Z_AA + Z_BB| |Z_AB + Z_BA|), the
            distance Dist_com of Zhou et al., with biases in the denominator. The numerator is
            |(W_A - W_B) (H_A - H_B)|^2 for a dense layer.
        norm: the root mean square over samples of |(W_A - W_B) (H_A - H_B)|, in the units of the
            pre-activations.
    """

    distance: float
    norm: float


def commutativity(
    group: Group,
    apply: ApplyFn,
    a: Params,
    b: Params,
    inputs: Any,
    *,
    batch_size: int = 1000,
) -> dict[str, LayerCommutativity]:
    """Measure (W_A - W_B) (H_A - H_B), which must vanish in a layer for it to commute.

    Args:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
        a: one network, and
        b: the other.
        inputs: examples.
        batch_size: largest number of examples in one batch.

    Returns:
        By layer, ``outputs`` for the last one. It is exactly 0 for a layer that reads the network's
        inputs, which are the same for both. Layers whose pre-activations are what the next layer
        reads are missing.

    Raises:
        DataError: if a layer's pre-activations are all zero; and as `mconn.features.between`.
    """
    pairs = [(a, a), (a, b), (b, a), (b, b)]
    found = between(MixedDifference(), Crossed(group, apply), pairs, inputs, batch_size=batch_size)
    result = {}
    for layer, (difference, straight, crossed, samples) in found.items():
        scale = np.sqrt(straight * crossed)
        if not scale > 0:
            raise DataError(
                f"the pre-activations of layer '{layer}' are zero for all samples: leave it out"
            )
        norm = float(np.sqrt(difference / samples))
        result[layer] = LayerCommutativity(float(difference / scale), norm)
    return result


@dataclass(frozen=True)
class MixedDifference(Reduction):
    """|AA + BB - AB - BA|^2, |AA + BB|^2, |AB + BA|^2 and the samples, by layer."""

    def start(self, shapes: Shapes) -> dict[str, Float[Array, "4"]]:
        """Nothing."""
        return {layer: jnp.zeros(4, shape.dtype) for layer, shape in shapes[0].items()}

    def update(
        self,
        state: dict[str, Float[Array, "4"]],
        features: tuple[Features, ...],
        real: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> dict[str, Float[Array, "4"]]:
        """The sums with those of one more batch of AA, AB, BA and BB."""
        del t
        sums = {}
        for layer, so_far in state.items():
            aa, ab, ba, bb = (jnp.where(real[layer][:, None], each[layer], 0) for each in features)
            # Differences first: of close networks, sums would cancel to few digits.
            parts = ((aa - ab) - (ba - bb), aa + bb, ab + ba)
            sums[layer] = so_far + jnp.stack(
                [*((part**2).sum() for part in parts), real[layer].sum().astype(so_far.dtype)]
            )
        return sums
