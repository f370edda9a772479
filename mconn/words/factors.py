"""Pointwise mutual information, its factors, and the objective that has it as its optimum.

Skip-gram with negative sampling (SGNS) has per pair of the corpus the objective

    - sum P(w, c) log s(w . c) - k sum P(w) Q(c) log s(- w . c),   Q(c) ~ P(c)^alpha,

with the logistic function s. Every pair for itself is best at w . c = PMI(w, c) - log k, which all
reach together where the dimension is at least that matrix's rank and every pair occurs; with fewer
dimensions the optimum is a weighted approximation of low rank (O. Levy and Y. Goldberg, *Neural
word embedding as implicit matrix factorization*, NIPS 2014). Context smoothing is that of O. Levy,
Y. Goldberg and I. Dagan, *Improving distributional similarity with lessons learned from word
embeddings*, TACL 2015.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.sparse as sparse
from jaxtyping import Array, Float

from mconn.checks import check_choice
from mconn.errors import ConfigError, DataError, DivergenceError
from mconn.types import Key, Params

Matrix = Any
"""A NumPy matrix, or a sparse one of SciPy."""


@dataclass(frozen=True, eq=False)
class Association:
    """A matrix of (shifted, positive) pointwise mutual information.

    Attributes:
        matrix: words by contexts; sparse where the counts are.
        unseen: the share of all pairs that were never counted. Their value would be minus infinity,
            and is 0 here, as is usual; for a positive matrix, that is what it is.
        isolated: words without any context, whose rows are zero.
    """

    matrix: Matrix
    unseen: float
    isolated: int


def pmi(
    counts: Matrix, *, shift: float = 0.0, positive: bool = False, smoothing: float = 1.0
) -> Association:
    """log(P(w, c) / (P(w) P(c))) - shift.

    Args:
        counts: how often each word occurs with each context, or the probabilities; a NumPy matrix
            or a sparse one. Nothing needs to be symmetric.
        shift: subtracted; log k gives what SGNS with k negatives factorises.
        positive: whether to set what is below zero to zero (SPPMI).
        smoothing: the power alpha of the contexts' frequencies in P(c) ~ #(c)^alpha; .75 is usual.

    Raises:
        DataError: if no pair was counted, a count is negative or not finite, or there are fewer
            than two words.
        ConfigError: if the smoothing is not above 0.
    """
    check_counts(counts)
    if not smoothing > 0:
        raise ConfigError(f"smoothing is {smoothing}: it is a power above 0, 1 for none")
    table: Any = sparse.coo_array(counts)
    keep = table.data > 0
    rows, columns = (place[keep] for place in table.coords)
    seen = table.data[keep].astype(np.float64)
    words = np.bincount(rows, seen, table.shape[0])
    contexts = np.bincount(columns, seen, table.shape[1]) ** smoothing
    values = np.log(seen) - np.log(words[rows]) - np.log(contexts[columns])
    # With alpha 1 this is the logarithm of the number of pairs.
    values += np.log(contexts.sum()) - shift
    if positive:
        values = np.maximum(values, 0.0)
    matrix: Matrix = sparse.csr_array((values, (rows, columns)), shape=table.shape)
    if not sparse.issparse(counts):
        matrix = matrix.toarray()
    elif positive:
        matrix.eliminate_zeros()
    return Association(matrix, 1 - len(seen) / np.prod(table.shape), int((words == 0).sum()))


def check_counts(counts: Matrix) -> None:
    """Refuse counts of which no embedding can be made.

    Raises:
        DataError: naming what is wrong.
    """
    if counts.ndim != 2 or min(counts.shape) < 2:
        raise DataError(
            f"the counts have the shape {tuple(counts.shape)}: two words and two contexts are the "
            "least, give a larger vocabulary"
        )
    data = sparse.csr_array(counts).data
    if not np.isfinite(data).all() or (data < 0).any():
        raise DataError("a count is negative or not finite: give numbers of occurrences")
    if not data.any():
        raise DataError("no word occurs with any other: give a longer text, or a larger window")


_SOLVERS = ("auto", "exact", "arpack", "randomised")
_SMALL = 512
"""The largest side of a matrix that is decomposed exactly if the solver is left to us."""


def factorise(
    matrix: Matrix, dimension: int, *, power: float = 0.5, solver: str = "auto", seed: int = 0
) -> dict[str, Float[np.ndarray, "..."]]:
    """The embeddings U S^p and V S^(1 - p) of the largest singular values.

    With p = 1/2, words and contexts are treated alike, as SGNS does; p = 0 and 1 are the others in
    use (Levy, Goldberg and Dagan, TACL 2015). The product of words and contexts is the best
    approximation of the matrix of that rank, whatever p. A symmetric matrix with a negative
    eigenvalue, as the constant of a PMI matrix has, gets a context with the sign turned.

    Args:
        matrix: words by contexts, dense or sparse.
        dimension: of the embedding.
        power: p.
        solver: ``exact``; ``arpack`` (SciPy's ``svds``); ``randomised`` (scikit-learn's, with 4
            power iterations), for large ones; ``auto`` takes exact up to 512 words, else arpack.
        seed: of the solver's start.

    Returns:
        ``words`` and ``contexts``, shapes (words, dimension) and (contexts, dimension), in the
        order of falling singular values; the largest entry of each column of words is positive.

    Raises:
        ConfigError: if the dimension is not within the matrix, or the solver unknown.
    """
    check_choice("solver", solver, _SOLVERS)
    least = min(matrix.shape)
    if not 1 <= dimension <= least:
        raise ConfigError(
            f"dimension is {dimension}: for {least} words it must be between 1 and {least}"
        )
    if solver == "auto":
        solver = "exact" if max(matrix.shape) <= _SMALL or dimension == least else "arpack"
    left, values, right = _decompose(matrix, dimension, solver, seed)
    places = np.abs(left).argmax(axis=0)
    signs = np.where(left[places, np.arange(dimension)] < 0, -1.0, 1.0)
    return {
        "words": left * signs * values**power,
        "contexts": right.T * signs * values ** (1 - power),
    }


def _decompose(
    matrix: Matrix, dimension: int, solver: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if solver == "exact":
        dense = matrix.toarray() if sparse.issparse(matrix) else matrix
        left, values, right = np.linalg.svd(dense, full_matrices=False)
        return left[:, :dimension], values[:dimension], right[:dimension]
    if solver == "arpack":
        from scipy.sparse.linalg import svds

        # ARPACK works with fewer singular values than the matrix has.
        if dimension >= min(matrix.shape):
            raise ConfigError(
                f"dimension is {dimension}: arpack finds at most {min(matrix.shape) - 1}, take "
                "the solver 'exact'"
            )
        start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
        found: Any = svds(matrix, k=dimension, v0=start)
        left, values, right = found
        order = np.argsort(-values)
        return left[:, order], values[order], right[order]
    from sklearn.utils import extmath

    solve: Any = extmath.randomized_svd
    return solve(matrix, dimension, n_iter=4, random_state=seed)


def combined(params: dict[str, np.ndarray]) -> Float[np.ndarray, "words dimension"]:
    """The sum w + c of a word's two vectors, as in GloVe; for words that are the contexts as well.

    Raises:
        ConfigError: if there are not as many contexts as words.
    """
    if params["words"].shape != params["contexts"].shape:
        raise ConfigError(
            f"words have the shape {params['words'].shape} and contexts "
            f"{params['contexts'].shape}: only vectors of the same words can be added"
        )
    return params["words"] + params["contexts"]


class Weights(NamedTuple):
    """The weights of the two terms for every word and context; rows may be a part of all words."""

    positive: Float[Array | np.ndarray, "words contexts"]
    negative: Float[Array | np.ndarray, "words contexts"]


@dataclass(frozen=True)
class ExactConfig:
    """How the exact objective is minimised: by Adam on the whole sum, with a cosine schedule.

    Attributes:
        dimension: of the embedding.
        steps: of the optimiser.
        learning_rate: the largest one.
        scale: standard deviation of the entries at the start.
    """

    dimension: int
    steps: int = 6000
    learning_rate: float = 0.03
    scale: float = 0.1

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.steps < 1:
            raise ConfigError(
                f"dimension is {self.dimension} and steps is {self.steps}: both are at least 1"
            )
        if not (self.learning_rate > 0 and self.scale > 0):
            raise ConfigError(
                f"learning_rate is {self.learning_rate} and scale is {self.scale}: both must be "
                "above 0 (at zero the gradient vanishes)"
            )


def sgns_weights(counts: Matrix, *, negatives: int = 5, smoothing: float = 1.0) -> Weights:
    """The weights of the objective: P(w, c), and k P(w) Q(c).

    Args:
        counts: how often each word occurs with each context, or the probabilities.
        negatives: k, the number of negative samples for each pair.
        smoothing: alpha, the power of the contexts' frequencies that they are drawn by.

    Raises:
        DataError: if the counts are those of no corpus.
        ConfigError: if k is not above 0.
    """
    check_counts(counts)
    if not negatives > 0:
        raise ConfigError(f"negatives is {negatives}: it must be above 0")
    dense = counts.toarray() if sparse.issparse(counts) else counts
    joint = np.asarray(dense, np.float64) / dense.sum()
    contexts = joint.sum(axis=0) ** smoothing
    return Weights(joint, negatives * np.outer(joint.sum(axis=1), contexts / contexts.sum()))


def sgns_loss(params: Params, weights: Weights) -> Float[Array, ""]:
    """The objective per pair of the corpus, in nats.

    Args:
        params: ``words`` (words, dimension) and ``contexts`` (contexts, dimension).
        weights: of the same words.
    """
    logits = params["words"] @ params["contexts"].T
    return jnp.sum(
        weights.positive * jax.nn.softplus(-logits) + weights.negative * jax.nn.softplus(logits)
    )


def train_exact(
    weights: Weights, config: ExactConfig, keys: Key
) -> tuple[dict[str, Float[Array, "..."]], Float[Array, "seeds steps"]]:
    """Minimise the objective from several random starts, together under ``vmap``.

    Args:
        weights: from `sgns_weights`.
        config: how.
        keys: one per seed, shape (seeds,).

    Returns:
        The embeddings, each leaf with a leading axis of seeds; and the loss before every step.

    Raises:
        DivergenceError: if a loss is not finite.
    """
    params, losses = _minimise(config, Weights(*(jnp.asarray(part) for part in weights)), keys)
    if not np.isfinite(np.asarray(losses)).all():
        seed, step = np.argwhere(~np.isfinite(np.asarray(losses)))[0]
        raise DivergenceError(
            f"the loss of seed {seed} is not finite at step {step}: lower learning_rate"
        )
    return params, losses


@functools.partial(jax.jit, static_argnums=0)
def _minimise(
    config: ExactConfig, weights: Weights, keys: Key
) -> tuple[dict[str, Float[Array, "..."]], Float[Array, "seeds steps"]]:
    optimiser = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))

    def run(key: Key) -> tuple[dict[str, Array], Array]:
        def step(carry: tuple, _: None) -> tuple[tuple, Array]:
            params, state = carry
            loss, gradient = jax.value_and_grad(sgns_loss)(params, weights)
            change, state = optimiser.update(gradient, state)
            return (optax.apply_updates(params, change), state), loss

        params = _random_start(key, weights.positive.shape, config.dimension, config.scale)
        carry = (params, optimiser.init(params))
        (params, _), losses = jax.lax.scan(step, carry, None, length=config.steps)
        return params, losses

    return jax.vmap(run)(keys)


def _random_start(
    key: Key, sizes: tuple[int, ...], dimension: int, scale: float
) -> dict[str, Float[Array, "..."]]:
    both = scale * jax.random.normal(key, (sum(sizes), dimension))
    return {"words": both[: sizes[0]], "contexts": both[sizes[0] :]}
