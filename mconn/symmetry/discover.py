"""Discovers the symmetry group of a network from its jaxpr.

Every axis of every parameter gets a label; the labels flow through the equations (`interpret`),
where the rules make labels equal, split them or pin them. What is left free at the end is a
symmetry: its sites are the segments of the parameters' axes that carry the label. That hidden units
can be permuted is as old as Hecht-Nielsen (1990); Ainsworth et al. (2022, arXiv:2209.04836) align
networks by it, with sites written by hand.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mconn.errors import StructureError
from mconn.symmetry import rules as rules  # fills the table
from mconn.symmetry.compat import Program, trace
from mconn.symmetry.group import Generator, Pin, Site, Symmetry
from mconn.symmetry.interpret import Interpreter
from mconn.symmetry.labels import Labels
from mconn.symmetry.layout import Layout, occurrences
from mconn.symmetry.values import Flow
from mconn.trees import named_leaves
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class Analysis:
    """A program with the labels of all its values; the first inputs are the leaves."""

    program: Program
    labels: Labels
    layouts: dict[int, Layout]
    leaves: dict[str, tuple[int, ...]]

    def leaf_layouts(self) -> dict[str, Layout]:
        """The layouts of the leaves, in terms of the labels that there are at the end."""
        return {
            name: tuple(self.labels.resolve(axis) for axis in self.layouts[number])
            for name, number in zip(self.leaves, self.program.inputs, strict=False)
        }


def discover(apply: ApplyFn, params: Params, *inputs: Any) -> Symmetry:
    """Find the permutations of parameters that leave ``apply(params, *inputs)`` unchanged.

    Works on any pure function. Nothing is computed: the arguments may be arrays or
    `jax.ShapeDtypeStruct`. A primitive without a rule fixes the axes that it touches, with a
    warning: the group may be too small then, never wrong. Give at least two examples, so that the
    batch axis can be told from a broadcast one.

    Args:
        apply: The network, ``apply(params, *inputs) -> output``.
        params: A pytree of arrays with shapes: weights, and running statistics if there are any.
        *inputs: The other arguments, pytrees of arrays.

    Returns:
        The generators in the order in which their axes appear in the network, and what is pinned.

    Raises:
        StructureError: if a leaf is no array, or the function cannot be applied to the parameters.
    """
    return build(analyse(apply, params, *inputs))


def analyse(apply: ApplyFn, params: Params, *inputs: Any) -> Analysis:
    """Trace the network, and run the labels through it."""
    leaves = leaf_shapes(params)
    try:
        program = trace(apply, params, *inputs)
    except tracing_errors() as error:
        raise StructureError(
            f"the function cannot be applied to these parameters and inputs: {first_line(error)}"
        ) from error
    analysis, unknown = label(program, leaves)
    if unknown:
        places = ", ".join(f"{name} at {place}" for name, place in unknown.items())
        warnings.warn(
            f"no rule is known for these primitives: {places}; the axes that they touch are pinned,"
            " so the symmetry may be larger than the one found",
            stacklevel=3,
        )
    return analysis


def label(program: Program, leaves: dict[str, tuple[int, ...]]) -> tuple[Analysis, dict[str, str]]:
    """Run the labels through a traced network; also tells which primitives have no rule, where."""
    interpreter = Interpreter()
    labels = interpreter.labels
    arguments: list[Layout] = []
    for i, number in enumerate(program.inputs):
        shape = program.shapes[number]
        if i >= len(leaves):
            arguments.append(tuple(labels.pinned(size, "an input") for size in shape))
        else:
            arguments.append(tuple(labels.fresh(size) for size in shape))
    layouts = interpreter.run(program, arguments)
    labels.source = str
    for number in program.outputs:
        for axis in layouts[number]:
            labels.pin(axis, "an output")
    analysis = Analysis(program, labels, layouts, leaves)
    # Writing an axis down can pin a label (a sum inside a product), which changes other axes.
    pins = -1
    while pins != len(labels.pins):
        pins = len(labels.pins)
        analysis.leaf_layouts()
    return analysis, interpreter.unknown


def leaf_shapes(params: Params) -> dict[str, tuple[int, ...]]:
    """The shape of every leaf by name."""
    leaves = named_leaves(params)
    for name, leaf in leaves.items():
        if not hasattr(leaf, "shape") and not isinstance(leaf, int | float | complex):
            raise StructureError(
                f"leaf '{name}' is a {type(leaf).__name__}, not an array: "
                "pass only the arrays of the network as params"
            )
    return {name: tuple(np.shape(leaf)) for name, leaf in leaves.items()}


def tracing_errors() -> tuple[type[Exception], ...]:
    """What a function raises when its parameters have other names or shapes than it expects.

    Flax names the leaf in errors of its own class, which exists only where Flax is in use.
    """
    flax = sys.modules.get("flax.errors")
    own = () if flax is None else (flax.FlaxError,)
    return (TypeError, ValueError, KeyError, IndexError, AttributeError, *own)


def first_line(error: Exception) -> str:
    """What went wrong, without the rest of a long message."""
    return str(error).strip().partition("\n")[0]


def build(analysis: Analysis) -> Symmetry:
    """Read the generators and pins off the leaves."""
    labels, pins = analysis.labels, []
    flow = Flow(analysis.program, labels, analysis.layouts, list(analysis.leaves))
    sites: dict[int, list[Site]] = {}
    sizes: dict[int, int] = {}
    for leaf, layout in analysis.leaf_layouts().items():
        for axis, segments in enumerate(layout):
            for atom, start, outer, inner in occurrences(segments):
                if atom.label in labels.pins:
                    reason = labels.pins[atom.label]
                    pins.append(Pin(leaf, axis, atom.size, reason.text, reason.source))
                elif atom.label not in flow.used:
                    pins.append(Pin(leaf, axis, atom.size, "not used", ""))
                elif atom.label is not None:
                    sites.setdefault(atom.label, []).append(Site(leaf, axis, start, outer, inner))
                    sizes[atom.label] = atom.size
    births = flow.births()
    # Labels that no input meets, in a product of two weights for one, come last.
    order = [label for label in births if label in sites]
    order += [label for label in sites if label not in births]
    names = unique(name_of(sites[label], births.get(label, ())) for label in order)
    generators = tuple(
        Generator(name, sizes[label], "permutation", tuple(sites[label]), flow.values(label))
        for name, label in zip(names, order, strict=True)
    )
    return Symmetry(generators, tuple(pins), tuple(analysis.leaves.items()))


def name_of(sites: Sequence[Site], behind: Sequence[str]) -> str:
    """The module of the leaf that brings the axis into the network: ``Dense_0``.

    Flax's own levels are left out: Linen's collection, and NNX's ``value`` at the end.
    """
    leaves = [site.leaf for site in sites]
    leaf = next((leaf for leaf in behind if leaf in leaves), leaves[0])
    module = leaf.removeprefix("params/").removesuffix("/value").rpartition("/")[0]
    return module or leaf


def unique(names: Iterable[str]) -> list[str]:
    """The names, with #2, #3, ... after those that came before."""
    counts: Counter[str] = Counter()
    result = []
    for name in names:
        counts[name] += 1
        result.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return result
