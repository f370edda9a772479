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

import numpy as np
import pandas as pd

from experiments.lines.counterexample_figures import answer_figure, error_figure
from experiments.lines.counterexample_network import (
    PERMUTATIONS,
    CounterexampleLines,
    activation_name,
)
from mconn.experiment import Claim, Experiment, Frame, Report, Result, Section, Stage, claims

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
        lines = result.frame("lines")
        curves = lines.set_index(["activation", "ends", "permutation", "t"]).error
        errors = curves.unstack(sort=False)
        shown = activation_name(self.lines.slopes[0])
        lowest = errors.xs((shown, "A to B"), level=[0, 1]).max(axis=1).min()
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

    def _claims(self, errors: Frame, permutations: Mapping[str, int]) -> list[Claim]:
        to_b, to_a = (errors.xs(ends, level="ends") for ends in ("A to B", "A to A"))
        ends = to_b.iloc[:, [0, -1]].max(axis=1).groupby("activation").max()
        half = (to_b.iloc[:, self.lines.points // 2] - 0.25).groupby("permutation")
        furthest = half.agg(lambda each: each.loc[each.abs().idxmax()]) + 0.25
        spread = 1.96 * math.sqrt(0.25 * 0.75 / SAMPLE_SIZE)
        sampled = np.array(list(SAMPLED.values()))
        rise = (to_a.max(axis=1) - to_a.iloc[:, 0]).min()
        return [
            claims.equal(
                "four-permutations",
                "the discovered group has four permutations, and all are tried",
                tuple(permutations.values()),
                (4,) * len(permutations),
                source=PAPER,
            ),
            *(
                claims.near(
                    f"end-error/{activation_name(slope)}",
                    f"error of the ends, {activation_name(slope)}",
                    ends[activation_name(slope)],
                    0.001 if slope else 0,
                    absolute=0.01 if slope else 0,
                    source=PAPER,
                )
                for slope in self.lines.slopes
            ),
            *(
                claims.near(
                    f"half-way-error/{permutation}",
                    f"error half way, {permutation}, for every activation",
                    furthest[permutation],
                    0.25,
                    absolute=0.01,
                    source=f"{PAPER}; 1/4 in closed form",
                )
                for permutation in PERMUTATIONS.values()
            ),
            claims.counts(
                "sampled-errors",
                "the errors half way that a random sample gave, "
                + ", ".join(f"{each:.3f}" for each in sampled)
                + f", lie in the 95 % range of {SAMPLE_SIZE} points about 1/4",
                abs(sampled - 0.25) <= spread,
                of=f"within {spread:.3f}",
                source="pilots of this project",
            ),
            claims.at_most(
                "copy-is-flat",
                "the same search finds the flat line from A to a permuted copy of A",
                rise,
                0,
                of="rise of the error for the best permutation",
                source="control",
            ),
        ]


def headline(errors: Frame) -> Frame:
    """Errors at the ends and half way, and the barrier, of every line from A to B."""
    found = errors.xs("A to B", level="ends")
    first, last = found.iloc[:, 0], found.iloc[:, -1]
    ts = np.linspace(0, 1, found.shape[1])
    chord = np.outer(first, 1 - ts) + np.outer(last, ts)
    told = {
        "ends (%)": (first + last) / 2,
        "half way (%)": found.iloc[:, found.shape[1] // 2],
        "chord barrier (%)": (found - chord).max(axis=1),
    }
    return (100 * pd.DataFrame(told)).round(2).reset_index()
