"""Transport distances between samples of neurons: how they fall with the sample, and one identity.

The distance W_2 between two empirical measures of m atoms each is an assignment: of the couplings
with equal weights the best is a permutation (Birkhoff). For a hidden layer whose neurons are the
vectors of their incoming weights, bias and outgoing weights, m W_2^2 is therefore the least squared
distance between two networks over all permutations of hidden units.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import scipy.optimize
import scipy.sparse
import scipy.spatial.distance
from jaxtyping import Array, Float

from mconn import align, symmetry
from mconn.errors import ConfigError, MconnError
from mconn.experiment import Context, Result, Stage
from mconn.types import Params

ON_THE_LINE = 50
"""Times as many draws in one dimension, where W_2 varies most and takes only a sort."""


def transport_cost(a: Float[np.ndarray, "m d"], b: Float[np.ndarray, "m d"]) -> float:
    """W_2^2 between the two samples: the mean squared distance of the best assignment."""
    if a.shape[1] == 1:
        return float(np.mean((np.sort(a[:, 0]) - np.sort(b[:, 0])) ** 2))
    squares = scipy.spatial.distance.cdist(a, b, "sqeuclidean")
    return float(squares[scipy.optimize.linear_sum_assignment(squares)].mean())


def coupling_cost(a: Float[np.ndarray, "m d"], b: Float[np.ndarray, "m d"]) -> float:
    """W_2^2 as the linear program over all couplings, which knows nothing of permutations.

    Raises:
        MconnError: if the program is not solved.
    """
    m = len(a)
    squares = scipy.spatial.distance.cdist(a, b, "sqeuclidean")
    one, eye = np.ones((1, m)), scipy.sparse.eye_array(m)
    marginals = scipy.sparse.vstack([scipy.sparse.kron(eye, one), scipy.sparse.kron(one, eye)])
    found = scipy.optimize.linprog(
        squares.ravel(), A_eq=marginals, b_eq=np.full(2 * m, 1 / m), method="highs"
    )
    if not found.success:
        raise MconnError(f"the linear program of {m} atoms was not solved: {found.message}")
    return float(found.fun)


@dataclass(frozen=True)
class SampleDistances(Stage):
    """The mean of W_2 between two samples of the standard normal law, by dimension and size.

    Attributes:
        dimensions: of the space.
        sizes: atoms of a sample, in ascending order.
        repeats: pairs of samples of the largest size; smaller ones are drawn more often, so that
            every size costs as many atoms.
        seed: of all draws.
    """

    dimensions: tuple[int, ...]
    sizes: tuple[int, ...]
    repeats: int
    seed: int

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or self.repeats < 2:
            raise ConfigError(
                f"there are {len(self.sizes)} sizes and {self.repeats} repeats: a slope with its "
                "error needs at least two of each"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Draw and measure; on the line also for the uniform law, whose mean is known."""
        laws = [("normal", d) for d in self.dimensions] + [("uniform", 1)]
        rows = []
        with context.progress.task("distances", total=len(laws) * len(self.sizes)) as task:
            for law, dimension in laws:
                for size in self.sizes:
                    repeats = self.repeats * self.sizes[-1] // size
                    repeats *= ON_THE_LINE if dimension == 1 else 1
                    rows.append(self._measure(law, dimension, size, repeats))
                    task.update(len(rows), dimension=dimension, size=size)
        return Result(tables={"distances": pa.Table.from_pylist(rows)})

    def _measure(self, law: str, dimension: int, size: int, repeats: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, dimension, size, law == "uniform"])
        draw = random.uniform if law == "uniform" else random.normal
        costs = np.array([transport_cost(*draw(size=(2, size, dimension))) for _ in range(repeats)])
        distances = np.sqrt(costs)
        root = np.sqrt(repeats)
        return {
            "law": law,
            "dimension": dimension,
            "size": size,
            "draws": repeats,
            "distance": float(distances.mean()),
            "standard_error": float(distances.std(ddof=1) / root),
            "squared": float(costs.mean()),
            "squared_error": float(costs.std(ddof=1) / root),
        }


@dataclass(frozen=True)
class LayerIdentity(Stage):
    """m W_2^2 against the distance between two networks of one hidden layer, three ways.

    Attributes:
        sizes: hidden units.
        inputs_and_outputs: of the networks.
        seed: of the weights.
    """

    sizes: tuple[int, ...]
    inputs_and_outputs: tuple[int, int]
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Match the networks, assign their neurons, and solve the linear program."""
        rows = []
        for size in self.sizes:
            random = np.random.default_rng([self.seed, size])
            a, b = (random_layer(random, size, *self.inputs_and_outputs) for _ in range(2))
            examples = jnp.zeros((2, self.inputs_and_outputs[0]))
            group = symmetry.permutations(symmetry.discover(hidden_layer, a, examples))
            moved = symmetry.act(group, align.match(group, a, b).element, b)
            neurons_a, neurons_b = neurons(a), neurons(b)
            rows.append(
                {
                    "size": size,
                    "matched": float(np.sum((neurons_a - neurons(moved)) ** 2)),
                    "unmatched": float(np.sum((neurons_a - neurons_b) ** 2)),
                    "assignment": size * transport_cost(neurons_a, neurons_b),
                    "program": size * coupling_cost(neurons_a, neurons_b),
                }
            )
        return Result(tables={"identity": pa.Table.from_pylist(rows)})


def hidden_layer(params: Params, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
    """One hidden layer of ReLU units."""
    return jax.nn.relu(x @ params["incoming"] + params["bias"]) @ params["outgoing"]


def random_layer(
    random: np.random.Generator, size: int, inputs: int, outputs: int
) -> dict[str, Float[np.ndarray, "..."]]:
    """Normal weights and biases."""
    shapes = {"incoming": (inputs, size), "bias": (size,), "outgoing": (size, outputs)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def neurons(params: Params) -> Float[np.ndarray, "m d"]:
    """One row per hidden unit: its incoming weights, its bias, its outgoing weights."""
    parts = [np.asarray(params[name], np.float64) for name in ("incoming", "bias", "outgoing")]
    return np.concatenate([parts[0].T, parts[1][:, None], parts[2]], axis=1)
