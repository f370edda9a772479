"""Skip-gram with negative sampling on a text, whole words or fastText's subwords, seed by seed.

T. Mikolov et al., *Distributed representations of words and phrases and their compositionality*,
NIPS 2013, with two changes that let a batch be a matrix product: all pairs of a batch share their
negative samples, each with the weight k / (number of samples), which leaves the expected objective
as it is; and rows move by AdaGrad instead of by one small step per pair.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mconn.errors import ConfigError, DataError
from mconn.words.rows import Subwords, Table, composed, finite_losses, stacked, whole_words
from mconn.words.text import Sentences, Vocabulary
from mconn.words.windows import Block, Window, blocks, chance_to_stay, neighbours

_CALL = 64
"""Batches in one call of the compiled program."""

_State: TypeAlias = tuple[Table, Table]
"""The rows that words are made of, and the contexts."""


@dataclass(frozen=True)
class SampledConfig:
    """How the vectors are trained.

    Attributes:
        dimension: of the vectors.
        window: contexts of a word; ``dynamic`` draws the size anew for every word.
        negatives: k, negative samples for each pair, in expectation.
        smoothing: alpha, the power of the frequencies by which they are drawn.
        shared: negative samples that a batch really draws.
        epochs: passes over the text.
        batch_size: pairs of a step.
        learning_rate: at the start; it falls linearly to zero.
        subwords: n-grams that make up a word, or None for whole words.
    """

    dimension: int = 100
    window: Window = field(default_factory=lambda: Window(5, "dynamic", 1e-3))
    negatives: int = 5
    smoothing: float = 0.75
    shared: int = 64
    epochs: int = 10
    batch_size: int = 4096
    learning_rate: float = 0.1
    subwords: Subwords | None = None

    def __post_init__(self) -> None:
        for name in ("dimension", "shared", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not (self.negatives > 0 and self.learning_rate > 0):
            raise ConfigError(
                f"negatives is {self.negatives} and learning_rate is {self.learning_rate}: both "
                "must be above 0"
            )
        if self.window.weighting == "harmonic":
            raise ConfigError("weighting 'harmonic' draws no windows: take dynamic or flat")


class Trained(NamedTuple):
    """What `train_sampled` returns.

    Attributes:
        words: the vectors, shape (seeds, words, dimension).
        contexts: of the contexts, the same shape.
        parts: the rows that the words are made of, shape (seeds, rows, dimension); those of the
            words themselves without subwords.
        losses: the mean loss per pair in each call, in nats, shape (seeds, calls).
        pairs: how many pairs each seed was trained on.
    """

    words: Float[np.ndarray, "seeds words dimension"]
    contexts: Float[np.ndarray, "seeds words dimension"]
    parts: Float[np.ndarray, "seeds rows dimension"]
    losses: Float[np.ndarray, "seeds calls"]
    pairs: int

    def params(self, seed: int) -> dict[str, Float[np.ndarray, "..."]]:
        """The embedding of one seed, by its place."""
        return {"words": self.words[seed], "contexts": self.contexts[seed]}


def train_sampled(
    text: Sentences, vocabulary: Vocabulary, config: SampledConfig, seeds: Sequence[int]
) -> Trained:
    """Train vectors of all seeds together, under ``vmap``.

    Each seed has its own start, thinning, windows, order of pairs and negative samples. The text is
    kept in memory as numbers; its pairs are drawn epoch by epoch.

    Args:
        text: from `mconn.words.sentences`; read once.
        vocabulary: of the text.
        config: how.
        seeds: of the random choices.

    Raises:
        DataError: if no word has a neighbour.
        DivergenceError: if a loss is not finite, naming the seed.
    """
    encoded = whole(blocks(text, vocabulary))
    words = vocabulary.words
    parts = config.subwords.parts(words) if config.subwords else whole_words(len(words))
    rngs = [np.random.default_rng(seed) for seed in seeds]
    state = stacked([_start(config, vocabulary, rng) for rng in rngs])
    scale = jnp.asarray(np.float32(config.negatives / config.shared))
    losses, count = [], 0
    for progress, pairs in _chunks(encoded, vocabulary, config, rngs):
        shape = (pairs.shape[1], config.shared)
        samples = [noise(vocabulary, config, shape, rng) for rng in rngs]
        rates = np.float32(config.learning_rate) * np.maximum(1 - progress, 1e-3)
        inputs = (pairs, np.stack(samples), rates.astype(np.float32))
        state, measured = _advance(state, parts, *(jnp.asarray(each) for each in inputs), scale)
        losses.append(np.asarray(measured))
        count += pairs.shape[1] * pairs.shape[2]
    tables, contexts = (np.asarray(table.rows) for table in state)
    vectors = np.stack([composed(parts, table) for table in tables])
    return Trained(vectors, contexts, tables, finite_losses(losses, seeds), count)


def _chunks(
    encoded: Block,
    vocabulary: Vocabulary,
    config: SampledConfig,
    rngs: Sequence[np.random.Generator],
) -> Iterator[tuple[Float[np.ndarray, " steps"], Int[np.ndarray, "seeds steps batch 2"]]]:
    """The pairs of all epochs, in calls of one size, and how far every step is from 0 to 1.

    The seeds thin out differently many words, and take steps together. Pairs that do not fill a
    call wait for the next epoch, those of the last one are left out.
    """
    waiting = [np.zeros((0, 2), np.int32) for _ in rngs]
    size = steps = calls = done = 0
    for _ in range(config.epochs):
        drawn = [pairs_of(encoded, vocabulary, config, rng) for rng in rngs]
        waiting = [np.concatenate(both) for both in zip(waiting, drawn, strict=True)]
        if not calls:
            count = min(len(pairs) for pairs in waiting)
            if not count:
                raise DataError(
                    "no word of the vocabulary has a neighbour: give a longer text, or a larger "
                    "window"
                )
            size = min(config.batch_size, count)
            steps = min(_CALL, count // size)
            calls = config.epochs * count / (steps * size)
        while min(len(pairs) for pairs in waiting) >= steps * size:
            taken = np.stack([pairs[: steps * size] for pairs in waiting])
            progress = (done + np.arange(steps) / steps) / calls
            yield progress, taken.reshape(len(rngs), steps, size, 2)
            waiting = [pairs[steps * size :] for pairs in waiting]
            done += 1


def whole(parts: Iterator[Block]) -> Block:
    """All blocks of a text as one."""
    found, shift = [], 0
    for block in parts:
        found.append(Block(block.words, block.sentence + shift))
        shift += int(block.sentence[-1]) + 1 if len(block.sentence) else 0
    if not found:
        raise DataError("the text has no word of the vocabulary: build the vocabulary from it")
    return Block(
        np.concatenate([block.words for block in found]),
        np.concatenate([block.sentence for block in found]),
    )


def _start(
    config: SampledConfig, vocabulary: Vocabulary, rng: np.random.Generator
) -> tuple[Table, Table]:
    rows = len(vocabulary) + (config.subwords.buckets if config.subwords else 0)
    contexts = Table.fresh(np.zeros((len(vocabulary), config.dimension)))
    return Table.uniform(rows, config.dimension, rng), contexts


def pairs_of(
    encoded: Block, vocabulary: Vocabulary, config: SampledConfig, rng: np.random.Generator
) -> Int[np.ndarray, "pairs 2"]:
    """All pairs of one pass in a random order: words thinned out and windows drawn anew."""
    encoded = encoded.thinned(chance_to_stay(vocabulary, config.window.subsample), rng)
    size = config.window.size
    reach = np.full(len(encoded.words), size)
    if config.window.weighting == "dynamic":
        reach = rng.integers(1, size + 1, len(encoded.words))
    found = []
    for distance in range(1, size + 1):
        first, second = neighbours(encoded, distance)
        for centre, context in ((first, second), (second, first)):
            near = reach[centre] >= distance
            found.append(np.stack([centre[near], context[near]], axis=1))
    return rng.permutation(encoded.words[np.concatenate(found)].astype(np.int32))


def noise(
    vocabulary: Vocabulary, config: SampledConfig, shape: tuple[int, int], rng: np.random.Generator
) -> Int[np.ndarray, "..."]:
    """Negative samples: contexts by the power of their frequencies."""
    levels = np.cumsum(vocabulary.counts.astype(np.float64) ** config.smoothing)
    drawn = rng.random(shape) * levels[-1]
    return np.searchsorted(levels, drawn, side="right").astype(np.int32)


@functools.partial(jax.jit, donate_argnums=0)
def _advance(
    state: _State,
    parts: Any,
    batches: Int[Array, "seeds steps batch 2"],
    samples: Int[Array, "seeds steps shared"],
    rates: Float[Array, " steps"],
    scale: Float[Array, ""],
) -> tuple[_State, Float[Array, " seeds"]]:
    def step(state: _State, drawn: tuple[Array, Array, Array]) -> tuple[_State, Array]:
        (words, contexts), (pairs, negatives, rate) = state, drawn
        places, shares = parts.places[pairs[:, 0]], parts.shares[pairs[:, 0]]
        # One part for each word is the common case, for which nothing is summed.
        centres = jnp.einsum("bp,bpd->bd", shares, words.rows[places])
        positives, negative = contexts.rows[pairs[:, 1]], contexts.rows[negatives]
        near = jnp.sum(centres * positives, axis=1)
        far = centres @ negative.T
        pull, push = -jax.nn.sigmoid(-near)[:, None], scale * jax.nn.sigmoid(far)
        loss = jnp.mean(jax.nn.softplus(-near) + scale * jax.nn.softplus(far).sum(axis=1))
        inward = pull * positives + push @ negative
        outward = jnp.concatenate([pull * centres, push.T @ centres])
        spread = (shares[:, :, None] * inward[:, None]).reshape(-1, inward.shape[1])
        touched = jnp.concatenate([pairs[:, 1], negatives])
        return (
            words.descended(places.reshape(-1), spread, rate),
            contexts.descended(touched, outward, rate),
        ), loss

    def run(state: _State, batches: Array, samples: Array) -> tuple[_State, Array]:
        state, losses = jax.lax.scan(step, state, (batches, samples, rates))
        return state, losses.mean()

    return jax.vmap(run)(state, batches, samples)
