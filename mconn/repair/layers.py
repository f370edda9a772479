"""The layers of a network that an affine map of its pre-activations can be folded into."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mconn.jaxprs import Program, trace
from mconn.repair.additions import Addition, Candidate, Uses, scales_alone, uses
from mconn.symmetry import Group, check_fits
from mconn.trees import named_leaves
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class Layer:
    """A place where a bias is added, and the weight that multiplies what it is added to.

    The value after the addition is the pre-activation of a hidden layer, or what a branch adds to
    a residual stream. Multiplying weight and bias by s multiplies it by s and changes nothing else,
    so that any map ``scale * value + shift`` of its units can be folded into the two leaves.

    Attributes:
        name: the module of the two leaves.
        generators: the generators that move its units.
        weight: the multiplicative leaf's name: a kernel, or the scale of a normaliser.
        axes: the axes of the weight along which its units lie.
        bias: the additive leaf's name; it has an entry for every unit.
    """

    name: str
    generators: tuple[str, ...]
    weight: str
    axes: tuple[int, ...]
    bias: str


@dataclass(frozen=True)
class Skipped:
    """A leaf that no layer has, though it makes or shifts values inside the network; and why."""

    leaf: str
    reason: str


@dataclass(frozen=True)
class Layers:
    """The layers of a network in the order in which it computes them, and what is left out."""

    found: tuple[Layer, ...]
    skipped: tuple[Skipped, ...] = ()

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def describe(self) -> str:
        """A line per layer, then a line per leaf that is left out."""
        lines = [
            f"{layer.name}: {layer.weight} and {layer.bias}, units of {', '.join(layer.generators)}"
            for layer in self.found
        ]
        return "\n".join(lines + [f"left out: {each.leaf} {each.reason}" for each in self.skipped])


def layers(group: Group, apply: ApplyFn, params: Params, inputs: Any) -> Layers:
    """Find the layers whose pre-activations can be scaled and shifted by changing two leaves.

    The network is traced, so that its code is not changed: a layer is a leaf that is added to a
    value which depends on the inputs, with a sibling leaf such that multiplying both by s
    multiplies the sum by s. That is tested with random numbers on the equations between the two
    leaves and the sum. Only hidden layers count, those whose units a generator moves: Jordan et al.
    2023 leave the logits as they are, whose units carry the names of classes.

    Args:
        group: what `mconn.symmetry.discover` found for this network.
        apply: the network, ``apply(params, inputs) -> output``.
        params: its parameters, or their shapes.
        inputs: a few of its inputs, or their shapes.

    Returns:
        The layers, and every leaf that is added or multiplied but can not be repaired.

    Raises:
        StructureError: if the parameters are not those of the symmetry.
    """
    check_fits(group, params)
    leaves = named_leaves(params)
    names = list(leaves)
    program = trace(apply, params, inputs)
    used = uses(program, len(names))
    movers = _generators_by_leaf(group)
    pinned = {pin.leaf: pin.reason for pin in group.pinned}
    counts = Counter(each.leaf for each in used.additions)
    additions = [each for each in used.additions if counts[each.leaf] == 1]
    candidates = [each for addition in additions for each in _siblings(program, names, addition)]
    passed = scales_alone(program, leaves, candidates)
    found, skipped, covered = [], [], set()
    for addition in additions:
        bias = names[addition.leaf]
        chosen = next((each for each in passed if each.addition == addition), None)
        covered.add(bias)
        if chosen is None:
            skipped.append(Skipped(bias, "has no sibling leaf that multiplies what it is added to"))
            continue
        weight = names[chosen.weight]
        covered.add(weight)
        if bias not in movers:
            reason = pinned.get(bias, "no generator")
            skipped.append(Skipped(bias, f"has units that nothing moves ({reason})"))
            continue
        parent = bias.rpartition("/")[0]
        found.append(Layer(parent, movers[bias], weight, chosen.axes, bias))
    for leaf, reason in _leftovers(used, names, movers):
        if leaf not in covered:
            covered.add(leaf)
            skipped.append(Skipped(leaf, reason))
    return Layers(_named_apart(found), tuple(skipped))


def _generators_by_leaf(group: Group) -> dict[str, tuple[str, ...]]:
    movers: dict[str, dict[str, None]] = {}
    for generator in group.generators:
        if generator.moves_units:
            for site in generator.sites:
                movers.setdefault(site.leaf, {})[generator.name] = None
    return {leaf: tuple(generators) for leaf, generators in movers.items()}


def _siblings(program: Program, names: list[str], addition: Addition) -> Iterator[Candidate]:
    bias = names[addition.leaf]
    units = program.shapes[program.inputs[addition.leaf]]
    for i, name in enumerate(names):
        if i == addition.leaf or name.rpartition("/")[0] != bias.rpartition("/")[0]:
            continue
        shape = program.shapes[program.inputs[i]]
        for start in reversed(range(len(shape) - len(units) + 1)):
            if shape[start : start + len(units)] == units:
                yield Candidate(addition, i, tuple(range(start, start + len(units))))


def _leftovers(
    used: Uses, names: list[str], movers: dict[str, tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    for leaf in dict.fromkeys(each.leaf for each in used.additions):
        yield names[leaf], "is added in several places"
    for leaf in used.looped:
        if names[leaf] in movers:
            yield names[leaf], "is used inside a loop or a branch"
    for leaf in used.multiplied:
        if names[leaf] in movers:
            yield names[leaf], "has no bias of its own that a shift could be folded into"


def _named_apart(found: list[Layer]) -> tuple[Layer, ...]:
    modules = [layer.name for layer in found]
    return tuple(
        layer
        if layer.name and modules.count(layer.name) == 1
        else Layer(layer.bias, layer.generators, layer.weight, layer.axes, layer.bias)
        for layer in found
    )
