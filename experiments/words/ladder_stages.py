"""Embeddings that were trained from several seeds, and what lies on the lines between them."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Int

from mconn import landscape, paths, symmetry, trees, words
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage

NEGATIVES = 5
SINGULAR = "lost attribute"
ORBIT = "orbit"
SIZE = 0.3
"""Of the entries of the random direction of the orbit: more would only be worse conditioned."""


@dataclass(frozen=True)
class WordTraining(Stage):
    """SGNS on its exact objective, several seeds together. Its tree holds them, stacked.

    Attributes:
        model: the words.
        dimension: of the embeddings.
        steps: of Adam on the whole objective.
        seeds: how many.
    """

    model: words.AttributeModel
    dimension: int
    steps: int
    seeds: int

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ConfigError(f"seeds is {self.seeds}: a line needs two embeddings")
        if self.dimension <= self.model.rank:
            raise ConfigError(
                f"dimension is {self.dimension}: take more than the rank of the words, "
                f"{self.model.rank}, so that there is a dimension to spare"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """All seeds in one program."""
        del inputs
        weights = words.sgns_weights(self.model.joint, negatives=NEGATIVES)
        config = words.ExactConfig(self.dimension, steps=self.steps)
        with context.progress.task("sgns", total=1, unit="training") as task:
            keys = jax.random.split(jax.random.key(0), self.seeds)
            trained, losses = words.train_exact(weights, config, keys)
            task.update(1)
        return Result(
            tree=trees.to_numpy(trained), facts={"loss": np.asarray(losses)[:, -1].tolist()}
        )


@dataclass(frozen=True)
class WordLines(Stage):
    """The lines between every two embeddings, after each group moved the second onto the first.

    Its table ``points`` has a row per pair, rung and point, with the last singular value of the
    words that the attributes need and the first that they do not need; its table ``barriers`` the
    chord barrier of the objective, the accuracy half way and the distance of the ends. As
    counterexamples ``points`` also has, for every embedding, the line to the copy with one
    attribute's direction reversed, where half way it is lost, and an orbit of the embedding's own
    symmetry, along which it computes the same.

    Attributes:
        training: the embeddings.
        points: on each line.
    """

    training: WordTraining
    points: int = 21

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Pair after pair."""
        model, trained = self.training.model, inputs["training"].tree
        examples = words.exact_examples(words.sgns_weights(model.joint, negatives=NEGATIVES))
        questions, ts = model.questions(), np.linspace(0, 1, self.points)
        pairs = list(itertools.combinations(range(self.training.seeds), 2))
        points: list[dict[str, Any]] = []
        barriers: list[dict[str, Any]] = []

        def measure(path: paths.Path, distance: float, **labels: str) -> None:
            found = words.along(path, ts, examples, questions)
            last, spare = found.singular[:, model.rank - 1 : model.rank + 1].T.tolist()
            points.extend(
                {**labels, **row, "last_singular": needed, "spare_singular": other}
                for row, needed, other in zip(found.rows(), last, spare, strict=True)
            )
            barriers.append(
                {
                    **labels,
                    "barrier": landscape.barrier(found.profile, resamples=1).value,
                    "accuracy": float(found.accuracy[len(ts) // 2]),
                    "lowest": float(found.accuracy.min()),
                    "distance": distance,
                }
            )

        with context.progress.task("lines", total=len(pairs), unit="pair") as task:
            for done, (i, j) in enumerate(pairs, start=1):
                a, b = (trees.index(trained, each) for each in (i, j))
                for name, rung in words.align_embeddings(a, b).items():
                    line = paths.line(a, rung.params)
                    measure(line, rung.distance, pair=f"{i}-{j}", rung=name)
                task.update(done)
        for i in range(self.training.seeds):
            a = trees.index(trained, i)
            turned = turned_around(a, model.pairs(0))
            measure(paths.line(a, turned), apart(a, turned), pair=str(i), rung=SINGULAR)
            curve = own_orbit(a)
            end = trees.to_numpy(curve(jnp.ones(())))
            measure(curve, apart(a, end), pair=str(i), rung=ORBIT)
        return Result(
            tables={
                "points": pa.Table.from_pylist(points),
                "barriers": pa.Table.from_pylist(barriers),
            }
        )


def turned_around(
    params: dict[str, np.ndarray], pairs: Int[np.ndarray, "pairs 2"]
) -> dict[str, np.ndarray]:
    """The same embedding with the direction of an attribute reversed, in words and in contexts.

    A reflection belongs to the symmetry, and not to its component of the identity: the line to it
    passes through a singular blend, in which the attribute is lost.
    """
    direction = words.direction(params["words"].astype(np.float64), pairs)
    direction /= np.linalg.norm(direction)
    mirror = np.eye(len(direction)) - 2 * np.outer(direction, direction)
    return {name: (leaf @ mirror).astype(np.float32) for name, leaf in params.items()}


def own_orbit(params: dict[str, np.ndarray]) -> paths.Path:
    """The curve exp(t x) of one random direction x of the symmetry, applied to the embedding."""
    group = words.embedding_symmetry(params)
    tangent = symmetry.random_tangent(group, jax.random.key(1))
    return paths.orbit_along(group, jax.tree.map(lambda x: SIZE * x, tangent), params)


def apart(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> float:
    """The distance of two embeddings."""
    return float(np.sqrt(sum(np.square(a[name] - b[name]).sum() for name in a)))
