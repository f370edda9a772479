"""Attributes as directions and subspaces, and how exact parallelograms are."""

from collections.abc import Mapping

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
