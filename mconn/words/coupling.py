"""One embedding moved onto another by ever larger groups, and what a path between them keeps.

An embedding computes the products W C^T of words and contexts. They stay as they are when W is
multiplied by an invertible matrix and C by its inverse transpose: the group is GL(d), which
`mconn.symmetry.discover` finds. Permutations, the symmetry of hidden units, are a small part of it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from mconn import align, landscape, symmetry, trees
from mconn.checks import check_choice
from mconn.errors import DataError, StructureError
from mconn.features import subspace_angles
from mconn.measure import Execution
from mconn.paths import Path
from mconn.types import Batch, EvalFn, Key, Params
from mconn.words.analogies import Rule, chances
from mconn.words.geometry import SPACES, attribute_space, parallelogram_defect
from mconn.words.losses import exact_losses
from mconn.words.questions import pairs_of_questions

RUNGS = ("naive", "permutation", "orthogonal", "general linear")
"""The groups by which an embedding is moved, each within the next."""


@dataclass(frozen=True, eq=False)
class Rung:
    """An embedding b that was moved onto a.

    Attributes:
        name: one of `RUNGS`.
        params: b as it was moved, on the host.
        element: what moved it, as an element of the whole group.
        distance: |a - g b|, over words and contexts.
        match: what `mconn.align.match` found; None if nothing was moved.
    """

    name: str
    params: dict[str, Float[np.ndarray, "..."]]
    element: symmetry.Element
    distance: float
    match: align.Match | None = field(repr=False, default=None)


def products(params: Params) -> Float[Array | np.ndarray, "words contexts"]:
    """What an embedding computes: w . c for all words and contexts."""
    return params["words"] @ params["contexts"].T


def embedding_symmetry(params: Params) -> symmetry.Group:
    """The group of an embedding, discovered from what it computes; nothing is computed for that.

    Args:
        params: ``words`` (words, dimension) and ``contexts`` (contexts, dimension).

    Raises:
        StructureError: if they are no embedding.
    """
    leaves = trees.named_leaves(params)
    shapes = {name: np.shape(leaf) for name, leaf in leaves.items()}
    if set(shapes) != {"words", "contexts"}:
        raise StructureError(
            f"the leaves are {', '.join(sorted(shapes)) or 'none'}: an embedding has words and "
            "contexts, and nothing else"
        )
    words, contexts = shapes["words"], shapes["contexts"]
    if len(words) != 2 or len(contexts) != 2 or words[1] != contexts[1]:
        raise StructureError(
            f"words have the shape {words} and contexts {contexts}: give two matrices of the same "
            "dimension"
        )
    return symmetry.discover(products, params)


def align_embeddings(
    a: Params,
    b: Params,
    rungs: Collection[str] = RUNGS,
    *,
    key: Key | None = None,
) -> dict[str, Rung]:
    """Move ``b`` onto ``a``, by each group in turn.

    A permutation and an orthogonal matrix are the closest of their kind: there is one generator,
    and its assignment, or Procrustes problem, is solved exactly. An invertible matrix is found by
    Gauss and Newton's steps, from the closest orthogonal one as well, so that it never ends farther
    away.

    Args:
        a: the embedding that stays: ``words`` and ``contexts``.
        b: the embedding that is moved, of the same words and dimension.
        rungs: among `RUNGS`.
        key: of `mconn.align.match`.

    Returns:
        The moved embedding for every rung, in their order.

    Raises:
        StructureError: if one is no embedding, or the shapes differ.
        MconnError: if one is not finite.
        ConfigError: if a rung is unknown.
    """
    for rung in rungs:
        check_choice("rung", rung, RUNGS)
    group = embedding_symmetry(a)
    trees.check_same_structure(a, b)
    return {rung: _moved(group, rung, a, b, key) for rung in RUNGS if rung in rungs}


def _moved(group: symmetry.Group, name: str, a: Any, b: Any, key: Key | None) -> Rung:
    if name == "naive":
        return Rung(name, trees.to_numpy(b), symmetry.identity(group), _distance(a, b))
    found = _best_match(group, name, a, b, key)
    element = symmetry.lift(group, found.element)
    params = trees.to_numpy(symmetry.act(group, element, b))
    return Rung(name, params, element, _distance(a, params), found)


def _best_match(group: symmetry.Group, name: str, a: Any, b: Any, key: Key | None) -> align.Match:
    if name == "permutation":
        return align.match(group.restricted(["permutation"]), a, b, key=key)
    turned = align.match(align.compact(group), a, b, key=key)
    if name == "orthogonal":
        return turned
    starts = ("profile", symmetry.lift(group, turned.element))
    found = [align.match(group, a, b, start=start, key=key) for start in starts]
    return max(found, key=lambda match: match.objective)


def _distance(a: Any, b: Any) -> float:
    gaps = (
        np.asarray(a[name], np.float64) - np.asarray(b[name], np.float64)
        for name in ("words", "contexts")
    )
    return float(np.sqrt(sum(np.square(gap).sum() for gap in gaps)))


@dataclass(frozen=True, eq=False)
class AlongPath:
    """What `along` found, at every point of the path.

    Attributes:
        profile: the losses, for `mconn.landscape.barrier`.
        right: the chance of the right answer to every question.
        defect: the parallelogram defect of every question, in the words' coordinates; NaN where
            both sides are zero.
        angles: between the subspace of the attributes there and at the path's first point, in
            ``sample`` and in ``neuron`` space (see `mconn.words.attribute_space`): radians,
            ascending; NaN for the directions that are lost.
        singular: the singular values of the words' matrix, falling: a blend of two embeddings loses
            a dimension where one of them is nearly zero.
    """

    profile: landscape.Profile
    right: Float[np.ndarray, "points questions"]
    defect: Float[np.ndarray, "points questions"]
    angles: Mapping[str, Float[np.ndarray, "points attributes"]]
    singular: Float[np.ndarray, "points dimension"]

    @property
    def accuracy(self) -> Float[np.ndarray, " points"]:
        """The expected share of right answers."""
        return self.right.mean(axis=1)

    def largest_angle(self, space: str) -> Float[np.ndarray, " points"]:
        """The largest principal angle of every point in one of the spaces, in radians."""
        return np.fmax.reduce(self.angles[space], axis=1)

    def rows(self) -> list[dict[str, float]]:
        """A row per point, for a table: means over examples and questions, angles in degrees."""
        columns = {
            "t": self.profile.t,
            "loss": self.profile.mean("loss"),
            "accuracy": self.accuracy,
            "defect": _mean_defect(self.defect),
            "smallest_singular": self.singular[:, -1],
        } | {f"{space}_angle": np.rad2deg(self.largest_angle(space)) for space in self.angles}
        return [
            {name: float(values[i]) for name, values in columns.items()}
            for i in range(len(self.profile.t))
        ]


def along(
    path: Path,
    ts: Float[np.ndarray, " points"] | int,
    data: Batch,
    questions: Mapping[str, Int[np.ndarray, "questions 4"]],
    *,
    losses: EvalFn = exact_losses,
    rule: Rule | None = None,
    tolerance: float = 1e-6,
    execution: Execution = Execution(),
) -> AlongPath:
    """Measure loss, analogies and attributes at every point of a path between embeddings.

    Args:
        path: from `mconn.paths`, its points with ``words`` and ``contexts``.
        ts: the points, or how many; the first is what angles are measured from.
        data: examples of the loss.
        questions: by attribute the places of a, b, c and d, from `AttributeModel.questions` or
            `place_questions`. The pairs of an attribute are those that its questions are made of.
        losses: `exact_losses`, or `pair_losses`.
        rule: how questions are answered; 3CosAdd without the question's words by default.
        tolerance: how much two scores may differ and be equal; ties are broken by lot.
        execution: batches, devices, memory, and finished points on disk, of the loss.

    Raises:
        DataError: if an attribute has no question; and as `mconn.landscape.evaluate`.
    """
    if not questions or not all(len(rows) for rows in questions.values()):
        raise DataError("an attribute has no question, or there is none: leave it out, or name one")
    asked = np.concatenate(list(questions.values()))
    relations = {name: pairs_of_questions(rows) for name, rows in questions.items()}
    profile = landscape.evaluate(losses, path, ts, data, execution=execution)
    points = [
        {name: np.asarray(leaf, np.float64) for name, leaf in _point(path, np.float32(t)).items()}
        for t in profile.t
    ]
    angles = {}
    for space in SPACES:
        found = [attribute_space(params, relations, space) for params in points]
        angles[space] = np.stack([_angles_between(found[0], each) for each in found])
    words = [params["words"] for params in points]
    return AlongPath(
        profile,
        np.stack([_answered(each, asked, rule, tolerance) for each in words]),
        np.stack([parallelogram_defect(each, asked) for each in words]),
        angles,
        np.stack([np.linalg.svd(each, compute_uv=False) for each in words]),
    )


@jax.jit
def _point(path: Path, t: Any) -> Params:
    return path(t)


def _answered(
    words: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 4"],
    rule: Rule | None,
    tolerance: float,
) -> Float[np.ndarray, " questions"]:
    lengths = np.linalg.norm(words, axis=1)
    kept = lengths[questions[:, :3]].min(axis=1) > 0
    right = np.zeros(len(questions))
    if kept.any():
        right[kept] = chances(words, questions[kept], rule, tolerance)
    return right


def _angles_between(
    a: Float[np.ndarray, "n k"], b: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, " k"]:
    angles = np.full(a.shape[1], np.nan)
    if a.any() and b.any():
        found = subspace_angles(a, b)
        angles[: len(found)] = found
    return angles


def _mean_defect(defect: Float[np.ndarray, "points questions"]) -> Float[np.ndarray, " points"]:
    count = (~np.isnan(defect)).sum(axis=1)
    return np.where(count > 0, np.nansum(defect, axis=1) / np.maximum(count, 1), np.nan)
