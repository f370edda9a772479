"""The losses of embeddings, example by example, for measurements on paths.

Each function of losses is one that `mconn.landscape.evaluate` takes, with the examples that the
function beside it makes: the exact objective of skip-gram with negative sampling, the same on the
pairs of a text, and the squared error of a factorisation.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sparse
from jaxtyping import Array, Float

from mconn.errors import ConfigError, DataError
from mconn.types import Params
from mconn.words.factors import Matrix, Weights
from mconn.words.sampled import SampledConfig, noise, pairs_of, whole
from mconn.words.text import Sentences, Vocabulary
from mconn.words.windows import blocks


def exact_examples(weights: Weights) -> dict[str, np.ndarray]:
    """The exact objective, an example per word.

    The words are all there are, and no sample: an interval over them says nothing.

    Args:
        weights: from `sgns_weights`.

    Returns:
        Examples for `exact_losses`, whose mean is `sgns_loss`.
    """
    count = len(weights.positive)
    return {
        "word": np.arange(count, dtype=np.int32),
        "positive": count * np.asarray(weights.positive, np.float32),
        "negative": count * np.asarray(weights.negative, np.float32),
    }


def exact_losses(params: Params, batch: Any) -> dict[str, Float[Array, " n"]]:
    """The part of every word in the objective, times the number of words, in nats per pair.

    Args:
        params: ``words`` (words, dimension) and ``contexts`` (contexts, dimension).
        batch: some of `exact_examples`.
    """
    logits = params["words"][batch["word"]] @ params["contexts"].T
    pull, push = jax.nn.softplus(-logits), jax.nn.softplus(logits)
    return {"loss": jnp.sum(batch["positive"] * pull + batch["negative"] * push, axis=1)}


def pair_examples(
    text: Sentences,
    vocabulary: Vocabulary,
    config: SampledConfig,
    *,
    seed: int = 0,
    most: int = 100_000,
) -> dict[str, np.ndarray]:
    """Pairs of a text as SGNS sees them, each with negative samples of its own.

    Args:
        text: from `mconn.words.sentences`; one that no embedding was trained on, for a test loss.
        vocabulary: of the embeddings.
        config: of the training; windows, thinning and negative samples are drawn by it.
        seed: of the draws.
        most: pairs that are kept at most, a random choice.

    Returns:
        Examples for `pair_losses`.

    Raises:
        DataError: if no two words of the vocabulary are neighbours in the text.
        ConfigError: if no pair is asked for.
    """
    if most < 1:
        raise ConfigError(f"most is {most}: keep at least one pair")
    rng = np.random.default_rng(seed)
    found = whole(blocks(text, vocabulary))
    pairs = pairs_of(found, vocabulary, config, rng)[:most]
    if not len(pairs):
        raise DataError("no word of the vocabulary has a neighbour: give a longer text")
    negatives = noise(vocabulary, config, (len(pairs), config.negatives), rng)
    return {"word": pairs[:, 0], "context": pairs[:, 1], "negatives": negatives}


def pair_losses(params: Params, batch: Any) -> dict[str, Float[Array, " n"]]:
    """The loss of every pair: - log s(w . c) less the sum of log s(- w . c') over its negatives.

    Args:
        params: ``words`` and ``contexts``, both (words, dimension).
        batch: some of `pair_examples`.
    """
    words, contexts = params["words"][batch["word"]], params["contexts"]
    near = jnp.einsum("nd,nd->n", words, contexts[batch["context"]])
    far = jnp.einsum("nd,nkd->nk", words, contexts[batch["negatives"]])
    return {"loss": jax.nn.softplus(-near) + jax.nn.softplus(far).sum(axis=1)}


def entry_examples(matrix: Matrix, *, seed: int = 0, most: int = 100_000) -> dict[str, np.ndarray]:
    """Entries of a matrix that was factorised, weighted to stand for all of them.

    Nearly all entries of a matrix of association are zero. So half of the draws are from all
    entries and half from those that are not zero, and an entry is weighted by its density in the
    matrix over that in the draws. A matrix of at most ``most`` entries is taken whole.

    Args:
        matrix: words by contexts, dense or sparse.
        seed: of the draws.
        most: entries that are drawn.

    Returns:
        Examples for `entry_losses`, whose mean is the mean squared error over all entries, or in
        expectation.

    Raises:
        ConfigError: if no entry is asked for.
    """
    if most < 1:
        raise ConfigError(f"most is {most}: draw at least one entry")
    table: Any = sparse.csr_array(matrix, copy=True)
    table.eliminate_zeros()
    columns, count = table.shape[1], table.shape[0] * table.shape[1]
    if count <= most:
        places = np.arange(count)
    else:
        rng = np.random.default_rng(seed)
        filled: Any = sparse.coo_array(table)
        which = rng.integers(max(filled.nnz, 1), size=most // 2 if filled.nnz else 0)
        ours = filled.coords[0][which].astype(np.int64) * columns + filled.coords[1][which]
        places = np.concatenate([ours, rng.integers(count, size=most - len(which))])
    word, context = np.divmod(places, columns)
    value = np.asarray(table[word, context]).ravel()
    weight = np.ones(len(places))
    if count > most and table.nnz:
        half = most // 2 / most
        weight = 1 / (1 - half + half * count / table.nnz * (value != 0))
    return {
        "word": word.astype(np.int32),
        "context": context.astype(np.int32),
        "value": value.astype(np.float32),
        "weight": weight.astype(np.float32),
    }


def entry_losses(params: Params, batch: Any) -> dict[str, Float[Array, " n"]]:
    """The weighted squared error (w . c - value)^2 of every entry.

    Args:
        params: ``words`` (words, dimension) and ``contexts`` (contexts, dimension).
        batch: some of `entry_examples`.
    """
    words, contexts = params["words"][batch["word"]], params["contexts"][batch["context"]]
    error = jnp.einsum("nd,nd->n", words, contexts) - batch["value"]
    return {"loss": batch["weight"] * error**2}
