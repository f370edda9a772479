"""Accuracy of analogies among words of binary attributes, by how their vectors are made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from mconn import words
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage

TREATMENTS = ("PMI", "PMI, p = 1", "PMI - log 5", "positive PMI")
"""What is factorised, and the power of the singular values that words get if it is not 1/2."""

RULES = {"3CosAdd": "add", "3CosMul": "multiply", "pair direction": "direction"}
"""Methods, by the names that papers give them."""

NEGATIVES = 5


@dataclass(frozen=True)
class ExactAccuracy(Stage):
    """Vectors from the exact probabilities.

    Its table ``accuracy`` has a row per treatment, rule and dimension, with the mean parallelogram
    defect.

    Attributes:
        model: the words.
        dimensions: of the vectors.
    """

    model: words.AttributeModel
    dimensions: tuple[int, ...]

    def __post_init__(self) -> None:
        largest = len(self.model.words)
        if not self.dimensions or not all(1 <= each <= largest for each in self.dimensions):
            raise ConfigError(
                f"dimensions are {self.dimensions}: name some between 1 and the {largest} words"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Factorise each matrix, and ask all questions."""
        del inputs, context
        questions = every_question(self.model)
        rows = []
        for treatment in TREATMENTS:
            matrix, power = treated(self.model.joint, treatment)
            for dimension in self.dimensions:
                vectors = words.factorise(matrix, dimension, power=power)["words"]
                defects = words.parallelogram_defect(vectors, questions)
                for rule, method in RULES.items():
                    rows.append(
                        {
                            "treatment": treatment,
                            "rule": rule,
                            "dimension": dimension,
                            "accuracy": words.expected_accuracy(
                                vectors, questions, words.Rule(method)
                            ),
                            "defect": float(np.nanmean(defects)),
                        }
                    )
        return Result(tables={"accuracy": pa.Table.from_pylist(rows)})


@dataclass(frozen=True)
class SampledAccuracy(Stage):
    """Vectors from corpora of independent pairs, each counted both ways.

    Its table ``sampled`` has a row per number of pairs and seed: the accuracy of 3CosAdd, and the
    share of pairs that were not seen.

    Attributes:
        model: the words.
        sizes: pairs of a corpus.
        seeds: corpora of each size.
    """

    model: words.AttributeModel
    sizes: tuple[int, ...]
    seeds: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Draw, count, factorise at the rank of the exact matrix, and ask all questions."""
        del inputs, context
        return Result(tables={"sampled": pa.Table.from_pylist(list(self.rows()))})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Corpus after corpus."""
        questions = every_question(self.model)
        for size in self.sizes:
            for seed in range(self.seeds):
                drawn = words.sample_counts(self.model.joint, size, np.random.default_rng(seed))
                found = words.pmi(drawn + drawn.T)
                vectors = words.factorise(found.matrix, self.model.rank)["words"]
                yield {
                    "pairs": size,
                    "seed": seed,
                    "accuracy": words.expected_accuracy(vectors, questions),
                    "unseen": found.unseen,
                }


@dataclass(frozen=True)
class SgnsOptimum(Stage):
    """SGNS trained on its exact objective.

    Its table ``optimum`` has a row per dimension and seed: the largest and the root mean square of
    |w . c - (PMI - log k)|, and the accuracy of 3CosAdd.

    Attributes:
        model: the words.
        dimensions: of the vectors.
        seeds: trainings of each.
        steps: of Adam on the whole objective.
    """

    model: words.AttributeModel
    dimensions: tuple[int, ...]
    seeds: int
    steps: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train all seeds of a dimension together."""
        del inputs
        weights = words.sgns_weights(self.model.joint, negatives=NEGATIVES)
        optimum = words.pmi(self.model.joint, shift=float(np.log(NEGATIVES))).matrix
        questions = every_question(self.model)
        keys = jax.random.split(jax.random.key(0), self.seeds)
        rows = []
        with context.progress.task("sgns", total=len(self.dimensions), unit="dimension") as task:
            for done, dimension in enumerate(self.dimensions, start=1):
                config = words.ExactConfig(dimension, steps=self.steps)
                trained, losses = words.train_exact(weights, config, keys)
                for seed in range(self.seeds):
                    own, contexts = (
                        np.asarray(trained[name][seed], np.float64)
                        for name in ("words", "contexts")
                    )
                    gap = own @ contexts.T - optimum
                    rows.append(
                        {
                            "dimension": dimension,
                            "seed": seed,
                            "largest": float(np.abs(gap).max()),
                            "typical": float(np.sqrt(np.square(gap).mean())),
                            "accuracy": words.expected_accuracy(own, questions, tolerance=1e-6),
                            "loss": float(losses[seed, -1]),
                        }
                    )
                task.update(done)
        return Result(tables={"optimum": pa.Table.from_pylist(rows)})


def treated(
    joint: Float[np.ndarray, "words words"], treatment: str
) -> tuple[Float[np.ndarray, "words words"], float]:
    """The matrix to factorise, and the power of the singular values that words get."""
    shift = float(np.log(NEGATIVES)) if treatment == "PMI - log 5" else 0.0
    found = words.pmi(joint, shift=shift, positive=treatment == "positive PMI")
    return found.matrix, 1.0 if treatment == "PMI, p = 1" else 0.5


def every_question(model: words.AttributeModel) -> Int[np.ndarray, "questions 4"]:
    """The questions of all attributes."""
    return np.concatenate(list(model.questions().values()))
