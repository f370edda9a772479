"""Skip-gram with negative sampling (SGNS) on its exact objective, for small vocabularies.

Per pair of the corpus the objective is

    - sum P(w, c) log s(w . c) - k sum P(w) Q(c) log s(- w . c),   Q(c) ~ P(c)^alpha,

with the logistic function s. Every pair for itself is best at w . c = PMI(w, c) - log k, which all
reach together where the dimension is at least that matrix's rank and every pair occurs; with fewer
dimensions the optimum is a weighted approximation of low rank (O. Levy and Y. Goldberg, *Neural
word embedding as implicit matrix factorization*, NIPS 2014).
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.sparse as sparse
from jaxtyping import Array, Float

from mconn.errors import ConfigError, DivergenceError
from mconn.types import Key, Params
from mconn.words.embeddings.pmi import Matrix, check_counts


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
    params, losses = minimise(config, Weights(*(jnp.asarray(part) for part in weights)), keys)
    if not np.isfinite(np.asarray(losses)).all():
        seed, step = np.argwhere(~np.isfinite(np.asarray(losses)))[0]
        raise DivergenceError(
            f"the loss of seed {seed} is not finite at step {step}: lower learning_rate"
        )
    return params, losses


@functools.partial(jax.jit, static_argnums=0)
def minimise(
    config: ExactConfig, weights: Weights, keys: Key
) -> tuple[dict[str, Float[Array, "..."]], Float[Array, "seeds steps"]]:
    """The compiled program: every seed from its start to the end."""
    optimiser = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))

    def run(key: Key) -> tuple[dict[str, Array], Array]:
        def step(carry: tuple, _: None) -> tuple[tuple, Array]:
            params, state = carry
            loss, gradient = jax.value_and_grad(sgns_loss)(params, weights)
            change, state = optimiser.update(gradient, state)
            return (optax.apply_updates(params, change), state), loss

        params = random_start(key, weights.positive.shape, config.dimension, config.scale)
        carry = (params, optimiser.init(params))
        (params, _), losses = jax.lax.scan(step, carry, None, length=config.steps)
        return params, losses

    return jax.vmap(run)(keys)


def random_start(
    key: Key, sizes: tuple[int, ...], dimension: int, scale: float
) -> dict[str, Float[Array, "..."]]:
    """Normal entries for so many words and contexts."""
    both = scale * jax.random.normal(key, (sum(sizes), dimension))
    return {"words": both[: sizes[0]], "contexts": both[sizes[0] :]}
