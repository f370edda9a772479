"""From which dimension on are analogies exact, and what destroys them?

Words that are made of D binary attributes have a pointwise mutual information of rank D + 1
(Korchinski et al., arXiv:2505.18651), and skip-gram with negative sampling factorises it, less
log k (Levy and Goldberg, NIPS 2014), where the dimension is at least that rank and every pair
occurs. Here the exact probabilities are known, so that every one of these conditions can be broken
alone: by fewer dimensions, by clipping at zero, by a corpus that is finite.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from experiments.words.dimension_figures import dimension_figure
from experiments.words.dimension_stages import ExactAccuracy, SampledAccuracy, SgnsOptimum
from mconn import words
from mconn.experiment import (
    COLUMN,
    Claim,
    Experiment,
    Report,
    Result,
    Section,
    Stage,
    claims,
    numbers,
    plot,
    where,
)

PILOT = "pilots of this project"
KORCHINSKI = "Korchinski et al. 2025"
ADD, MULTIPLY = "3CosAdd", "3CosMul"

SAMPLED = {
    "labels": {"pairs": "Pairs of words in the corpus", "accuracy": "Accuracy of 3CosAdd"},
    "log": "x",
    "width": COLUMN,
}
OPTIMUM = {
    "labels": {"dimension": "Dimension", "largest": "Largest distance (nats)"},
    "log": "y",
    "width": COLUMN,
}
REACHED = 0.03
"""The largest distance of a product w . c from the optimum that counts as none (nats)."""


@dataclass(frozen=True)
class WordDimension(Experiment):
    """Accuracy against the dimension, the corpus, and what is factorised.

    Attributes:
        strengths: of the attributes, one each.
        dimensions: of factorised vectors.
        corpora: pairs of sampled corpora.
        trained_dimensions: of vectors that SGNS trains.
        steps: of these trainings.
        seeds: corpora of each size, and trainings of each dimension.
        expected: accuracy of 3CosAdd by dimension.
        expected_sampled: (lowest, highest) mean accuracy by number of pairs.
    """

    strengths: tuple[float, ...]
    dimensions: tuple[int, ...]
    corpora: tuple[int, ...]
    trained_dimensions: tuple[int, ...]
    steps: int = 6000
    seeds: int = 3
    expected: tuple[tuple[int, float], ...] = ()
    expected_sampled: tuple[tuple[int, float, float], ...] = ()

    def stages(self) -> dict[str, Stage]:
        """Exact probabilities, samples, and training."""
        model = words.AttributeModel(self.strengths)
        return {
            "exact": ExactAccuracy(model, self.dimensions),
            "sampled": SampledAccuracy(model, self.corpora, self.seeds),
            "sgns": SgnsOptimum(model, self.trained_dimensions, self.seeds, self.steps),
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """The step at D + 1, and what takes it away."""
        exact, sampled, optimum = (
            results[stage].tables[name]
            for stage, name in (("exact", "accuracy"), ("sampled", "sampled"), ("sgns", "optimum"))
        )
        attributes = len(self.strengths)
        step = accuracy(exact, "PMI", ADD, attributes + 1)
        return Report(
            title=f"Analogies and dimension: {attributes} binary attributes",
            question="From which dimension on are analogies exact, and what destroys them?",
            summary=f"3CosAdd answers {100 * step:.0f} % at dimension {attributes + 1}, "
            f"{100 * accuracy(exact, 'PMI', ADD, attributes):.0f} % at {attributes}, and "
            f"{100 * accuracy(exact, 'positive PMI', ADD, attributes + 1):.0f} % of positive PMI",
            headline=headline(exact, self.dimensions),
            note=f"Expected share of right answers of 3CosAdd and 3CosMul over all "
            f"analogies of {2**attributes} words, without the question's own words among the "
            "candidates, ties broken by lot; exact probabilities, float64.",
            sections=[
                Section(
                    "Dimension",
                    figures={"dimension": dimension_figure(exact, attributes + 1)},
                    tables={"accuracy": exact},
                    captions={
                        "dimension": "Accuracy and mean parallelogram defect of vectors of the "
                        "exact probabilities. Dotted: the rank of the PMI matrix."
                    },
                ),
                Section(
                    "Finite corpora",
                    figures={
                        "sampled": plot.panels(
                            sampled.to_pandas(), "pairs", "accuracy", look=SAMPLED
                        )
                    },
                    tables={"sampled": sampled},
                    captions={
                        "sampled": f"3CosAdd at dimension {attributes + 1} of corpora of "
                        "independent pairs, mean and range. Pairs that never occur count as 0."
                    },
                ),
                Section(
                    "Trained vectors",
                    figures={
                        "optimum": plot.panels(
                            optimum.to_pandas(), "dimension", "largest", look=OPTIMUM
                        )
                    },
                    tables={"optimum": optimum},
                    captions={
                        "optimum": "The largest |w . c - (PMI - log 5)| after training SGNS on its "
                        "exact objective with 5 negatives, mean and range over seeds."
                    },
                ),
            ],
            claims=[
                *(self.dimension_claim(exact, *each) for each in self.expected),
                *destruction_claims(exact, attributes + 1),
                *(sample_claim(sampled, *each) for each in self.expected_sampled),
                *optimum_claims(optimum, attributes + 1),
            ],
        )

    def dimension_claim(self, exact: pa.Table, dimension: int, expected: float) -> Claim:
        """A known accuracy."""
        found = accuracy(exact, "PMI", ADD, dimension)
        return claims.near(
            f"accuracy/{dimension}",
            f"accuracy of 3CosAdd at dimension {dimension}, of the exact PMI",
            found,
            expected,
            absolute=0.05,
            source=f"{PILOT}; {KORCHINSKI}, in shape",
        )


def accuracy(exact: pa.Table, treatment: str, rule: str, dimension: int) -> float:
    """One number of the table."""
    rows = where(exact, treatment=treatment, rule=rule, dimension=dimension)
    return float(numbers(rows, "accuracy")[0])


def headline(exact: pa.Table, dimensions: tuple[int, ...]) -> pa.Table:
    """Accuracies by what is factorised, a column per dimension."""
    treatments = list(dict.fromkeys(exact["treatment"].to_pylist()))
    return pa.Table.from_pylist(
        [
            {"factorised": treatment, "rule": rule}
            | {f"d = {d}": round(accuracy(exact, treatment, rule, d), 3) for d in dimensions}
            for treatment in treatments
            for rule in (ADD, MULTIPLY)
        ]
    )


def destruction_claims(exact: pa.Table, rank: int) -> list[Claim]:
    """The parallelograms at the rank, and what clipping does to them."""
    kept = where(exact, treatment="PMI", rule=ADD, dimension=rank)
    shifted = accuracy(exact, "PMI - log 5", ADD, rank)
    clipped = accuracy(exact, "positive PMI", ADD, rank)
    defect = float(numbers(kept, "defect")[0])
    told = "at the rank of the PMI matrix, one more than there are attributes, analogies are exact "
    constant = "the shift by log k takes nothing away: the constant is one of the directions"
    clipping = "clipping the PMI at zero destroys the analogies"
    known = f"{KORCHINSKI}; closed form"
    return [
        claims.at_most(
            "exact-at-rank", f"{told}parallelograms", defect, 1e-9, of="mean defect", source=known
        ),
        claims.near("shift", constant, shifted, 1, absolute=0.001, source="closed form"),
        claims.near("clipping", clipping, clipped, 0.2, absolute=0.1, source=PILOT),
    ]


def sample_claim(sampled: pa.Table, pairs: int, low: float, high: float) -> Claim:
    """The accuracy of a finite corpus."""
    found = numbers(where(sampled, pairs=pairs), "accuracy")
    return Claim(
        f"accuracy of 3CosAdd from a corpus of {pairs:,} pairs",
        PILOT,
        f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}",
        round(float(found.mean()), 3),
        bool(low - 0.1 <= found.mean() <= high + 0.1),
        "± 0.1",
        f"[{found.min():.3f}, {found.max():.3f}] over corpora",
        id=f"corpus/{pairs}",
    )


def optimum_claims(optimum: pa.Table, rank: int) -> list[Claim]:
    """SGNS reaches its optimum from the rank on, and not before."""
    rows = optimum.to_pylist()
    enough = np.array([row["largest"] for row in rows if row["dimension"] >= rank])
    fewer = {
        dimension: np.array([r["largest"] for r in rows if r["dimension"] == dimension])
        for dimension in sorted({row["dimension"] for row in rows if row["dimension"] < rank})
    }
    means = [values.mean() for values in fewer.values()]
    judged = [
        Claim(
            "SGNS factorises PMI - log k where the dimension is at least its rank: the largest "
            "difference of any product from it",
            "Levy and Goldberg 2014; pilots of this project",
            f"at most {REACHED} nats, for every seed",
            f"{enough.max():.3g}",
            bool(enough.max() <= REACHED),
            id="factorises",
        )
    ]
    if fewer:
        judged.append(
            Claim(
                "with fewer dimensions SGNS does not factorise it, and misses it the more, the "
                "fewer they are",
                "Levy and Goldberg 2014",
                "the mean over seeds of the largest difference falls, and is above "
                f"{REACHED} nats below the rank",
                ", ".join(
                    f"{mean:.2f} at {dimension}"
                    for dimension, mean in zip(fewer, means, strict=True)
                )
                + f", {enough.max():.3f} from {rank} on",
                bool((np.diff([*means, enough.max()]) < 0).all() and means[-1] > REACHED),
                id="misses-below-rank",
            )
        )
    return judged
