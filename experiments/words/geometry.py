"""What do the statistics of a corpus say about the geometry of its vectors?

In a space that factorises PMI, squared distances of words should be a linear function of - csPMI,
with csPMI(x, y) = PMI(x, y) + log P(x, y), and an analogy is exact if and only if three conditions
on the corpus hold (Ethayarajh et al., ACL 2019). How far an analogy is off is the sum of three
errors that need no vectors at all (Allen and Hospedales, ICML 2019). Words of binary attributes,
with equal or unequal frequencies, show where each of them is true.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.words.geometry_figures import distance_figure, error_figure
from mconn import words
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Context,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    numbers,
    where,
)

ETHAYARAJH, ALLEN = "Ethayarajh et al. 2019", "Allen and Hospedales 2019"
PILOT = "pilots of this project"
ERRORS = ("paraphrase", "conditional", "mutual")
ROUNDING = 1e-7
"""A defect up to this is that of vectors in double precision: the root of its rounding."""

SHOWN = 400
"""Pairs of words that are drawn for every spread."""


@dataclass(frozen=True)
class Distances(Stage):
    """Squared distances against csPMI.

    Its table ``correlations`` has a row per spread of frequencies and seed, with the conditions of
    Ethayarajh for the first attribute; its table ``pairs`` some pairs of words of the first seed.

    Attributes:
        strengths: of the attributes.
        spreads: standard deviations of the logarithms of the words' frequencies.
        seeds: vocabularies of each.
    """

    strengths: tuple[float, ...]
    spreads: tuple[float, ...]
    seeds: int

    def __post_init__(self) -> None:
        if self.seeds < 1 or not self.spreads:
            raise ConfigError(
                f"spreads are {self.spreads}, with {self.seeds} seeds: name one or more of both"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Vocabulary after vocabulary."""
        del inputs, context
        found = [
            self.measured(spread, seed) for spread in self.spreads for seed in range(self.seeds)
        ]
        pairs = [pair for _, pairs in found for pair in pairs]
        return Result(tables={"correlations": [row for row, _ in found], "pairs": pairs})

    def measured(self, spread: float, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The row of one vocabulary, and pairs of the first ones."""
        model = words.AttributeModel(self.strengths, spread, seed)
        matrix = words.pmi(model.joint).matrix
        # Unequal frequencies bring one dimension more.
        vectors = words.factorise(matrix, model.rank + 1)["words"]
        first, second = np.triu_indices(len(vectors), 1)
        squared = np.square(vectors[first] - vectors[second]).sum(axis=1)
        known = -words.cspmi(model.joint)[first, second]
        met = words.conditions(model.joint, matrix, model.pairs(0))
        questions = np.concatenate(list(model.questions().values()))
        row = {
            "spread": spread,
            "seed": seed,
            "correlation": float(np.corrcoef(squared, known)[0, 1]),
            "within": met.within,
            "across": met.across,
            "plane": met.plane,
            "defect": float(np.nanmean(words.parallelogram_defect(vectors, questions))),
        }
        some = np.random.default_rng(0).permutation(len(known))[: SHOWN if seed == 0 else 0]
        pairs = [
            {"spread": spread, "distance": float(squared[i]), "information": float(known[i])}
            for i in some
        ]
        return row, pairs


@dataclass(frozen=True)
class AnalogyErrors(Stage):
    """Allen and Hospedales' errors of analogies of equally frequent words.

    Its table ``errors`` has a row per question: the largest absolute value, over contexts, of each
    error, of their sum, and of what the sum leaves of the residual of the analogy.

    Attributes:
        strengths: of the attributes, below 1/3 so that the joint probability of three words is one.
        questions: how many, drawn among right and wrong ones.
    """

    strengths: tuple[float, ...]
    questions: int

    def __post_init__(self) -> None:
        if not all(0 <= strength < 1 / 3 for strength in self.strengths):
            raise ConfigError(
                f"strengths are {self.strengths}: three words have probabilities for strengths "
                "from 0 to below 1/3"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Question after question, the first half of them right."""
        del inputs, context
        return Result(tables={"errors": list(self.rows())})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Right analogies, and random words in the place of their answer."""
        model = words.AttributeModel(self.strengths)
        generator = np.random.default_rng(0)
        everything = np.concatenate(list(model.questions().values()))
        chosen = everything[generator.permutation(len(everything))[: self.questions]]
        for number, question in enumerate(chosen):
            right = number % 2 == 0
            others = np.setdiff1d(np.arange(len(model.words)), question)
            asked = question.copy()
            if not right:
                asked[3] = generator.choice(others)
            a, b, c, d = asked
            found = words.analogy_errors(
                model.joint, np.stack([model.triple[b, c], model.triple[a, d]]), asked
            )
            total = found.paraphrase + found.conditional - found.mutual
            yield {
                "right": right,
                "paraphrase": float(np.abs(found.paraphrase).max()),
                "conditional": float(np.abs(found.conditional).max()),
                "mutual": abs(found.mutual),
                "sum": float(np.abs(total).max()),
                "left": float(np.abs(found.residual - total).max()),
            }


@dataclass(frozen=True)
class WordGeometry(Experiment):
    """Distances and analogies against the statistics of the corpus.

    Attributes:
        distances: against csPMI.
        errors: of analogies.
        expected: (spread, correlation, tolerance below it) of distances.
    """

    distances: Distances
    errors: AnalogyErrors
    expected: tuple[tuple[float, float, float], ...] = ()

    def stages(self) -> dict[str, Stage]:
        """Both measurements."""
        return {"distances": self.distances, "errors": self.errors}

    def report(self, results: Mapping[str, Result]) -> Report:
        """Correlations by spread, conditions, errors."""
        correlations, pairs = (
            results["distances"].tables[name] for name in ("correlations", "pairs")
        )
        errors = results["errors"].tables["errors"]
        means = {
            spread: numbers(where(correlations, spread=spread), "correlation").mean()
            for spread in self.distances.spreads
        }
        return Report(
            title="Distances of words, and the statistics of their corpus",
            question="Are squared distances a linear function of -csPMI, and does the corpus alone "
            "tell how exact an analogy is?",
            summary="correlation of squared distance and -csPMI: "
            + ", ".join(f"{mean:.3f} at a spread of {spread:g}" for spread, mean in means.items()),
            headline=headline(correlations),
            note=f"{2 ** len(self.distances.strengths)} words of binary attributes, exact "
            "probabilities, vectors of the exact PMI; spread: standard deviation of the logarithm "
            f"of a word's frequency; means over {self.distances.seeds} vocabularies. Conditions of "
            "the first attribute: the largest differences of csPMI within its pairs and across "
            "two of them (nats), and the largest departure of four rows from a plane.",
            sections=[
                Section(
                    "Distances",
                    figures={"distances": distance_figure(pairs, means)},
                    tables={"correlations": correlations},
                    captions={
                        "distances": f"{SHOWN} pairs of words of the first vocabulary, with the "
                        "mean correlation of all."
                    },
                ),
                Section(
                    "Errors of an analogy",
                    figures={"errors": error_figure(errors)},
                    tables={"errors": errors},
                    captions={
                        "errors": "The largest absolute value over contexts of the three errors of "
                        "Allen and Hospedales, of right analogies and of ones with a random "
                        "answer. Zero is drawn at 1e-16."
                    },
                ),
            ],
            claims=[
                *(correlation_claim(correlations, *each) for each in self.expected),
                condition_claim(correlations),
                *error_claims(errors),
            ],
        )


def headline(correlations: pa.Table) -> Frame:
    """Means over vocabularies, a row per spread."""
    means = correlations.to_pandas().drop(columns="seed").groupby("spread", sort=False).mean()
    return means.map("{:.3g}".format).reset_index()


def correlation_claim(
    correlations: pa.Table, spread: float, expected: float, tolerance: float
) -> Claim:
    """How linear the relation is; without a tolerance, at least as expected."""
    found = numbers(where(correlations, spread=spread), "correlation")
    id, source = f"linear/{spread:g}", f"{ETHAYARAJH}; {PILOT}"
    told = "squared distance is a linear function of -csPMI: correlation at a spread of "
    told += f"frequencies of {spread:g}"
    if not tolerance:
        return claims.at_least(id, told, found, expected, source=source)
    given: Any = {"absolute": tolerance, "over": "vocabularies"}
    return claims.near(id, told, found, expected, source=source, **given)


def condition_claim(correlations: pa.Table) -> Claim:
    """The conditions, and the parallelograms, break together."""
    even = where(correlations, spread=0.0)
    uneven = correlations.filter(np.asarray(numbers(correlations, "spread") > 0.5))
    names = ("within", "across", "defect")
    kept = {name: numbers(even, name).max() for name in names}
    broken = {name: numbers(uneven, name).min() for name in names}
    return Claim(
        "where words are equally frequent the conditions hold and analogies are parallelograms; "
        "unequal frequencies break the conditions",
        ETHAYARAJH,
        f"differences of csPMI and defect at most {ROUNDING:g}; differences above 0.1",
        f"{max(kept.values()):.1e}; within {broken['within']:.2f}, across {broken['across']:.2f}, "
        f"defect {broken['defect']:.2g}",
        bool(max(kept.values()) <= ROUNDING and min(broken["within"], broken["across"]) > 0.1),
        id="conditions",
    )


def error_claims(errors: pa.Table) -> list[Claim]:
    """The identity, and what a right analogy looks like."""
    found = errors.to_pandas()
    right, wrong = found[found.right], found[~found.right]
    return [
        claims.at_most(
            "errors-add-up",
            "the three errors add up to what an analogy misses, for every context of every "
            "question",
            found.left,
            1e-12,
            unit="nats",
            source=f"{ALLEN}; identity",
        ),
        claims.at_most(
            "errors-vanish",
            "of a right analogy among words of independent attributes every one of them vanishes, "
            "for every context",
            right[list(ERRORS)],
            1e-12,
            unit="nats",
            source=f"{ALLEN}; closed form",
        ),
        claims.at_least(
            "random-answer",
            "of an analogy with a random answer they do not vanish",
            wrong["sum"],
            0.1,
            of="sum",
            unit="nats",
            source="control",
            strict=True,
        ),
    ]
