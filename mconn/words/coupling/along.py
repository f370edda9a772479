"""What becomes of analogies and attributes along a path between embeddings, beside the loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from mconn import landscape
from mconn.errors import DataError
from mconn.features import subspace_angles
from mconn.paths import Path
from mconn.types import Batch, EvalFn, Params
from mconn.words.algebra.analogies import Rule
from mconn.words.algebra.geometry import SPACES, attribute_space, parallelogram_defect
from mconn.words.algebra.questions import pairs_of_questions
from mconn.words.algebra.ties import chances
from mconn.words.coupling.losses import exact_losses


@dataclass(frozen=True, eq=False)
class AlongPath:
    """What `measure_path` found, at every point of the path.

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
            "defect": mean_defect(self.defect),
            "smallest_singular": self.singular[:, -1],
        } | {f"{space}_angle": np.rad2deg(self.largest_angle(space)) for space in self.angles}
        return [
            {name: float(values[i]) for name, values in columns.items()}
            for i in range(len(self.profile.t))
        ]


def measure_path(
    path: Path,
    ts: Float[np.ndarray, " points"],
    data: Batch,
    questions: Mapping[str, Int[np.ndarray, "questions 4"]],
    *,
    losses: EvalFn = exact_losses,
    rule: Rule | None = None,
    tolerance: float = 1e-6,
) -> AlongPath:
    """Measure loss, analogies and attributes at every point of a path between embeddings.

    Args:
        path: from `mconn.paths`, its points with ``words`` and ``contexts``.
        ts: the points; the first is what angles are measured from.
        data: examples of the loss.
        questions: by attribute the places of a, b, c and d, from `AttributeModel.questions` or
            `place_questions`. The pairs of an attribute are those that its questions are made of.
        losses: `exact_losses`, or `pair_losses`.
        rule: how questions are answered; 3CosAdd without the question's words by default.
        tolerance: how much two scores may differ and be equal; ties are broken by lot.

    Raises:
        DataError: if an attribute has no question; and as `mconn.landscape.evaluate`.
    """
    if not questions or not all(len(rows) for rows in questions.values()):
        raise DataError("an attribute has no question, or there is none: leave it out, or name one")
    asked = np.concatenate(list(questions.values()))
    relations = {name: pairs_of_questions(rows) for name, rows in questions.items()}
    profile = landscape.evaluate(losses, path, ts, data)
    right, defects, singular = [], [], []
    spaces: dict[str, list[np.ndarray]] = {space: [] for space in SPACES}
    for t in profile.t:
        params = {
            name: np.asarray(leaf, np.float64) for name, leaf in point(path, np.float32(t)).items()
        }
        words = params["words"]
        right.append(answered(words, asked, rule, tolerance))
        defects.append(parallelogram_defect(words, asked))
        singular.append(np.linalg.svd(words, compute_uv=False))
        for space, found in spaces.items():
            found.append(attribute_space(params, relations, space))
    return AlongPath(
        profile,
        np.stack(right),
        np.stack(defects),
        {
            space: np.stack([angles_between(found[0], each) for each in found])
            for space, found in spaces.items()
        },
        np.stack(singular),
    )


@jax.jit
def point(path: Path, t: Any) -> Params:
    """The embedding at one point."""
    return path(t)


def answered(
    words: Float[np.ndarray, "words dimension"],
    questions: Int[np.ndarray, "questions 4"],
    rule: Rule | None,
    tolerance: float,
) -> Float[np.ndarray, " questions"]:
    """The chance of the right answers; 0 where a word of the question has become zero."""
    lengths = np.linalg.norm(words, axis=1)
    kept = lengths[questions[:, :3]].min(axis=1) > 0
    right = np.zeros(len(questions))
    if kept.any():
        right[kept] = chances(words, questions[kept], rule, tolerance)
    return right


def angles_between(
    a: Float[np.ndarray, "n k"], b: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, " k"]:
    """Principal angles, filled up with NaN to the number of columns."""
    angles = np.full(a.shape[1], np.nan)
    if a.any() and b.any():
        found = subspace_angles(a, b)
        angles[: len(found)] = found
    return angles


def mean_defect(defect: Float[np.ndarray, "points questions"]) -> Float[np.ndarray, " points"]:
    """The mean over the questions that have one."""
    counted = ~np.isnan(defect)
    total = np.where(counted, defect, 0).sum(axis=1)
    return np.divide(
        total, counted.sum(axis=1), out=np.full_like(total, np.nan), where=counted.any(axis=1)
    )
