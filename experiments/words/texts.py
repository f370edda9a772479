"""What of the algebra of words is left on real, small texts, and on the lines between seeds?

Google's analogy questions (Mikolov et al. 2013) were made for corpora of a thousand million words.
WikiText-2's validation and test set with Tiny Shakespeare have half a million, so that only the
questions of frequent words are covered, and few answers are right. Which methods are better, and
what alignment by ever larger groups does to the loss and to the answers half way, can be measured
all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.words.texts_figures import accuracy_figure, text_ladder_figure
from experiments.words.texts_stages import CONTROL, PARTS, RULES, SGNS, SVD, TextLines
from mconn import words
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage, numbers, where

ADD, KEPT = "3CosAdd", "3CosAdd, question's words kept"
GRAMMAR = "gram"
"""How the names of the sections on grammar begin."""

LEVY = "Levy and Goldberg 2014"
AGAINST = "against the design notes of this project"
STUDY = "this study"


@dataclass(frozen=True)
class WordText(Experiment):
    """Train and count, ask, align by every group, walk, measure.

    Attributes:
        lines: the lines, with their embeddings.
    """

    lines: TextLines

    def stages(self) -> dict[str, Stage]:
        """The vectors and the lines."""
        return {"vectors": self.lines.vectors, "lines": self.lines}

    def report(self, results: Mapping[str, Result]) -> Report:
        """Answers by method and rule; barriers and answers by rung."""
        accuracy = results["vectors"].tables["accuracy"]
        points, barriers = (results["lines"].tables[name] for name in ("points", "barriers"))
        facts = results["vectors"].facts
        total = where(accuracy, section="total", rule=ADD)
        asked, covered = (int(numbers(total, name)[0]) for name in ("asked", "covered"))
        seeds = self.lines.vectors.seeds
        return Report(
            title="Words of real texts",
            question="What of the algebra of words is left on real, small texts, and on the lines "
            "between seeds?",
            summary=f"{covered} of {asked} questions covered; 3CosAdd answers "
            f"{percent(shares(accuracy, SVD))} of them with PMI-SVD, "
            f"{percent(shares(accuracy, SGNS))} with SGNS, "
            f"{percent(shares(accuracy, CONTROL))} with the shuffled text",
            headline=method_table(accuracy),
            note=f"{facts['words']} words of {', '.join(self.lines.vectors.source.names)} to train "
            f"on and {facts['held out']} held out, {facts['vocabulary']} in the vocabulary "
            f"({100 * facts['vocabulary coverage']:.1f} % of the text). Accuracy in % of the "
            f"{covered} covered questions of Google's {asked} ({100 * covered / asked:.1f} %), "
            "question's words left out unless said otherwise: mean over "
            f"{seeds} seeds [lowest, highest]; the interval is Wilson's 95 % one over the "
            "questions of the first seed, which share words, so that it is too narrow.",
            sections=[
                Section(
                    "Answers",
                    figures={"accuracy": accuracy_figure(accuracy)},
                    tables={"sections": section_table(accuracy)},
                    captions={
                        "accuracy": "Questions that 3CosAdd answers, a point per seed with "
                        "Wilson's 95 % interval."
                    },
                ),
                Section(
                    "Lines between seeds",
                    figures={"ladder": text_ladder_figure(points)},
                    tables={"rungs": rung_table(barriers), "barriers": barriers},
                    captions={
                        "ladder": "SGNS: loss on pairs of the held-out text. PMI-SVD: squared "
                        "error of entries of the PMI of another thinning of the text. Means over "
                        "pairs of seeds, with the lowest and the highest."
                    },
                ),
            ],
            claims=[*answer_claims(accuracy), *line_claims(barriers)],
        )


def shares(accuracy: pa.Table, method: str, rule: str = ADD) -> np.ndarray:
    """The share of right answers to all covered questions, of every seed."""
    rows = where(accuracy, method=method, rule=rule, section="total")
    return numbers(rows, "right") / numbers(rows, "covered")


def by_kind(accuracy: pa.Table, method: str) -> tuple[np.ndarray, np.ndarray]:
    """The share of right answers of every seed: to questions on grammar, and to the others."""
    rows = where(accuracy, method=method, rule=ADD).filter(pc.field("section") != "total")
    seeds, right, covered = (numbers(rows, name) for name in ("seed", "right", "covered"))
    grammar = np.array([name.startswith(GRAMMAR) for name in rows["section"].to_pylist()])
    found = []
    for kind in (grammar, ~grammar):
        sums = [np.bincount(seeds[kind], each[kind]) for each in (right, covered)]
        found.append(sums[0] / np.maximum(sums[1], 1))
    return found[0], found[1]


def percent(values: np.ndarray) -> str:
    """The mean."""
    return f"{100 * values.mean():.1f} %"


def ranged(values: np.ndarray, form: str = ".3g") -> str:
    """A mean with the lowest and the highest."""
    return f"{values.mean():{form}} [{values.min():{form}}, {values.max():{form}}]"


def names(table: pa.Table, column: str) -> list[str]:
    """The different entries of a column, in their order."""
    return list(dict.fromkeys(table[column].to_pylist()))


def method_table(accuracy: pa.Table) -> pa.Table:
    """A row per method, a column per rule."""
    rows = []
    for method in names(accuracy, "method"):
        first = where(accuracy, method=method, rule=ADD, section="total", seed=0)
        low, high = (100 * numbers(first, name)[0] for name in ("low", "high"))
        found = {rule: ranged(100 * shares(accuracy, method, rule), ".1f") for rule in RULES}
        rows.append({"method": method} | found | {"interval, 3CosAdd": f"[{low:.1f}, {high:.1f}]"})
    return pa.Table.from_pylist(rows)


def section_table(accuracy: pa.Table) -> pa.Table:
    """A row per section: its coverage, and the accuracy of 3CosAdd of every method."""
    rows = []
    for section in names(accuracy, "section"):
        here = where(accuracy, section=section, rule=ADD)
        covered, asked = (int(numbers(here, name)[0]) for name in ("covered", "asked"))
        row: dict[str, str] = {"section": section, "covered": f"{covered} of {asked}"}
        for method in names(accuracy, "method"):
            right = numbers(where(here, method=method), "right")
            row[method] = ranged(100 * right / covered, ".1f") if covered else "-"
        rows.append(row)
    return pa.Table.from_pylist(rows)


def rung_table(barriers: pa.Table) -> pa.Table:
    """A row per method and rung."""
    rows = []
    for method in names(barriers, "method"):
        for rung in words.RUNGS:
            here = where(barriers, method=method, rung=rung)
            rows.append(
                {
                    "method": method,
                    "rung": rung,
                    "barrier": ranged(numbers(here, "barrier")),
                    "loss half way": ranged(numbers(here, "half_way_loss")),
                    "loss of the ends": ranged(numbers(here, "end_loss")),
                    "accuracy half way (%)": ranged(100 * numbers(here, "half_way"), ".1f"),
                    "accuracy of the ends (%)": ranged(100 * numbers(here, "ends"), ".1f"),
                    "distance": f"{numbers(here, 'distance').mean():.3g}",
                }
            )
    return pa.Table.from_pylist(rows)


def answer_claims(accuracy: pa.Table) -> list[Claim]:
    """What the methods and the rules do to the answers."""
    counted, trained, control = (shares(accuracy, method) for method in (SVD, SGNS, CONTROL))
    chances = where(accuracy, method=CONTROL, rule=ADD, section="total")
    kept = shares(accuracy, SVD, KEPT)
    grammar, meaning = (
        [by_kind(accuracy, method)[kind].mean() for method in (PARTS, SGNS)] for kind in (0, 1)
    )
    return [
        Claim(
            "subwords raise the accuracy on questions of grammar, and not on the others",
            "Bojanowski et al. 2017",
            "with subwords above whole words on grammar, not above them on the others, on the mean "
            "over seeds",
            f"{100 * grammar[0]:.1f} % against {100 * grammar[1]:.1f} %; {100 * meaning[0]:.1f} % "
            f"against {100 * meaning[1]:.1f} %",
            bool(grammar[0] > grammar[1] and meaning[0] <= meaning[1]),
            id="subwords",
        ),
        Claim(
            "SGNS is better on analogies than the singular value decomposition of PMI",
            LEVY,
            "SGNS above PMI-SVD, on the mean over seeds",
            f"{percent(trained)} against {percent(counted)}",
            bool(trained.mean() > counted.mean()),
            "",
            f"{ranged(100 * trained, '.1f')}, {ranged(100 * counted, '.1f')} over seeds",
            id="sgns-better",
        ),
        Claim(
            "the answers come from which words stand together: words in a random order, with the "
            "same frequencies, answer nothing",
            "control",
            "every seed's interval of PMI-SVD above all of those of the shuffled text",
            f"{percent(counted)} against {percent(control)}",
            bool(
                numbers(where(accuracy, method=SVD, rule=ADD, section="total"), "low").min()
                > numbers(chances, "high").max()
            ),
            id="order-of-words",
        ),
        Claim(
            "leaving out the question's own words makes the accuracy higher",
            "Linzen 2016; Rogers et al. 2017",
            "without them above with them, for every seed of PMI-SVD",
            f"{percent(counted)} against {percent(kept)}",
            bool((counted > kept).all()),
            id="question-words",
        ),
    ]


def line_claims(barriers: pa.Table) -> list[Claim]:
    """What every group does to the barrier, and the barrier to the answers."""
    claims = []
    for method in (SGNS, SVD):
        here = {rung: where(barriers, method=method, rung=rung) for rung in words.RUNGS}
        means = {rung: float(numbers(rows, "barrier").mean()) for rung, rows in here.items()}
        orthogonal, naive = here["orthogonal"], here["naive"]
        half, ends = numbers(naive, "half_way"), numbers(naive, "ends")
        claims += [
            Claim(
                f"larger groups leave less of the barrier, {method}",
                STUDY,
                "each rung at most the one before, on the mean over pairs",
                ", ".join(f"{rung} {value:.2g}" for rung, value in means.items()),
                bool((np.diff(list(means.values())) <= 0).all() and means["naive"] > 0),
                id=f"larger-groups/{method}",
            ),
            Claim(
                f"after an orthogonal map there is no barrier, {method}",
                STUDY,
                "the interval over examples contains 0, for every pair",
                f"{numbers(orthogonal, 'barrier').max():.2g}",
                bool(numbers(orthogonal, "low").max() <= 0),
                id=f"orthogonal-no-barrier/{method}",
            ),
            Claim(
                f"half way after an orthogonal map the loss is below that of the ends, {method}",
                STUDY,
                "below their mean, for every pair",
                ", ".join(
                    f"{numbers(orthogonal, name).mean():.3g}"
                    for name in ("half_way_loss", "end_loss")
                ),
                bool(
                    (numbers(orthogonal, "half_way_loss") < numbers(orthogonal, "end_loss")).all()
                ),
                id=f"orthogonal-below-ends/{method}",
            ),
            Claim(
                f"half way after an orthogonal map as many questions are answered as at the ends, "
                f"{method}",
                "the design notes of this project",
                "at least as many, on the mean over pairs",
                " against ".join(
                    percent(numbers(orthogonal, name)) for name in ("half_way", "ends")
                ),
                bool(numbers(orthogonal, "half_way").mean() >= numbers(orthogonal, "ends").mean()),
                id=f"orthogonal-answers/{method}",
            ),
            Claim(
                f"analogies do not collapse half way on the line without alignment, {method}",
                AGAINST,
                "at least half of the accuracy of the ends, where there is a barrier, on the mean",
                f"{100 * half.mean():.1f} % against {100 * ends.mean():.1f} % at "
                f"{means['naive']:.2g}",
                bool(half.mean() >= ends.mean() / 2 and means["naive"] > 0),
                "",
                f"{ranged(100 * half, '.1f')} over pairs",
                id=f"no-collapse/{method}",
            ),
        ]
    return claims
