"""Single layers of any network, applied to what other networks compute, with no hooks in the model.

The network is traced, and the values in which the units live are replaced by others: those before
the nonlinearity of every layer, to apply the nonlinearities alone, or those after it, to apply the
maps between them alone.

Zhou et al. 2023, *Going beyond linear mode connectivity: the layerwise linear feature
connectivity*. Theorem 1: if in every layer the nonlinearity of the blended pre-activations is the
blend of the nonlinearities (weak additivity), and both networks' weights act alike on the
difference of their features (commutativity), then every layer of the network half way has exactly
the blend of the ends' features.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mconn.errors import DataError, StructureError
from mconn.features.capture import OUTPUTS, Features
from mconn.features.coupling import LayerCoupling, coupling_along
from mconn.features.reduction import Reduction, Shapes, between
from mconn.jaxprs import Equation, Program, bind, evaluate, live, trace
from mconn.landscape import Between, WithEnds
from mconn.measure import Execution
from mconn.paths import Path
from mconn.symmetry import Group, Value, activations, units_last
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class ActivatedBlend:
    """The nonlinearity of every layer, applied to the blend of two networks' pre-activations.

    A hashable `FeatureFn` whose params are those of a point of `WithEnds`: the network, the two
    ends, and their weights in the blend. Where the nonlinearity is additive, the result is the
    blend of the ends' features. Layers have the names of `mconn.features.Units`; a layer is
    missing if what lies between its pre-activations and its features takes parameters or anything
    else from the network, as a normaliser does.

    Attributes:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
    """

    group: Group
    apply: ApplyFn

    def __call__(self, between: Between, inputs: Any) -> dict[str, Float[Array, "samples units"]]:
        """The features of a batch.

        Raises:
            StructureError: if the network is not that of the symmetry, or no layer is left.
        """
        _check_places(self.group, self.apply, between.params, inputs)
        program = trace(self.apply, between.params, inputs)
        before = {value.number for _, value, _ in _places(self.group, "before")}
        chosen = [
            each
            for each in _places(self.group, "after")
            if not _depends_on_inputs(program, each[1].number, before)
        ]
        if not chosen:
            raise StructureError(
                "no layer's nonlinearity stands alone: something else of the network lies between "
                "the pre-activations and the features of every layer"
            )
        ends = [
            evaluate(program, jax.tree.leaves((end, inputs)), list(before)) for end in between.ends
        ]
        first, last = between.mixture
        blends = [first * a + last * b for a, b in zip(*ends, strict=True)]
        return _read(
            program,
            jax.tree.leaves((between.params, inputs)),
            chosen,
            dict(zip(before, blends, strict=True)),
        )


@dataclass(frozen=True)
class Crossed:
    """The pre-activations of every layer of one network, made from the features of another.

    A hashable `FeatureFn` whose params are a pair of networks (P, Q): with weights of P, on the
    features that Q has in the layer before. For a dense layer it is H_Q W_P + b_P. Layers have the
    names of `mconn.features.Units`, and ``outputs`` is the last one; a layer is missing if its
    pre-activations are themselves what the next layer reads.

    Attributes:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
    """

    group: Group
    apply: ApplyFn

    def __call__(
        self, pair: tuple[Params, Params], inputs: Any
    ) -> dict[str, Float[Array, "samples units"]]:
        """The features of a batch.

        Raises:
            StructureError: if the network is not that of the symmetry.
        """
        maps, network = pair
        _check_places(self.group, self.apply, network, inputs)
        program = trace(self.apply, network, inputs)
        after = list({value.number for _, value, _ in _places(self.group, "after")})
        theirs = evaluate(program, jax.tree.leaves((network, inputs)), after)
        values = dict(zip(after, theirs, strict=True))
        arguments = jax.tree.leaves((maps, inputs))
        chosen = [each for each in _places(self.group, "before") if each[1].number not in values]
        found = _read(program, arguments, chosen, values)
        (outputs,) = _evaluate_with(program, arguments, program.outputs[:1], values)
        return {**found, OUTPUTS: outputs.reshape(-1, outputs.shape[-1])}


def _places(group: Group, moment: str) -> Iterator[tuple[str, Value, int]]:
    for generator in group.generators:
        if generator.moves_units:
            values = [value for value in generator.values if value.moment == moment]
            for place, value in enumerate(values):
                name = generator.name if len(values) == 1 else f"{generator.name}/{place}"
                yield name, value, generator.size


def _check_places(group: Group, apply: ApplyFn, params: Params, inputs: Any) -> None:
    jax.eval_shape(lambda params, x: activations(group, apply, params, x), params, inputs)


def _read(
    program: Program,
    arguments: Sequence[Any],
    chosen: Sequence[tuple[str, Value, int]],
    values: Mapping[int, Array],
) -> dict[str, Float[Array, "samples units"]]:
    numbers = list(dict.fromkeys(value.number for _, value, _ in chosen))
    arrays = dict(zip(numbers, _evaluate_with(program, arguments, numbers, values), strict=True))
    return {name: units_last(arrays[value.number], value, size) for name, value, size in chosen}


def _evaluate_with(
    program: Program, arguments: Sequence[Any], wanted: Sequence[int], values: Mapping[int, Array]
) -> list[Array]:
    def replacing(equation: Equation, operands: Sequence[Any]) -> list[Any]:
        results = bind(equation, operands)
        return [
            values.get(number, result)
            for number, result in zip(equation.outputs, results, strict=True)
        ]

    return evaluate(program, arguments, wanted, replacing)


def _depends_on_inputs(program: Program, number: int, given: set[int]) -> bool:
    pending = {number} - given
    for equation in reversed(live(program.equations, [number])):
        if pending.intersection(equation.outputs):
            pending.update(set(equation.inputs) - given)
    return bool(pending.intersection(program.inputs))


def weak_additivity(
    group: Group,
    apply: ApplyFn,
    path: Path,
    ts: Any,
    inputs: Any,
    execution: Execution = Execution(),
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
        execution: as in `mconn.features.along`.

    Returns:
        By layer the measures of `coupling_along`, without rotations, of sigma of the blended
        pre-activations in the place of H_t. Layers whose nonlinearity does not stand alone, as
        those of a normaliser after the pre-activation, are missing.
    """
    return coupling_along(
        ActivatedBlend(group, apply), WithEnds(path), ts, inputs, execution, rotations=False
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
    execution: Execution = Execution(),
) -> dict[str, LayerCommutativity]:
    """Measure (W_A - W_B) (H_A - H_B), which must vanish in a layer for it to commute.

    Args:
        group: what `mconn.symmetry.discover` found for ``apply``.
        apply: the network, (params, inputs) -> outputs.
        a: one network, and
        b: the other.
        inputs: examples.
        execution: as in `mconn.features.between`.

    Returns:
        By layer, ``outputs`` for the last one. It is exactly 0 for a layer that reads the network's
        inputs, which are the same for both. Layers whose pre-activations are what the next layer
        reads are missing.

    Raises:
        DataError: if a layer's pre-activations are all zero; and as `mconn.features.between`.
    """
    pairs = [(a, a), (a, b), (b, a), (b, b)]
    found = between(_MixedDifference(), Crossed(group, apply), pairs, inputs, execution)
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
class _MixedDifference(Reduction):
    """|AA + BB - AB - BA|^2, |AA + BB|^2, |AB + BA|^2 and the samples, by layer."""

    def start(self, shapes: Shapes) -> dict[str, Float[Array, "4"]]:
        return {layer: jnp.zeros(4, shape.dtype) for layer, shape in shapes[0].items()}

    def update(
        self,
        state: dict[str, Float[Array, "4"]],
        features: tuple[Features, ...],
        mask: Mapping[str, Bool[Array, "samples"]],
        t: Any,
    ) -> dict[str, Float[Array, "4"]]:
        del t
        sums = {}
        for layer, so_far in state.items():
            aa, ab, ba, bb = (jnp.where(mask[layer][:, None], each[layer], 0) for each in features)
            # Differences first: of close networks, sums would cancel to few digits.
            parts = ((aa - ab) - (ba - bb), aa + bb, ab + ba)
            sums[layer] = so_far + jnp.stack(
                [*((part**2).sum() for part in parts), mask[layer].sum().astype(so_far.dtype)]
            )
        return sums
