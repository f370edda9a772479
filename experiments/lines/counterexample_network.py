"""The two networks of the counterexample, and their errors on the lines between them.

Ainsworth et al., *Git Re-Basin*, ICLR 2023, appendix A.6: two inputs, uniform on the square
[-1, 1]^2, of which the class is whether both are at least zero; two hidden layers of two units.
Weights, activation, data and rule of decision are the paper's. The grid in place of a random sample
is ours: with it the errors are those of the law, and the same on every run.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Bool, Float

from mconn import landscape, paths, symmetry
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.measure import Execution
from mconn.symmetry import Element, Group
from mconn.types import Params

LAYERS = ("layer 1", "layer 2", "output")
PERMUTATIONS = {
    frozenset(): "none swapped",
    frozenset({"layer 1"}): "layer 1 swapped",
    frozenset({"layer 2"}): "layer 2 swapped",
    frozenset({"layer 1", "layer 2"}): "both swapped",
}
"""What to call a permutation, by the layers whose two units it exchanges."""


@dataclass(frozen=True)
class TwoUnits:
    """Three dense layers, the first two rectified with a ``slope`` on the negative side."""

    slope: float

    def __call__(self, params: Params, x: Float[Array, "n 2"]) -> Float[Array, "n"]:
        """The score of the class; the network answers yes where it is at least zero."""
        for name in LAYERS:
            x = x @ params[name]["kernel"] + params[name]["bias"]
            if name != "output":
                x = jnp.where(x >= 0, x, self.slope * x) if self.slope else jax.nn.relu(x)
        return x[:, 0]


@dataclass(frozen=True)
class Error:
    """Whether the answer is wrong: a hashable `mconn.types.EvalFn`."""

    apply: TwoUnits

    def __call__(self, params: Params, batch: Any) -> dict[str, Float[Array, "n"]]:
        """The error of each example of a batch with ``inputs`` (n, 2) and ``labels`` (n,)."""
        says_yes = self.apply(params, batch["inputs"]) >= 0
        return {"error": (says_yes != batch["labels"]).astype(jnp.float32)}


def network_a() -> dict[str, dict[str, Float[np.ndarray, "..."]]]:
    """The score -max(0, -x_1) - max(0, -x_2): x_2 is rectified in layer 1, x_1 in layer 2."""
    return network(first=((1, 0), (0, -1)), shift=(1, 0), second=((-1, 0), (0, 1)))


def network_b() -> dict[str, dict[str, Float[np.ndarray, "..."]]]:
    """The same score: x_1 is rectified in layer 1, x_2 in layer 2."""
    return network(first=((-1, 0), (0, 1)), shift=(0, 1), second=((1, 0), (0, -1)))


def network(
    first: tuple[tuple[int, int], tuple[int, int]],
    shift: tuple[int, int],
    second: tuple[tuple[int, int], tuple[int, int]],
) -> dict[str, dict[str, Float[np.ndarray, "..."]]]:
    """The weights of one of the two: kernels (inputs, units); both layers have one bias."""
    kernels = (first, second, ((-1,), (-1,)))
    biases = (shift, shift, (0,))
    return {
        name: {"kernel": np.array(kernel, np.float32), "bias": np.array(bias, np.float32)}
        for name, kernel, bias in zip(LAYERS, kernels, biases, strict=True)
    }


def square(cells: int) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
    """The centres of a grid of cells on the square, and their classes.

    There are two cells less along x_2, so that no centre lies on the diagonals or the axes, where
    scores are zero and rounding would decide.
    """
    sides = [(np.arange(count) + 0.5) * 2 / count - 1 for count in (cells, cells - 2)]
    inputs = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)
    return inputs.astype(np.float32), np.min(inputs, axis=1) >= 0


@dataclass(frozen=True)
class CounterexampleLines(Stage):
    """The error on the line from A to every permutation of B, and to every one of A, a control.

    The tree holds what the networks half way answer on the grid.

    Attributes:
        slopes: of the activation for negative values: 0 is ReLU, the paper's PReLU has .01.
        cells: of the grid along x_1; a multiple of four.
        points: equispaced points on each line, the midpoint included.
    """

    slopes: tuple[float, ...]
    cells: int
    points: int

    def __post_init__(self) -> None:
        if self.cells < 8 or self.cells % 4:
            raise ConfigError(f"cells is {self.cells}: choose a multiple of 4, at least 8")
        if self.points < 3 or self.points % 2 == 0:
            raise ConfigError(f"points is {self.points}: an odd number, at least 3, has a midpoint")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Discover the permutations, and evaluate the line to each of them."""
        points, labels = square(self.cells)
        batch = {"inputs": points, "labels": labels}
        a = network_a()
        rows, answers, counts = [], {}, {}
        for slope in self.slopes:
            apply = TwoUnits(slope)
            group = symmetry.permutations(symmetry.discover(apply, a, points[:2]))
            elements = dict(every_element(group))
            counts[activation_name(slope)] = len(elements)
            for (name, element), (ends, b) in itertools.product(
                elements.items(), (("A to B", network_b()), ("A to A", a))
            ):
                path = paths.line(a, symmetry.act(group, element, b))
                ts = np.linspace(0, 1, self.points)
                profile = landscape.evaluate(
                    Error(apply), path, ts, batch, execution=Execution(batch_size=len(points))
                )
                rows += [
                    {
                        "activation": activation_name(slope),
                        "ends": ends,
                        "permutation": name,
                        "t": float(t),
                        "error": float(error),
                    }
                    for t, error in zip(ts, profile.mean("error"), strict=True)
                ]
                if ends == "A to B":
                    answer = np.asarray(apply(path(0.5), jnp.asarray(points)) >= 0)
                    shape = (self.cells, self.cells - 2)
                    answers.setdefault(activation_name(slope), {})[name] = answer.reshape(shape)
        return Result(
            tree=answers,
            tables={"lines": pa.Table.from_pylist(rows)},
            facts={"permutations": counts},
        )


def activation_name(slope: float) -> str:
    """``ReLU``, or ``PReLU`` with its slope."""
    return f"PReLU {slope:g}" if slope else "ReLU"


def every_element(group: Group) -> Iterator[tuple[str, Element]]:
    """Every element of the group of permutations of the two layers, with its name."""
    choices = [
        [np.array(order) for order in itertools.permutations(range(generator.size))]
        for generator in group.generators
    ]
    for parts in itertools.product(*choices):
        moved = [
            next(each.leaf.split("/")[0] for each in generator.sites if each.leaf.endswith("bias"))
            for generator, part in zip(group.generators, parts, strict=True)
            if (np.diff(part) < 0).any()
        ]
        yield PERMUTATIONS[frozenset(moved)], dict(zip(group.sizes, parts, strict=True))
