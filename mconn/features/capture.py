"""Features of networks, read layer by layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.checks import check_choice, check_kind
from mconn.errors import DivergenceError, StructureError
from mconn.measure import Execution, fold
from mconn.symmetry import Group, activations
from mconn.types import ApplyFn, Params

Features: TypeAlias = Mapping[str, Float[Array, "samples units"]]
"""The features of one batch by layer: a row per example (and position), a column per unit."""

FeatureFn: TypeAlias = Callable[[Params, Any], Features]
"""``features(params, inputs)``: a pure function, hashable, so that calls share a program.

The rows of an example follow each other, so that all layers have a multiple of the examples.
"""
OUTPUTS = "outputs"
"""The name of the layer that a network's outputs are, one row per example."""


@dataclass(frozen=True)
class Units:
    """The units of a network, found through its symmetry; a hashable :data:`FeatureFn`.

    Attributes:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
        moment: "after" the nonlinearity (what the next layer reads), or "before" it.
    """

    group: Group
    apply: ApplyFn
    moment: str = "after"

    def __post_init__(self) -> None:
        check_kind("group", self.group, Group, "find it by mconn.symmetry.discover")
        check_choice("moment", self.moment, ("after", "before"))

    def __call__(self, params: Params, inputs: Any) -> dict[str, Float[Array, "samples units"]]:
        """The units of a batch, by the name of the generator that moves them.

        A generator that has several values, as a residual stream, has one entry for each:
        "name/0", "name/1" and so on. The rows are examples and positions.
        """
        found = activations(self.group, self.apply, params, inputs, moment=self.moment)
        return {
            name if len(values) == 1 else f"{name}/{place}": value
            for name, values in found.items()
            for place, value in enumerate(values)
        }


@dataclass(frozen=True)
class Averaged:
    """The mean over the positions of every example; a hashable :data:`FeatureFn`.

    Layers of a convolutional network have different numbers of positions, and can be compared with
    each other in this way only.

    Attributes:
        features: whose rows are examples and positions.
    """

    features: FeatureFn

    def __call__(self, params: Params, inputs: Any) -> dict[str, Float[Array, "examples units"]]:
        """One row for each example of the batch."""
        count = trees.count_examples(inputs)
        return {
            layer: value.reshape(count, -1, value.shape[-1]).mean(axis=1)
            for layer, value in self.features(params, inputs).items()
        }


@dataclass(frozen=True)
class WithOutputs:
    """Features with the network's outputs as one more layer; a hashable `FeatureFn`.

    Attributes:
        features: those of the hidden layers.
        apply: the network, (params, inputs) -> outputs.
    """

    features: FeatureFn
    apply: ApplyFn

    def __call__(self, params: Params, inputs: Any) -> dict[str, Float[Array, "samples units"]]:
        """The features of a batch."""
        outputs = self.apply(params, inputs)
        return {**self.features(params, inputs), OUTPUTS: outputs.reshape(-1, outputs.shape[-1])}


def capture(
    features: FeatureFn, params: Params, inputs: Any, *, batch_size: int = 1000
) -> dict[str, Float[np.ndarray, "samples units"]]:
    """The features of all examples, on the host; one batch at a time on the device.

    Args:
        features: (params, inputs) -> features by layer.
        params: of the network.
        inputs: examples, a pytree of arrays with one leading axis.
        batch_size: largest number of examples in one batch.

    Raises:
        DataError: if there is no example.
        ConfigError: if a batch would be empty.
        DivergenceError: if a feature is not finite; names the layer.
    """
    count = trees.count_examples(inputs)
    examples = fold(inputs, Execution(batch_size).batch_size)
    size = examples.mask.shape[1]
    found: dict[str, np.ndarray] = {}
    for number in range(len(examples.mask)):
        values = _batch_features(features, params, trees.index(examples.batches, number))
        for layer, value in values.items():
            rows = len(value) // size
            if layer not in found:
                found[layer] = np.empty((count * rows, value.shape[1]), value.dtype)
            here = found[layer][number * size * rows : (number + 1) * size * rows]
            here[:] = np.asarray(value)[: len(here)]
    for layer, value in found.items():
        if not np.isfinite(value).all():
            raise not_finite(layer, "of the network")
    return found


@partial(jax.jit, static_argnums=0)
def _batch_features(features: FeatureFn, params: Params, inputs: Any) -> Features:
    return checked(features, params, inputs)


def checked(features: FeatureFn, params: Params, inputs: Any) -> dict[str, Array]:
    """The features of a batch, in single precision or wider.

    Raises:
        StructureError: if there is none, or a layer is no matrix with some rows for each example.
    """
    found = {layer: trees.wide(value) for layer, value in features(params, inputs).items()}
    count = trees.count_examples(inputs)
    if not found:
        raise StructureError(
            "there are no features: the symmetry has no generator that moves units, or the "
            "function returns none"
        )
    for layer, value in found.items():
        if value.ndim != 2 or len(value) % count:
            raise StructureError(
                f"the features of layer '{layer}' of {count} examples have the shape "
                f"{value.shape}: return a matrix with as many rows for every example"
            )
    return found


def not_finite(layer: str, where: str) -> DivergenceError:
    """The error that names the layer."""
    return DivergenceError(
        f"the features of layer '{layer}' are not finite {where}: look at the parameters and the "
        "inputs there"
    )
