"""Embeddings of real texts: their answers to analogy questions, and the lines between seeds."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mconn import landscape, paths, words
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.types import Batch, EvalFn

SGNS, SVD, PARTS = "SGNS", "PMI-SVD", "SGNS with subwords"
CONTROL = "PMI-SVD of the shuffled text"
RULES = {
    "3CosAdd": words.Rule("add"),
    "3CosMul": words.Rule("multiply"),
    "pair direction": words.Rule("direction"),
    "3CosAdd, question's words kept": words.Rule("add", exclude=False),
}
HELD_OUT = 10
"""Every so-manyth piece of the text is held out, for the loss."""

Embeddings = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class TextSource:
    """Texts of the data folder, one after the other.

    Attributes:
        names: as in `mconn.words.corpus`.
        least_count: rarer words are left out.
    """

    names: tuple[str, ...]
    least_count: int = 5

    def read(
        self, data_dir: Path | None
    ) -> tuple[list[list[str]], list[list[str]], words.Vocabulary]:
        """The text to train on, the one held out, and the vocabulary of the first."""
        pieces = list(words.corpus(self.names, data_dir))
        training = [piece for i, piece in enumerate(pieces) if i % HELD_OUT]
        vocabulary = words.count_words(training, least_count=self.least_count)
        return training, pieces[::HELD_OUT], vocabulary


@dataclass(frozen=True)
class TextVectors(Stage):
    """Vectors of a text by several methods and seeds, and their answers.

    A seed of a method that counts is that of the thinning of frequent words. Its tree has by method
    the embeddings that are walked between, stacked over seeds. Its table ``accuracy`` has a row per
    method, seed, rule and section of the questions, with Wilson's interval.

    Attributes:
        source: the text.
        training: of SGNS; the methods that count have its dimension and its window.
        subwords: of SGNS with subwords.
        glove_epochs: of GloVe.
        seeds: of every method.
    """

    source: TextSource
    training: words.SampledConfig
    subwords: words.Subwords = field(default_factory=words.Subwords)
    glove_epochs: int = 25
    seeds: int = 3

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ConfigError(f"seeds is {self.seeds}: lines are between two of them, or more")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train, count, ask."""
        del inputs
        text, held_out, vocabulary = self.source.read(context.data_dir)
        sections = words.read_questions(words.question_file(context.data_dir))
        rows: list[dict[str, Any]] = []
        kept: Embeddings = {}
        with context.progress.task("vectors", total=8, unit="method") as task:
            for done, (method, embeddings) in enumerate(self.made(text, vocabulary), start=1):
                if method in (SGNS, SVD):
                    kept[method] = embeddings
                for seed, matrix in enumerate(embeddings["words"]):
                    vectors = words.Vectors(vocabulary.words, np.asarray(matrix, np.float32))
                    rows += answers(vectors, sections, method=method, seed=seed)
                task.update(done)
        return Result(
            tree=kept,
            tables={"accuracy": pa.Table.from_pylist(rows)},
            facts={
                "pieces": len(text) + len(held_out),
                "words": vocabulary.total,
                "held out": sum(map(len, held_out)),
                "vocabulary": len(vocabulary),
                "vocabulary coverage": vocabulary.coverage,
            },
        )

    def made(
        self, text: list[list[str]], vocabulary: words.Vocabulary
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Method after method, with words and contexts stacked over seeds."""
        seeds = range(self.seeds)
        trained = words.train_sampled(text, vocabulary, self.training, seeds)
        yield SGNS, {"words": trained.words, "contexts": trained.contexts}
        yield "SGNS, w + c", {"words": trained.words + trained.contexts}
        config = replace(self.training, subwords=self.subwords)
        yield (
            "SGNS with subwords",
            {"words": words.train_sampled(text, vocabulary, config, seeds).words},
        )
        counts = [self.counts(text, vocabulary, seed) for seed in seeds]
        fit = words.GloveConfig(self.training.dimension, epochs=self.glove_epochs)
        glove = [words.train_glove(each, fit, [seed]) for seed, each in enumerate(counts)]
        yield (
            "GloVe, w + c",
            {"words": np.concatenate([each.words + each.contexts for each in glove])},
        )
        yield SVD, stacked([self.factorised(each) for each in counts])
        positive = stacked([self.factorised(each, positive=True) for each in counts])
        yield "positive PMI-SVD", positive
        yield "positive PMI-SVD, w + c", {"words": positive["words"] + positive["contexts"]}
        mixed = [self.counts(shuffled(text, seed), vocabulary, seed) for seed in seeds]
        yield CONTROL, stacked([self.factorised(each) for each in mixed])

    def counts(self, text: list[list[str]], vocabulary: words.Vocabulary, seed: int) -> Any:
        """The pairs of one thinning, in the window of SGNS."""
        return words.count_pairs(text, vocabulary, self.training.window, seed=seed)

    def factorised(self, counts: Any, *, positive: bool = False) -> dict[str, np.ndarray]:
        """The embedding of smoothed, and on request positive, PMI."""
        found = words.pmi(counts, positive=positive, smoothing=self.training.smoothing)
        return words.factorise(found.matrix, self.training.dimension)


@dataclass(frozen=True)
class TextLines(Stage):
    """The lines between every two seeds of a method, after each group moved the second.

    Its table ``points`` has a row per method, pair, rung and point, its table ``barriers`` one per
    line: the chord barrier with its interval over examples, and loss and accuracy half way and at
    the ends. SGNS has its loss on pairs of the held-out text, PMI-SVD the squared error of entries
    of the matrix of another thinning of the text.

    Attributes:
        vectors: the embeddings.
        points: on each line.
        examples: pairs, or entries, of a loss.
    """

    vectors: TextVectors
    points: int = 11
    examples: int = 100_000

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Method after method, pair after pair."""
        embeddings: Embeddings = inputs["vectors"].tree
        text, held_out, vocabulary = self.vectors.source.read(context.data_dir)
        sections = words.read_questions(words.question_file(context.data_dir))
        questions = words.place_questions(vocabulary.words, sections)
        counts = self.vectors.counts(text, vocabulary, self.vectors.seeds)
        matrix = words.pmi(counts, smoothing=self.vectors.training.smoothing).matrix
        losses: dict[str, tuple[EvalFn, Batch]] = {
            SGNS: (
                words.pair_losses,
                words.pair_examples(
                    held_out, vocabulary, self.vectors.training, most=self.examples
                ),
            ),
            SVD: (words.entry_losses, words.entry_examples(matrix, most=self.examples)),
        }
        pairs = list(itertools.combinations(range(self.vectors.seeds), 2))
        ts = np.linspace(0, 1, self.points)
        points: list[dict[str, Any]] = []
        barriers: list[dict[str, Any]] = []
        lines = list(itertools.product(losses, pairs))
        with context.progress.task("lines", total=len(lines), unit="pair") as task:
            for done, (method, (i, j)) in enumerate(lines, start=1):
                a, b = ({k: v[each] for k, v in embeddings[method].items()} for each in (i, j))
                for name, rung in words.align_embeddings(a, b).items():
                    labels = {"method": method, "pair": f"{i}-{j}", "rung": name}
                    loss, examples = losses[method]
                    found = words.along(
                        paths.line(a, rung.params), ts, examples, questions, losses=loss
                    )
                    points += [labels | row for row in found.rows()]
                    barriers.append(labels | along(found) | {"distance": rung.distance})
                task.update(done)
        return Result(
            tables={
                "points": pa.Table.from_pylist(points),
                "barriers": pa.Table.from_pylist(barriers),
            }
        )


def along(found: words.AlongPath) -> dict[str, float]:
    """The row of a line."""
    height, loss = landscape.barrier(found.profile), found.profile.mean("loss")
    return {
        "barrier": height.value,
        "low": height.low,
        "high": height.high,
        "half_way": float(found.accuracy[len(found.accuracy) // 2]),
        "lowest": float(found.accuracy.min()),
        "ends": float(found.accuracy[[0, -1]].mean()),
        "half_way_loss": float(loss[len(loss) // 2]),
        "end_loss": float(loss[[0, -1]].mean()),
    }


def answers(
    vectors: words.Vectors, sections: list[words.Section], **labels: str | int
) -> Iterator[dict[str, Any]]:
    """A row per rule and section, and one for all questions."""
    for rule, each in RULES.items():
        for score in words.evaluate_analogies(vectors, sections, each):
            low, high = score.accuracy.interval
            yield {
                **labels,
                "rule": rule,
                "section": score.name,
                "asked": score.asked,
                "covered": score.accuracy.of,
                "right": score.accuracy.right,
                "low": low,
                "high": high,
            }


def stacked(embeddings: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Embeddings of several seeds with a leading axis, in float32."""
    return {
        name: np.stack([each[name] for each in embeddings]).astype(np.float32)
        for name in ("words", "contexts")
    }


def shuffled(text: list[list[str]], seed: int) -> list[list[str]]:
    """The same words in a random order, in pieces of the same lengths."""
    flat = np.array([word for piece in text for word in piece], dtype=object)
    mixed = np.random.default_rng(seed).permutation(flat).tolist()
    ends = np.cumsum([len(piece) for piece in text])
    return [mixed[end - len(piece) : end] for piece, end in zip(text, ends, strict=True)]
