"""Two networks of one function that no permutation joins by a straight line.

Ainsworth et al., *Git Re-Basin: Merging models modulo permutation symmetries*, ICLR 2023, appendix
A.6: two networks of two hidden layers of two units solve a problem in the plane without error.
There are four permutations of the hidden units in all, so that every one can be tried: the line to
each of them passes through networks that get a quarter of the examples wrong. Permutation symmetry
alone does not explain every barrier.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.lines.counterexample_figures import answer_figure, error_figure
from experiments.lines.counterexample_network import (
    PERMUTATIONS,
    CounterexampleLines,
    activation_name,
)
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage

PAPER = "Ainsworth et al. 2023, appendix A.6"
SAMPLED = {
    "none swapped": 0.248,
    "layer 1 swapped": 0.241,
    "layer 2 swapped": 0.248,
    "both swapped": 0.232,
}
"""Midpoint errors on a random sample, from pilots of this project."""

SAMPLE_SIZE = 1024
"""The points of the paper's sample."""


@dataclass(frozen=True)
class Counterexample(Experiment):
    """Try every permutation of the counterexample.

    Attributes:
        lines: the lines, and where the error is measured.
    """

    lines: CounterexampleLines

    def stages(self) -> dict[str, Stage]:
        """The errors on all lines."""
        return {"lines": self.lines}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The four humps, and what the networks half way answer."""
        result = results["lines"]
        lines = result.tables["lines"]
        errors = curves(lines)
        shown = activation_name(self.lines.slopes[0])
        lowest = min(
            errors[shown, "A to B", permutation].max() for permutation in PERMUTATIONS.values()
        )
        return Report(
            title="A counterexample: no permutation removes the barrier",
            question="Two small networks compute the same classes. Is there a permutation of the "
            "hidden units of one for which the straight line between them keeps the error low?",
            summary=f"none of {result.facts['permutations'][shown]} permutations: the largest "
            f"error on the line is at least {100 * lowest:.1f} %",
            headline=headline(errors),
            note="Share of the square [-1, 1]^2 that is classified wrongly, in %, on a grid of "
            f"{self.lines.cells} x {self.lines.cells - 2} cells. Nothing is random: there are no "
            "seeds and no intervals. The chord barrier is the largest height of the error above "
            "the straight line through the ends' errors.",
            sections=[
                Section(
                    "Along the lines",
                    figures={"errors": error_figure(lines)},
                    tables={"lines": lines},
                    captions={
                        "errors": "Error on the line from network A to network B with the units "
                        "of none, one or both of its hidden layers exchanged. The curves of none "
                        "and of layer 2 coincide.",
                        "lines": "All points of all lines, and of the control from A to its own "
                        "permutations.",
                    },
                ),
                Section(
                    "Half way",
                    text="A rectifies x_2 in its first hidden layer and x_1 in its second, B the "
                    "other way round. Without an exchange in layer 1 the two first layers cancel "
                    "half way, and the network says no everywhere; with one it sees only the sum "
                    "of the inputs, and answers whether that is positive. Either is wrong on a "
                    "quarter of the square.",
                    figures={
                        "answers": answer_figure(result.tree[shown], list(PERMUTATIONS.values()))
                    },
                    captions={
                        "answers": f"Where the network half way says yes ({shown}). Dashed: the "
                        "corner where it should."
                    },
                ),
            ],
            claims=self._claims(errors, result.facts["permutations"]),
        )

    def _claims(
        self, errors: Mapping[tuple[str, str, str], np.ndarray], permutations: Mapping[str, Any]
    ) -> list[Claim]:
        activations = [activation_name(slope) for slope in self.lines.slopes]
        middle = self.lines.points // 2
        count = min(permutations.values())
        claims = [
            Claim(
                "the discovered group has four permutations, and all are tried",
                PAPER,
                4,
                count,
                set(permutations.values()) == {4},
                id="four-permutations",
            )
        ]
        for slope, activation in zip(self.lines.slopes, activations, strict=True):
            ends = max(
                errors[activation, "A to B", permutation][[0, -1]].max()
                for permutation in PERMUTATIONS.values()
            )
            claims.append(
                within(
                    f"end-error/{activation}",
                    f"error of the ends, {activation}",
                    PAPER,
                    0.001,
                    float(ends),
                    0.01,
                )
                if slope
                else Claim(
                    f"error of the ends, {activation}",
                    PAPER,
                    0,
                    float(ends),
                    bool(ends == 0),
                    id=f"end-error/{activation}",
                )
            )
        for permutation in PERMUTATIONS.values():
            halves = [errors[name, "A to B", permutation][middle] for name in activations]
            furthest = max(halves, key=lambda half: abs(half - 0.25))
            claims.append(
                within(
                    f"half-way-error/{permutation}",
                    f"error half way, {permutation}, for every activation",
                    f"{PAPER}; 1/4 in closed form",
                    0.25,
                    furthest,
                    0.01,
                )
            )
        spread = math.sqrt(0.25 * 0.75 / SAMPLE_SIZE)
        inside = sum(abs(sampled - 0.25) <= 1.96 * spread for sampled in SAMPLED.values())
        control = min(
            errors[name, "A to A", permutation].max() - errors[name, "A to A", permutation][0]
            for name in activations
            for permutation in PERMUTATIONS.values()
        )
        return [
            *claims,
            Claim(
                "the errors half way that a random sample gave, "
                + ", ".join(f"{sampled:.3f}" for sampled in SAMPLED.values())
                + f", lie in the 95 % range of {SAMPLE_SIZE} points about 1/4",
                "pilots of this project",
                f"4 of 4 within {1.96 * spread:.3f}",
                f"{inside} of 4",
                inside == 4,
                id="sampled-errors",
            ),
            Claim(
                "the same search finds the flat line from A to a permuted copy of A",
                "control",
                "no rise of the error for the best permutation",
                f"{control:.2g}",
                bool(control <= 0),
                id="copy-is-flat",
            ),
        ]


def within(
    id: str, statement: str, source: str, expected: float, measured: float, tolerance: float
) -> Claim:
    """The claim that a number is that close to the expected one."""
    holds = abs(measured - expected) <= tolerance
    return Claim(
        statement,
        source,
        expected,
        round(float(measured), 4),
        bool(holds),
        f"± {tolerance:g}",
        id=id,
    )


def curves(lines: pa.Table) -> dict[tuple[str, str, str], np.ndarray]:
    """The errors of every activation, pair of ends and permutation, in the order of t."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for row in lines.to_pylist():
        key = row["activation"], row["ends"], row["permutation"]
        found.setdefault(key, []).append(row["error"])
    return {key: np.array(values) for key, values in found.items()}


def headline(errors: Mapping[tuple[str, str, str], np.ndarray]) -> pa.Table:
    """Errors at the ends and half way, and the barrier, of every line from A to B."""
    rows = []
    for (activation, ends, permutation), values in errors.items():
        if ends == "A to B":
            chord = np.linspace(values[0], values[-1], len(values))
            rows.append(
                {
                    "activation": activation,
                    "permutation": permutation,
                    "ends (%)": round(100 * float(values[[0, -1]].mean()), 2),
                    "half way (%)": round(100 * float(values[len(values) // 2]), 2),
                    "chord barrier (%)": round(100 * float((values - chord).max()), 2),
                }
            )
    return pa.Table.from_pylist(rows)
