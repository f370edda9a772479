"""How far a layer is from an affine map of the network's inputs, by finite differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn.errors import DataError
from mconn.features.capture import FeatureFn, Features
from mconn.features.reduction import Reduction, Shapes, together
from mconn.measure import Execution
from mconn.paths import Domain, Path
from mconn.types import Params


def linearity_defect(
    features: FeatureFn,
    params: Params,
    inputs: Any,
    others: Any,
    steps: Any,
    execution: Execution = Execution(),
) -> dict[str, Float[np.ndarray, "steps"]]:
    """Measure whether the features are an affine function of the inputs, layer by layer.

    Around the midpoint x of an input and its partner, f is compared at x - d, x and x + d with d =
    step * (partner - input) / 2: a step of 1 spans the pair. The defect is

        |f(x + d) - 2 f(x) + f(x - d)|^2 / |f(x + d) - f(x - d)|^2

    with both norms over samples and units, and 0 for an affine map. A network of rectifiers is
    affine between its kinks, so that its defect falls with the step.

    Args:
        features: (params, inputs) -> features by layer.
        params: of the network.
        inputs: examples, an array or a pytree of them.
        others: a partner for every example, such as the same examples in another order.
        steps: lengths of the differences, relative to half the distance of a pair.
        execution: as in `mconn.features.between`.

    Returns:
        By layer the defect at every step.

    Raises:
        DataError: if the features of a layer are the same at both sides of all pairs; and as
            `mconn.features.between`.
    """
    steps = np.atleast_1d(np.asarray(steps, np.float32))
    read = (_OnSegments(features),) * 3
    path = _Around(params)
    result = together(_SecondDifference(), read, path, (inputs, others), execution, steps)
    found = {}
    for layer, sums in result.items():
        second, first = np.asarray(sums).T
        if not (first > 0).all():
            step = steps[int(np.argmin(first > 0))]
            raise DataError(
                f"the features of layer '{layer}' are the same on both sides of every pair of "
                f"inputs at a step of {step:g}: pass pairs of different inputs"
            )
        found[layer] = (second / first).astype(float)
    return found


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Around(Path):
    """A network with the places -t, 0 and t of the segments: a point for every step t."""

    network: Params

    @property
    def domain(self) -> Domain:  # pyright: ignore[reportIncompatibleVariableOverride]
        return _STEPS

    def __call__(self, t: Any) -> Params:
        return tuple((self.network, place * t) for place in (-1, 0, 1))


_STEPS = Domain("steps", lambda t: jnp.ones(1) * t, lambda ts: None)


@dataclass(frozen=True)
class _OnSegments:
    """Features at the same place of the segments between pairs of inputs; a hashable `FeatureFn`.

    Its params are those of the network and the place: -1 is the input, 0 the midpoint, 1 the
    partner.
    """

    features: FeatureFn

    def __call__(self, params: tuple[Params, Array], pair: Any) -> Features:
        network, place = params
        return self.features(
            network,
            jax.tree.map(lambda x, other: (x + other) / 2 + place * (other - x) / 2, *pair),
        )


@dataclass(frozen=True)
class _SecondDifference(Reduction):
    """|f(x - d) - 2 f(x) + f(x + d)|^2 and |f(x + d) - f(x - d)|^2, by layer."""

    def start(self, shapes: Shapes) -> dict[str, Float[Array, "2"]]:
        return {layer: jnp.zeros(2, shape.dtype) for layer, shape in shapes[0].items()}

    def update(
        self,
        state: dict[str, Float[Array, "2"]],
        features: tuple[Features, ...],
        mask: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> dict[str, Float[Array, "2"]]:
        del t
        sums = {}
        for layer, so_far in state.items():
            before, middle, after = (each[layer] for each in features)
            parts = ((before - middle) - (middle - after), after - before)
            counted = [jnp.where(mask[layer][:, None], part**2, 0).sum() for part in parts]
            sums[layer] = so_far + jnp.stack(counted)
        return sums
