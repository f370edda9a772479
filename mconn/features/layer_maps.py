"""Single layers of any network, applied to what other networks compute: no hooks in the model.

The network is traced, and the values in which the units live are replaced by others: those before
the nonlinearity of every layer, to apply the nonlinearities alone, or those after it, to apply the
maps between them alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array, Float

from mconn.errors import StructureError
from mconn.features.capture import FeatureFn
from mconn.jaxprs import Equation, Program, bind, evaluate, live, trace
from mconn.landscape import Between
from mconn.symmetry import Group, Value, activations, units_last
from mconn.types import ApplyFn, Params

OUTPUTS = "outputs"
"""The name of the layer that a network's outputs are, one row per example."""


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
        check_places(self.group, self.apply, between.params, inputs)
        program = trace(self.apply, between.params, inputs)
        before = {value.number for _, value, _ in places(self.group, "before")}
        chosen = [
            each
            for each in places(self.group, "after")
            if not depends_on_inputs(program, each[1].number, before)
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
        return read(
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
        check_places(self.group, self.apply, network, inputs)
        program = trace(self.apply, network, inputs)
        after = list({value.number for _, value, _ in places(self.group, "after")})
        theirs = evaluate(program, jax.tree.leaves((network, inputs)), after)
        values = dict(zip(after, theirs, strict=True))
        arguments = jax.tree.leaves((maps, inputs))
        chosen = [each for each in places(self.group, "before") if each[1].number not in values]
        found = read(program, arguments, chosen, values)
        (outputs,) = evaluate_with(program, arguments, program.outputs[:1], values)
        return {**found, OUTPUTS: outputs.reshape(-1, outputs.shape[-1])}


def places(group: Group, moment: str) -> Iterator[tuple[str, Value, int]]:
    """Name, value and width of every layer, named as `mconn.features.Units` does."""
    for generator in group.generators:
        if generator.moves_units:
            values = [value for value in generator.values if value.moment == moment]
            for place, value in enumerate(values):
                name = generator.name if len(values) == 1 else f"{generator.name}/{place}"
                yield name, value, generator.size


def check_places(group: Group, apply: ApplyFn, params: Params, inputs: Any) -> None:
    """Refuse a network that is not that of the symmetry: reading its units does."""
    jax.eval_shape(lambda params, x: activations(group, apply, params, x), params, inputs)


def read(
    program: Program,
    arguments: Sequence[Any],
    chosen: Sequence[tuple[str, Value, int]],
    values: Mapping[int, Array],
) -> dict[str, Float[Array, "samples units"]]:
    """The units of some layers while some values are replaced."""
    numbers = list(dict.fromkeys(value.number for _, value, _ in chosen))
    arrays = dict(zip(numbers, evaluate_with(program, arguments, numbers, values), strict=True))
    return {name: units_last(arrays[value.number], value, size) for name, value, size in chosen}


def evaluate_with(
    program: Program, arguments: Sequence[Any], wanted: Sequence[int], values: Mapping[int, Array]
) -> list[Array]:
    """The values numbered ``wanted`` while others are replaced by those that are given."""

    def replacing(equation: Equation, operands: Sequence[Any]) -> list[Any]:
        results = bind(equation, operands)
        return [
            values.get(number, result)
            for number, result in zip(equation.outputs, results, strict=True)
        ]

    return evaluate(program, arguments, wanted, replacing)


def depends_on_inputs(program: Program, number: int, given: set[int]) -> bool:
    """Whether a value needs more than the given ones: parameters, or the network's inputs."""
    pending = {number} - given
    for equation in reversed(live(program.equations, [number])):
        if pending.intersection(equation.outputs):
            pending.update(set(equation.inputs) - given)
    return bool(pending.intersection(program.inputs))
