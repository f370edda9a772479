"""How the features of the networks on a path are related to those of its ends, layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn import trees
from mconn.errors import DataError
from mconn.features.capture import FeatureFn, Features
from mconn.features.reduction import Reduction, Shapes, along
from mconn.measure import Execution, points_of
from mconn.paths import Path
from mconn.types import PyTree

_SAMPLES_PER_UNIT = 4
"""The fewest samples per unit with which a rotation is fitted.

Of n samples of m unrelated, uncorrelated units a rotation explains a share of about .85 sqrt(m / n)
of the sum of squares, by chance.
"""


class LayerCoupling(NamedTuple):
    """How one layer's features H_t are related to those of the ends, H_0 and H_1; nothing centred.

    B is the blend (1 - t) H_0 + t H_1 of the ends' features, and |.| the Frobenius norm over
    samples and units.

    Attributes:
        drift: |H_t - H_0|^2 / |H_t|^2.
        rotation_residual: min over orthogonal U of |H_t - H_0 U|^2 / |H_t|^2 (Procrustes).
        blend_distance: |H_t - B|^2 / |H_t|^2.
        blend_residual: min over c of |H_t - c B|^2 / |H_t|^2.
        coefficient: the c that attains it. Zhou et al. 2023 put their c before H_t: its inverse.
        blend_cosine_distance: mean over samples of 1 - cos(h_t, b), by which Zhou et al. measure
            layer-wise linear feature connectivity, and
        end_cosine_distance: the mean of 1 - cos(h_0, h_1), what they compare it with.
        variance_ratio: variance at t over the blend of the ends' variances, summed over units; of
            pre-activations, that of REPAIR (Jordan et al. 2023).
        samples: number of rows that were seen, and
        directed: the share of them that have a direction in all of H_t, H_0 and H_1; the angles
            leave the others out, in which all units are zero.
    """

    drift: Any
    rotation_residual: Any
    blend_distance: Any
    blend_residual: Any
    coefficient: Any
    blend_cosine_distance: Any
    end_cosine_distance: Any
    variance_ratio: Any
    samples: Any
    directed: Any


class _Sums(NamedTuple):
    """What is added up over samples for one layer.

    Attributes:
        samples, directed: counts of rows.
        squares: |H_t|^2, |H_0|^2 and |B|^2.
        drift: |H_t - H_0|^2.
        off_blend: |H_t - B|^2, and
        along_blend: <H_t - B, B>.
        angles: sums of 1 - cos, to the blend and between the ends.
        cross: H_0^T H_t, or None.
        means: of the units of the three networks, shape (3, units), and
        spreads: their sums of squared deviations from them.
    """

    samples: Array
    directed: Array
    squares: Array
    drift: Array
    off_blend: Array
    along_blend: Array
    angles: Array
    cross: Array | None
    means: Array
    spreads: Array


@dataclass(frozen=True)
class _Coupling(Reduction):
    """Adds up what `LayerCoupling` needs.

    Attributes:
        rotations: whether to fit rotations, which takes a matrix of units by units per layer.
    """

    rotations: bool = True

    def start(self, shapes: Shapes) -> dict[str, _Sums]:
        state = {}
        for layer, shape in shapes[0].items():
            units, zero = shape.shape[1], jnp.zeros((), shape.dtype)
            state[layer] = _Sums(
                samples=jnp.zeros((), int),
                directed=jnp.zeros((), int),
                squares=jnp.zeros(3, shape.dtype),
                drift=zero,
                off_blend=zero,
                along_blend=zero,
                angles=jnp.zeros(2, shape.dtype),
                cross=jnp.zeros((units, units), shape.dtype) if self.rotations else None,
                means=jnp.zeros((3, units), shape.dtype),
                spreads=jnp.zeros((3, units), shape.dtype),
            )
        return state

    def update(
        self,
        state: dict[str, _Sums],
        features: tuple[Features, ...],
        mask: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> dict[str, _Sums]:
        here, first, last = features
        return {
            layer: self.add(sums, here[layer], first[layer], last[layer], mask[layer], t)
            for layer, sums in state.items()
        }

    def add(
        self, sums: _Sums, here: Array, first: Array, last: Array, mask: Array, t: Any
    ) -> _Sums:
        here, first, last = (jnp.where(mask[:, None], each, 0) for each in (here, first, last))
        blend = (1 - t) * first + t * last
        off = here - blend
        lengths = [jnp.linalg.norm(each, axis=1) for each in (here, first, last, blend)]
        directed = jnp.stack(lengths).min(axis=0) > 0
        pairs = ((here, blend, lengths[0], lengths[3]), (first, last, lengths[1], lengths[2]))
        angles = [jnp.where(directed, _opening(*pair), 0).sum() for pair in pairs]
        count, means, spreads = _merged(sums, jnp.stack([here, first, last]), mask)
        cross = None if sums.cross is None else sums.cross + _precise(first.T, here)
        return _Sums(
            samples=count,
            directed=sums.directed + directed.sum(),
            squares=sums.squares + jnp.stack([(each**2).sum() for each in (here, first, blend)]),
            drift=sums.drift + ((here - first) ** 2).sum(),
            off_blend=sums.off_blend + (off**2).sum(),
            along_blend=sums.along_blend + (off * blend).sum(),
            angles=sums.angles + jnp.stack(angles),
            cross=cross,
            means=means,
            spreads=spreads,
        )

    def combine(self, state: dict[str, _Sums]) -> dict[str, _Sums]:
        return {layer: _combined(sums) for layer, sums in state.items()}

    def finish(self, state: dict[str, _Sums], t: Any) -> PyTree:
        return {layer: _measures(sums, t) for layer, sums in state.items()}


def _measures(sums: _Sums, t: Any) -> LayerCoupling:
    here, first, blend = sums.squares
    rotation = jnp.full_like(here, jnp.nan)
    if sums.cross is not None:
        # The best rotation is the polar factor of the cross-product (Schoenemann 1966).
        explained = jnp.linalg.svd(sums.cross, compute_uv=False).sum()
        rotation = jnp.maximum(here + first - 2 * explained, 0) / here
    # With H_t = B + D, so that nothing cancels where H_t is close to the blend.
    residual = sums.off_blend - sums.along_blend**2 / blend
    spread, at_0, at_1 = sums.spreads.sum(axis=1)
    return LayerCoupling(
        drift=sums.drift / here,
        rotation_residual=rotation,
        blend_distance=sums.off_blend / here,
        blend_residual=jnp.maximum(residual, 0) / here,
        coefficient=1 + sums.along_blend / blend,
        blend_cosine_distance=sums.angles[0] / sums.directed,
        end_cosine_distance=sums.angles[1] / sums.directed,
        variance_ratio=spread / ((1 - t) * at_0 + t * at_1),
        samples=sums.samples,
        directed=sums.directed / sums.samples,
    )


def coupling_along(
    features: FeatureFn,
    path: Path,
    ts: Any,
    inputs: Any,
    execution: Execution = Execution(),
    *,
    rotations: bool = True,
) -> dict[str, LayerCoupling]:
    """Compare the features along a curve with rotations and with blends of the ends' features.

    Layer-wise linear feature connectivity says that a layer of the network half way is close to
    the blend of the same layer at the ends (Zhou et al. 2023, *Going beyond linear mode
    connectivity*); a blend of features is no rotation of them, and loses variance.

    Args:
        features: (params, inputs) -> features by layer. After the nonlinearity for the connectivity
            of features, before it for the variance ratio of REPAIR.
        path: a curve.
        ts: its points.
        inputs: examples.
        execution: as in `mconn.features.along`.
        rotations: whether to fit rotations; ``rotation_residual`` is not a number without. The
            residual of too few samples is small whatever the features are.

    Returns:
        By layer the measures, each of shape (points,).

    Raises:
        DataError: if there are fewer than four samples per unit of a layer that is to be rotated,
            or all samples of a layer are alike or zero; names the layer. And as
            `mconn.features.along`.
    """
    if rotations:
        _check_enough(features, path, inputs)
    ts = points_of([path], ts)
    found = along(_Coupling(rotations), features, path, ts, inputs, execution)
    return {layer: _checked(layer, measured, ts, rotations) for layer, measured in found.items()}


def _check_enough(features: FeatureFn, path: Path, inputs: Any) -> None:
    few = jax.tree.map(lambda leaf: np.asarray(leaf[:1]), inputs)
    shapes = jax.eval_shape(lambda path, few: features(path(jnp.float32(0)), few), path, few)
    for layer, shape in shapes.items():
        samples, units = trees.count_examples(inputs) * shape.shape[0], shape.shape[1]
        if samples < _SAMPLES_PER_UNIT * units:
            raise DataError(
                f"layer '{layer}' has {units} units and {samples} samples, of which a rotation "
                f"explains about {min(1, 0.85 * np.sqrt(units / samples)):.0%} whatever the "
                f"features are: pass inputs with at least {_SAMPLES_PER_UNIT * units} samples, or "
                "leave out rotations"
            )


def _checked(layer: str, measured: LayerCoupling, ts: np.ndarray, rotations: bool) -> LayerCoupling:
    for name, values in measured._asdict().items():
        if (rotations or name != "rotation_residual") and not np.isfinite(values).all():
            t = ts[int(np.argmin(np.isfinite(values)))]
            raise DataError(
                f"the {name.replace('_', ' ')} of layer '{layer}' is not defined at t = {t:g}: its "
                "features are zero or the same for all samples, so leave out this layer"
            )
    return measured


def _opening(a: Array, b: Array, length: Array, other: Array) -> Float[Array, "samples"]:
    safe = [jnp.where(each > 0, each, 1)[:, None] for each in (length, other)]
    return ((a / safe[0] - b / safe[1]) ** 2).sum(axis=1) / 2


def _merged(
    sums: _Sums, rows: Float[Array, "networks samples units"], mask: Array
) -> tuple[Array, Array, Array]:
    number = mask.sum()
    count = sums.samples + number
    mean = rows.sum(axis=1) / jnp.maximum(number, 1)
    spread = jnp.where(mask[:, None], (rows - mean[:, None]) ** 2, 0).sum(axis=1)
    shift, share = mean - sums.means, number / jnp.maximum(count, 1)
    spreads = sums.spreads + spread + shift**2 * sums.samples * share
    return count, sums.means + shift * share, spreads


def _combined(sums: _Sums) -> _Sums:
    # Each device has means of its own, and deviations from them.
    whole: _Sums = jax.lax.psum(sums, "data")
    count = jnp.maximum(whole.samples, 1)
    means = jax.lax.psum(sums.samples * sums.means, "data") / count
    shifts = jax.lax.psum(sums.samples * (sums.means - means) ** 2, "data")
    return whole._replace(means=means, spreads=whole.spreads + shifts)


def _precise(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
