"""Words made of binary attributes, whose pointwise mutual information is a low-rank matrix.

D. Korchinski et al., *On the emergence of linear analogies in word embeddings*, arXiv:2505.18651:
a word i has attributes a_i in {-1, 1}^D, and two words occur together with the probability

    P(i, j) ~ p_i p_j prod_k (1 + s_k a_i^k a_j^k).

The logarithm of each factor is log(1 - s_k^2) / 2 + a_i^k a_j^k artanh(s_k). So the pointwise
mutual information has a constant, D attributes, and a sum over i and over j that vanishes where the
p_i are equal: its rank is at most D + 1 then, and analogies are exact parallelograms.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mconn.errors import ConfigError


@dataclass(frozen=True)
class AttributeModel:
    """All 2^D words of D binary attributes.

    Attributes:
        strengths: s_k in (-1, 1), how strongly words with the same attribute attract each other.
        spread: standard deviation of log p_i; 0 makes all words equally frequent.
        seed: of the p_i.
    """

    strengths: tuple[float, ...]
    spread: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.strengths or not all(-1 < strength < 1 for strength in self.strengths):
            raise ConfigError(
                f"strengths are {self.strengths}: give one or more numbers between -1 and 1"
            )
        if not 0 <= self.spread < np.inf:
            raise ConfigError(f"spread is {self.spread}: it must be at least 0")

    @property
    def attributes(self) -> int:
        """D."""
        return len(self.strengths)

    @functools.cached_property
    def codes(self) -> Int[np.ndarray, "words D"]:
        """The attributes of every word, each 1 or -1."""
        return np.array(list(itertools.product((-1, 1), repeat=self.attributes)))

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the words: ``+-+`` has the first and the third attribute."""
        return tuple("".join("-+"[(sign + 1) // 2] for sign in code) for code in self.codes)

    @functools.cached_property
    def joint(self) -> Float[np.ndarray, "words words"]:
        """P(i, j)."""
        rng = np.random.default_rng(self.seed)
        own = np.exp(self.spread * rng.standard_normal(len(self.codes)))
        together = np.outer(own, own) * self.attraction(self.codes[:, None], self.codes[None])
        return together / together.sum()

    def attraction(self, *codes: np.ndarray) -> Float[np.ndarray, "..."]:
        """prod_k of 1 + s_k times the sum over pairs of the products of their attributes.

        For two words it is the model; for three it is an extension of ours, of which the model is
        the marginal of any two where all words are equally frequent.
        """
        pairs = sum(first * second for first, second in itertools.combinations(codes, 2))
        return np.prod(1 + np.array(self.strengths) * pairs, axis=-1)

    @functools.cached_property
    def triple(self) -> Float[np.ndarray, "words words words"]:
        """P(i, j, c) of two words and a context, for equally frequent words; see `attraction`.

        Raises:
            ConfigError: if the words are not equally frequent.
        """
        if self.spread:
            raise ConfigError(f"spread is {self.spread}: three words need equal frequencies, 0")
        codes = self.codes
        together = self.attraction(codes[:, None, None], codes[None, :, None], codes[None, None])
        return together / together.sum()

    @property
    def rank(self) -> int:
        """The rank of the pointwise mutual information of equally frequent words.

        An attribute for every strength that is not 0, and the constant.
        """
        active = sum(strength != 0 for strength in self.strengths)
        return active + (active > 0)

    def questions(self) -> dict[str, Int[np.ndarray, "questions 4"]]:
        """All analogies a : b = c : d in which b and d have one attribute that a and c lack.

        Returns:
            The places of a, b, c and d, for every attribute; a and c differ.
        """
        return {
            f"attribute {k + 1}": np.array(
                [
                    (a, b, c, d)
                    for (a, b), (c, d) in itertools.permutations(self.pairs(k).tolist(), 2)
                ]
            ).reshape(-1, 4)
            for k in range(self.attributes)
        }

    def pairs(self, attribute: int) -> Int[np.ndarray, "pairs 2"]:
        """The places of all pairs of words that differ in one attribute, the one without it first.

        Args:
            attribute: from 0.
        """
        without = np.nonzero(self.codes[:, attribute] == -1)[0]
        return np.stack([without, without + 2 ** (self.attributes - 1 - attribute)], axis=1)

    def directions(self) -> Mapping[str, Int[np.ndarray, "pairs 2"]]:
        """The pairs of every attribute."""
        return {f"attribute {k + 1}": self.pairs(k) for k in range(self.attributes)}


def sample_counts(
    joint: Float[np.ndarray, "words words"], pairs: int, rng: np.random.Generator
) -> Int[np.ndarray, "words words"]:
    """The counts of independent pairs.

    Args:
        joint: the probability of every pair.
        pairs: how many are drawn.
        rng: of the draws.

    Raises:
        ConfigError: if no pair is asked for.
    """
    _check(pairs)
    return rng.multinomial(pairs, joint.ravel()).reshape(joint.shape)


def sample_sentences(
    joint: Float[np.ndarray, "words words"],
    words: Sequence[str],
    pairs: int,
    rng: np.random.Generator,
    block: int = 100_000,
) -> Iterator[list[str]]:
    """A text whose sentences are independent pairs of words, drawn block by block.

    Args:
        joint: the probability of every pair.
        words: their names.
        pairs: how many are drawn.
        rng: of the draws.
        block: pairs that are drawn at once.

    Raises:
        ConfigError: if no pair is asked for.
    """
    _check(pairs)
    names = list(words)
    levels = np.cumsum(joint.ravel())
    for start in range(0, pairs, block):
        drawn = rng.random(min(block, pairs - start)) * levels[-1]
        for place in np.searchsorted(levels, drawn, side="right").tolist():
            yield [names[place // len(names)], names[place % len(names)]]


def _check(pairs: int) -> None:
    if pairs < 1:
        raise ConfigError(f"pairs is {pairs}: draw at least one")
