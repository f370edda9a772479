"""GloVe: the logarithm of the counts, fitted by weighted least squares.

J. Pennington, R. Socher and C. Manning, *GloVe: Global vectors for word representation*, EMNLP
2014, equation 8: the sum over counted pairs of f(x) (w . c + b + b' - log x)^2 with f(x) = min(1,
(x / x_max)^(3/4)). Rows move by AdaGrad with one rate per row, in the paper with one per number.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sparse
from jaxtyping import Array, Float, Int

from mconn.errors import ConfigError
from mconn.words.factors import Matrix, check_counts
from mconn.words.rows import Table, finite_losses, stacked


@dataclass(frozen=True)
class GloveConfig:
    """How the vectors are fitted.

    Attributes:
        dimension: of the vectors.
        largest_count: x_max, above which all counts weigh the same.
        power: of the counts in their weight.
        epochs: passes over the counts.
        batch_size: counts of a step.
        learning_rate: of AdaGrad.
    """

    dimension: int = 100
    largest_count: float = 100.0
    power: float = 0.75
    epochs: int = 25
    batch_size: int = 4096
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        for name in ("dimension", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not (self.largest_count > 0 and self.learning_rate > 0):
            raise ConfigError(
                f"largest_count is {self.largest_count} and learning_rate is "
                f"{self.learning_rate}: both must be above 0"
            )


class Glove(NamedTuple):
    """What `train_glove` returns.

    Attributes:
        words: the vectors, shape (seeds, words, dimension).
        contexts: of the contexts, the same shape.
        word_biases: shape (seeds, words).
        context_biases: shape (seeds, contexts).
        losses: the mean weighted squared error per count in each epoch, shape (seeds, epochs).
    """

    words: Float[np.ndarray, "seeds words dimension"]
    contexts: Float[np.ndarray, "seeds contexts dimension"]
    word_biases: Float[np.ndarray, "seeds words"]
    context_biases: Float[np.ndarray, "seeds contexts"]
    losses: Float[np.ndarray, "seeds epochs"]


class _Side(NamedTuple):
    """The vectors and the biases of the words, or of the contexts."""

    vectors: Table
    biases: Table

    def descended(self, places: Array, slope: Array, inputs: Array, rate: Array) -> "_Side":
        return _Side(
            self.vectors.descended(places, slope * inputs, rate),
            self.biases.descended(places, slope, rate),
        )


_State: TypeAlias = tuple[_Side, _Side]


def train_glove(counts: Matrix, config: GloveConfig, seeds: Sequence[int]) -> Glove:
    """Fit the vectors of all seeds together, under ``vmap``.

    Args:
        counts: how often each word occurs with each context.
        config: how.
        seeds: of the starts and of the order of the counts.

    Raises:
        DataError: if the counts are those of no corpus.
        DivergenceError: if a loss is not finite, naming the seed.
    """
    check_counts(counts)
    table: Any = sparse.coo_array(counts)
    keep = table.data > 0
    rows, columns = (place[keep].astype(np.int32) for place in table.coords)
    seen = table.data[keep].astype(np.float32)
    size = min(config.batch_size, len(seen))
    steps = len(seen) // size
    rngs = [np.random.default_rng(seed) for seed in seeds]
    state = stacked([_start(table.shape, config.dimension, rng) for rng in rngs])
    weight = np.minimum(1, (seen / config.largest_count) ** config.power)
    losses = []
    for _ in range(config.epochs):
        order = np.stack([rng.permutation(len(seen))[: steps * size] for rng in rngs])
        order = order.reshape(len(seeds), steps, size)
        pairs = np.stack([rows[order], columns[order]], axis=-1)
        drawn = (pairs, np.log(seen)[order], weight[order], np.float32(config.learning_rate))
        state, measured = _advance(state, *(jnp.asarray(each) for each in drawn))
        losses.append(np.asarray(measured))
    words, contexts = (
        (np.asarray(side.vectors.rows), np.asarray(side.biases.rows)[..., 0]) for side in state
    )
    measured = finite_losses(losses, seeds)
    return Glove(words[0], contexts[0], words[1], contexts[1], measured)


def _start(sizes: tuple[int, ...], dimension: int, rng: np.random.Generator) -> _State:
    words, contexts = (
        _Side(Table.uniform(size, dimension, rng), Table.fresh(np.zeros((size, 1))))
        for size in sizes
    )
    return words, contexts


@functools.partial(jax.jit, donate_argnums=0)
def _advance(
    state: _State,
    pairs: Int[Array, "seeds steps batch 2"],
    targets: Float[Array, "seeds steps batch"],
    weights: Float[Array, "seeds steps batch"],
    rate: Float[Array, ""],
) -> tuple[_State, Float[Array, " seeds"]]:
    def step(state: _State, drawn: tuple[Array, Array, Array]) -> tuple[_State, Array]:
        words, contexts = state
        pairs, target, weight = drawn
        rows, columns = pairs[:, 0], pairs[:, 1]
        left, right = words.vectors.rows[rows], contexts.vectors.rows[columns]
        biases = words.biases.rows[rows, 0] + contexts.biases.rows[columns, 0]
        error = jnp.sum(left * right, axis=1) + biases - target
        slope = (weight * error)[:, None]
        words = words.descended(rows, slope, right, rate)
        return (words, contexts.descended(columns, slope, left, rate)), jnp.mean(weight * error**2)

    def run(state: _State, pairs: Array, targets: Array, weights: Array) -> tuple[_State, Array]:
        state, losses = jax.lax.scan(step, state, (pairs, targets, weights))
        return state, losses.mean()

    return jax.vmap(run)(state, pairs, targets, weights)
