"""Similarity of features, and reading them along a path, against what cannot be done without.

Debiased CKA of three layers by three, 512 units each, against the feature-space formula as it is
published (Kornblith et al. 2019: centre both, then three products for every pair of layers, in
NumPy). Features read at 25 points of a line between two MLPs 784-512-512-512-10, against the same
forward passes alone. The peak of memory with 60 000 examples is that of a fresh process::

    python -m benchmarks.similarity [--examples 10000] [--points 25] [--repeats 5]

"first s" is the wall time of the first call, most of it compilation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console

from benchmarks import memory
from benchmarks.alignment.one_thread import alone
from benchmarks.evaluation import compare, network
from mconn import features, paths, symmetry
from mconn.features import Features, Reduction, Units
from mconn.measure import fold
from mconn.models import MLP

LAYERS = 3
UNITS = 512


@dataclass(frozen=True)
class Means(Reduction):
    """Mean and mean square of every unit of the network at t: as little as one can keep."""

    def start(self, shapes: Any) -> Any:
        """Zeros."""
        return {
            layer: (jnp.zeros(each.shape[1]), jnp.zeros(each.shape[1]))
            for layer, each in shapes[0].items()
        }

    def update(
        self, state: Any, features: tuple[Features, ...], mask: Mapping[str, Any], t: Any
    ) -> Any:
        """Add a batch."""
        kept = {k: jnp.where(mask[k][:, None], x, 0) for k, x in features[0].items()}
        return {
            layer: (sums + kept[layer].sum(axis=0), squares + jnp.square(kept[layer]).sum(axis=0))
            for layer, (sums, squares) in state.items()
        }


def published(xs: list[np.ndarray], ys: list[np.ndarray]) -> np.ndarray:
    """Debiased linear CKA of every pair by the feature-space formula, pair by pair."""

    def corrected(product, rows_x, rows_y, square_x, square_y, n):
        return (
            product - n / (n - 2) * rows_x.dot(rows_y) + square_x * square_y / ((n - 1) * (n - 2))
        )

    def of(x, y):
        x, y = x - np.mean(x, 0, keepdims=True), y - np.mean(y, 0, keepdims=True)
        product = np.linalg.norm(x.T.dot(y)) ** 2
        norm_x, norm_y = np.linalg.norm(x.T.dot(x)), np.linalg.norm(y.T.dot(y))
        n = len(x)
        rows_x, rows_y = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
        square_x, square_y = np.sum(rows_x), np.sum(rows_y)
        product = corrected(product, rows_x, rows_y, square_x, square_y, n)
        norm_x = np.sqrt(corrected(norm_x**2, rows_x, rows_x, square_x, square_x, n))
        norm_y = np.sqrt(corrected(norm_y**2, rows_y, rows_y, square_y, square_y, n))
        return product / (norm_x * norm_y)

    return np.array([[of(x, y) for y in ys] for x in xs])


def cka(examples: int, repeats: int) -> None:
    """Print the table of CKA, and check that both sides agree."""
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(examples, UNITS)).astype(np.float32)

    def layer() -> np.ndarray:
        mixed = shared @ generator.normal(size=(UNITS, UNITS)).astype(np.float32) / UNITS**0.5
        noise = generator.normal(size=mixed.shape).astype(np.float32)
        return np.maximum(mixed + noise, 0)

    xs, ys = ([layer() for _ in range(LAYERS)] for _ in range(2))
    named = [{str(i): each for i, each in enumerate(layers)} for layers in (xs, ys)]
    np.testing.assert_allclose(features.cka_table(*named), published(xs, ys), atol=2e-4)
    sides = {
        "feature-space formula, NumPy": lambda: published(xs, ys),
        "mconn.features.cka_table": lambda: features.cka_table(*named),
    }
    compare(f"debiased CKA of 3 x 3 layers, {examples} examples, one thread", sides, repeats)


def capture(examples: int, points: int, repeats: int) -> None:
    """Print the table of features along a path."""
    units, line, inputs = problem(examples)
    ts = np.linspace(0, 1, points)
    sides = {
        "forward passes": forward_passes(line, ts, inputs),
        "features, mean and square": lambda: features.along(Means(), units, line, ts, inputs),
        "features, all second moments": lambda: features.similarity_along(units, line, ts, inputs),
    }
    compare(f"{points} points x {examples} examples, one thread", sides, repeats)


def problem(examples: int) -> tuple[Units, paths.ControlledPath, np.ndarray]:
    """Two networks, the line between them, and inputs."""
    generator = np.random.default_rng(0)
    a, b = network(generator), network(generator)
    inputs = generator.normal(size=(examples, 784)).astype(np.float32)
    apply = MLP().apply
    return Units(symmetry.discover(apply, a, inputs[:2]), apply), paths.line(a, b), inputs


def forward_passes(line: paths.Path, ts: np.ndarray, inputs: np.ndarray) -> Callable:
    """The outputs' mean square at every point, batch by batch."""
    examples = fold(inputs, 1000)

    @jax.jit
    def passes(line, ts, batches):
        networks = jax.lax.map(line, ts)

        def at_point(params):
            def on_batch(total, batch):
                return total + jnp.square(cast(jax.Array, MLP().apply(params, batch))).sum(), None

            return jax.lax.scan(on_batch, jnp.zeros(()), batches)[0]

        return jax.lax.map(at_point, networks)

    return lambda: jax.block_until_ready(passes(line, ts.astype(np.float32), examples.batches))


def peak(examples: int) -> tuple[float, float]:
    """Peak of memory in MiB of a fresh process before and after similarity at three points."""
    units, line, inputs = problem(examples)
    before = memory.peak()
    features.similarity_along(units, line, [0, 0.5, 1], inputs)
    return before, memory.peak()


def main(examples: int = 10_000, points: int = 25, repeats: int = 5, large: int = 60_000) -> None:
    """Run the benchmark and print the tables.

    Args:
        examples: of CKA and of the path.
        points: on the path.
        repeats: timed calls of each side, interleaved.
        large: examples of the measurement of memory; 0 leaves it out.
    """
    alone(cka, examples, repeats)
    alone(capture, examples, points, repeats)
    if large:
        before, after = alone(peak, large)
        Console().print(
            f"similarity at 3 points, {large} examples: peak {after:.0f} MiB of the process, "
            f"{before:.0f} MiB with the inputs before it"
        )


if __name__ == "__main__":
    tyro.cli(main)
