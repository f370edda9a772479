"""Attributes as directions, how exact parallelograms are, and what the corpus says of analogies.

K. Ethayarajh, D. Duvenaud and G. Hirst, *Towards understanding linear word analogies*, ACL 2019:
with csPMI(x, y) = PMI(x, y) + log P(x, y), an analogy holds without error in a space that
factorises PMI exactly if and only if csPMI is the same for all of its pairs, the same for the two
cross pairs of any two of them, and the rows of the four words are coplanar.

C. Allen and T. Hospedales, *Analogies explained: Towards understanding word embeddings*, ICML 2019:
the difference between the two sides of an analogy as a sum of errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mconn.checks import check_choice
from mconn.errors import DataError

SPACES = ("sample", "neuron")


def direction(
    matrix: Float[np.ndarray, "words dimension"], pairs: Int[np.ndarray, "pairs 2"]
) -> Float[np.ndarray, " dimension"]:
    """The mean difference of the second and the first word of the pairs of one relation.

    Raises:
        DataError: if there is no pair.
    """
    if not len(pairs):
        raise DataError("a relation has no pair of words: leave it out")
    return (matrix[pairs[:, 1]] - matrix[pairs[:, 0]]).mean(axis=0)


def directions(
    matrix: Float[np.ndarray, "words dimension"],
    relations: Mapping[str, Int[np.ndarray, "pairs 2"]],
) -> Float[np.ndarray, "dimension relations"]:
    """The direction of every relation, as columns: they span the subspace of the attributes.

    Raises:
        DataError: if a relation has no pair.
    """
    return np.stack([direction(matrix, pairs) for pairs in relations.values()], axis=1)


def attribute_space(
    params: Mapping[str, Float[np.ndarray, "..."]],
    relations: Mapping[str, Int[np.ndarray, "pairs 2"]],
    space: str = "sample",
) -> Float[np.ndarray, "rows relations"]:
    """Columns that span the subspace of the attributes, in one of two spaces.

    *Neuron space*: the directions themselves, in the coordinates of the words. They turn when an
    embedding is moved by an invertible map, which does not change what it computes: compare an
    embedding with itself, or with one that is aligned. *Sample space*: what every context makes of
    the directions, the mean difference of the products w . c of the pairs. No such map changes it.

    Args:
        params: ``words`` (words, dimension) and ``contexts`` (contexts, dimension).
        relations: the pairs of every attribute.
        space: ``sample`` or ``neuron``. `mconn.features.subspace_angles` compares two of one space.

    Returns:
        A column per relation; a row per context, or per dimension.

    Raises:
        DataError: if a relation has no pair.
        ConfigError: if the space is unknown.
    """
    check_choice("space", space, SPACES)
    found = directions(np.asarray(params["words"], np.float64), relations)
    return found if space == "neuron" else np.asarray(params["contexts"], np.float64) @ found


def parallelogram_defect(
    matrix: Float[np.ndarray, "words dimension"], questions: Int[np.ndarray, "questions 4"]
) -> Float[np.ndarray, " questions"]:
    """|(b - a) - (d - c)| / sqrt(|b - a|^2 + |d - c|^2) of every question.

    0 for a parallelogram, 1 where the two sides are orthogonal, sqrt(2) where they are opposite.
    NaN where both sides are zero.
    """
    a, b, c, d = (matrix[place] for place in questions.T)
    sides = np.sum((b - a) ** 2, axis=1) + np.sum((d - c) ** 2, axis=1)
    gap = np.sum((b - a - d + c) ** 2, axis=1)
    return np.sqrt(np.divide(gap, sides, out=np.full_like(gap, np.nan), where=sides > 0))


def coplanarity(
    matrix: Float[np.ndarray, "words dimension"], questions: Int[np.ndarray, "questions 4"]
) -> Float[np.ndarray, " questions"]:
    """How far the four rows of every question are from one plane.

    The third singular value of b - a, c - a and d - a as a share of the first: 0 in a plane. It is
    one of Ethayarajh's conditions (see `mconn.words.algebra.information`) for rows of contexts.
    """
    a, b, c, d = (matrix[place] for place in questions.T)
    sides = np.stack([b - a, c - a, d - a], axis=1)
    values = np.linalg.svd(sides, compute_uv=False)
    if values.shape[1] < 3:
        return np.zeros(len(questions))
    return np.divide(values[:, 2], values[:, 0], out=np.zeros(len(values)), where=values[:, 0] > 0)


def cspmi(joint: Float[np.ndarray, "words words"]) -> Float[np.ndarray, "words words"]:
    """The csPMI of all pairs; minus infinity for pairs that never occur.

    Args:
        joint: the probability, or the count, of every pair.
    """
    together = joint / joint.sum()
    own = together.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 * np.log(together) - np.log(own)[:, None] - np.log(own)[None]


@dataclass(frozen=True, eq=False)
class Conditions:
    """How far a relation is from Ethayarajh's conditions; all 0 where it meets them.

    Attributes:
        within: the largest difference of csPMI between pairs of the relation.
        across: the largest difference, over two pairs, between csPMI of their first words and of
            their second ones.
        plane: the largest `coplanarity` of the rows of two pairs.
    """

    within: float
    across: float
    plane: float


def conditions(
    joint: Float[np.ndarray, "words words"],
    rows: Float[np.ndarray, "words contexts"],
    pairs: Int[np.ndarray, "pairs 2"],
) -> Conditions:
    """Measure a relation against the conditions.

    Args:
        joint: the probability, or the count, of every pair of words.
        rows: of the matrix that is factorised, such as PMI - log k.
        pairs: of the relation.

    Raises:
        DataError: if there are fewer than two pairs.
    """
    if len(pairs) < 2:
        raise DataError(f"the relation has {len(pairs)} pairs: an analogy needs two")
    values = cspmi(joint)
    own = values[pairs[:, 0], pairs[:, 1]]
    i, j = np.triu_indices(len(pairs), 1)
    first = values[pairs[i, 0], pairs[j, 0]]
    second = values[pairs[i, 1], pairs[j, 1]]
    fours = np.concatenate([pairs[i], pairs[j]], axis=1)
    return Conditions(
        float(np.ptp(own)),
        float(np.abs(first - second).max()),
        float(coplanarity(rows, fours).max()),
    )


@dataclass(frozen=True, eq=False)
class Errors:
    """Why PMI(d) differs from PMI(b) - PMI(a) + PMI(c), context by context.

    PMI(d) = PMI(b) - PMI(a) + PMI(c) + paraphrase + conditional - mutual, exactly.

    Attributes:
        paraphrase: log P(x | a, d) / P(x | b, c) for every context x: how far one pair of words
            stands for the other.
        conditional: the dependence of b and c given x, less that of a and d.
        mutual: the dependence of b and c, less that of a and d.
        rows: PMI of a, b, c and d with every context.
    """

    paraphrase: Float[np.ndarray, " contexts"]
    conditional: Float[np.ndarray, " contexts"]
    mutual: float
    rows: Float[np.ndarray, "4 contexts"]

    @property
    def residual(self) -> Float[np.ndarray, " contexts"]:
        """PMI(d) - PMI(b) + PMI(a) - PMI(c): what the three errors sum up to."""
        a, b, c, d = self.rows
        return d - b + a - c


def analogy_errors(
    pairs: Float[np.ndarray, "words contexts"],
    triples: Float[np.ndarray, "2 contexts"],
    question: Int[np.ndarray, " 4"],
) -> Errors:
    """Allen and Hospedales' errors of one analogy, a : b = c : d.

    Args:
        pairs: P(w, x), the probability of every word with every context, summing up to 1.
        triples: P(b, c, x) and P(a, d, x), of both words together with every context.
        question: the places of a, b, c and d.

    Raises:
        DataError: if one of the words or pairs never occurs with some context: its error would be
            infinite.
    """
    rows = pairs[question]
    if not ((rows > 0).all() and (triples > 0).all()):
        raise DataError(
            "a word or a pair of words never occurs with some context: its error is infinite, "
            "leave the context out"
        )
    contexts, words = pairs.sum(axis=0), rows.sum(axis=1)
    # The dependence of two words: given a context, and at all.
    given = np.log(triples / contexts) - np.log(rows[[1, 0]] / contexts)
    given -= np.log(rows[[2, 3]] / contexts)
    together = triples.sum(axis=1)
    mutual = np.log(together) - np.log(words[[1, 0]]) - np.log(words[[2, 3]])
    meaning = np.log(triples / together[:, None])
    return Errors(
        paraphrase=meaning[1] - meaning[0],
        conditional=given[0] - given[1],
        mutual=float(mutual[0] - mutual[1]),
        rows=np.log(rows) - np.log(words)[:, None] - np.log(contexts),
    )
