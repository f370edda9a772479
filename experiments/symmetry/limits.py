"""Which changes of the parameters leave the function as it is, and which only seem to?

Formulas of symmetries lose a part when they are written down in short: the bias, the activation
for which they hold, the positions of an attention head. A permutation is no end of an arc of
symmetries, but one spare unit makes it the end of a chain of zero loss (Simsek et al., ICML 2021,
arXiv:2105.12221). And what is interpolated in generalised linear mode connectivity (Theus et al.,
NeurIPS 2025, arXiv:2506.22712) are products of matrices, whose mean no head of that size computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from experiments.symmetry.limits_stages import FormulaChecks, HalfwayRanks, PositionGroups, SpareArc
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

KEPT, CHANGED = 1e-10, 1e-3
"""Relative changes up to the first leave a function as it is, from the second on they change it."""

FLAT, BARRIER = 1e-9, 1e-3
"""Relative losses up to the first count as zero, from the second on as a barrier."""

GLMC = "Theus et al. 2025"
LOOK = {
    "labels": {"t": "Position on the way, $t$", "loss": "Loss / that of the output zero"},
    "names": {"spare": "through a spare unit", "line": "straight line"},
    "log": "y",
    "floor": 1e-34,
    "level": FLAT,
    "width": 1.4 * COLUMN,
}


@dataclass(frozen=True)
class SymmetryLimits(Experiment):
    """Formulas, the arc through a spare unit, heads half way, and rotary positions.

    Attributes:
        formulas: complete and with a part left out.
        arc: of a permutation, through a spare unit.
        ranks: of products half way.
        positions: groups with and without rotary positions.
    """

    formulas: FormulaChecks
    arc: SpareArc
    ranks: HalfwayRanks
    positions: PositionGroups

    def stages(self) -> dict[str, Stage]:
        """The four measurements."""
        return {
            "formulas": self.formulas,
            "arc": self.arc,
            "ranks": self.ranks,
            "positions": self.positions,
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """What is kept, what is changed, and what lies on the way."""
        checks = results["formulas"].tables["checks"]
        arcs, ranks, groups = (
            results[stage].tables[name]
            for stage, name in (("arc", "arcs"), ("ranks", "ranks"), ("positions", "groups"))
        )
        rows = checks.to_pylist()
        right = sum(as_expected(row) for row in rows)
        tops = {
            name: float(numbers(where(arcs, curve=name), "loss").max())
            for name in ("spare", "line")
        }
        return Report(
            title="Limits of symmetry",
            question="Which changes of the parameters leave a network's function as it is, and "
            "which only seem to?",
            summary=f"{right} of {len(rows)} changes do what they should; through a spare unit a "
            f"permutation costs a loss of {tops['spare']:.1e}, on the line {tops['line']:.2g}",
            headline=pa.Table.from_pylist(
                [
                    {
                        "change": row["change"],
                        "should": "keep" if row["kept"] else "change",
                        "relative change": f"{row['relative']:.1e}",
                    }
                    for row in rows
                ]
            ),
            note="The largest change of an output over the largest output, in float64, for one "
            "random network each.",
            sections=[
                Section(
                    "The way to a permuted copy",
                    figures={
                        "arc": plot.panels(arcs.to_pandas(), "t", "loss", by="curve", look=LOOK)
                    },
                    tables={"arcs": arcs},
                    captions={
                        "arc": "Loss of a ReLU network with one spare unit on the way to a "
                        "randomly permuted copy, over that of the output zero. Exactly zero is "
                        "drawn at 1e-34."
                    },
                ),
                Section(
                    "Attention heads",
                    tables={"ranks": ranks, "groups": groups},
                    captions={
                        "ranks": "Rank of the bilinear form of queries and keys: of each end, of "
                        "the mean factors, and of the mean of the forms, with the share of its "
                        "square norm that no form of a head's rank holds.",
                        "groups": "Dimension of the discovered symmetry of one head's queries and "
                        "keys, and of its values and what reads them, with and without rotary "
                        "positions.",
                    },
                ),
            ],
            claims=[
                *(formula_claim(row) for row in rows),
                semi_permutation_claim(results["formulas"].facts["departure_from_orthogonal"]),
                *arc_claims(tops),
                *rank_claims(ranks),
                position_claim(groups),
            ],
        )


def as_expected(row: Mapping[str, Any]) -> bool:
    """Whether a change does what it should."""
    return row["relative"] <= KEPT if row["kept"] else row["relative"] >= CHANGED


def formula_claim(row: Mapping[str, Any]) -> Claim:
    """One change of the parameters."""
    what = "stays" if row["kept"] else "changes"
    id, told = f"function-{what}/{row['change']}", f"the function {what} if {row['change']}"
    judge, limit, source = (
        (claims.at_most, KEPT, "closed form")
        if row["kept"]
        else (claims.at_least, CHANGED, "control")
    )
    return judge(id, told, row["relative"], limit, source=source, of="relative change")


def semi_permutation_claim(departure: float) -> Claim:
    """Semi-permutations are no subset of the orthogonal matrices."""
    return claims.at_least(
        "semi-permutation",
        "a semi-permutation, which leaves a ReLU network's function, need not be orthogonal",
        departure,
        0.1,
        of="the largest entry of M^T M - 1 is",
        source=f"closed form; against {GLMC}, as printed",
    )


def arc_claims(tops: Mapping[str, float]) -> list[Claim]:
    """Through a spare unit the loss stays zero, and on the line it does not."""
    spare = "through a spare unit a permutation is a continuous path of zero loss (ReLU)"
    line, of = "the straight line to the same permuted copy is blocked (ReLU)", "relative loss"
    simsek = "Simsek et al. 2021"
    return [
        claims.at_most("spare-unit-path", spare, tops["spare"], FLAT, of=of, source=simsek),
        claims.at_least("line-is-blocked", line, tops["line"], BARRIER, of=of, source="control"),
    ]


def rank_claims(ranks: pa.Table) -> list[Claim]:
    """The mean of two products has twice the rank that a head can have."""
    rows = ranks.to_pandas()
    told = "half way between two heads the mean of their query-key products has twice the rank of "
    told += "a head, so that no head of that size computes it"
    doubled, factors = rows["mean of products"] == 2 * rows["size"], rows["mean of factors"]
    kept = (factors == rows["end"]) & (rows["end"] == rows["size"])
    mean, source = "the mean of the factors has the rank of a head", f"{GLMC}, limitations"
    return [
        claims.counts("mean-of-products", told, doubled, source=source, of="sizes"),
        claims.counts("mean-of-factors", mean, kept, source="control", of="sizes"),
    ]


def position_claim(groups: pa.Table) -> Claim:
    """Rotary positions leave d of the d^2 dimensions of queries and keys."""
    rows = groups.to_pylist()
    # In both networks the product of the values with the outputs has no symmetry of its own.
    right = [(row["none"], row["rotary"]) == (row["size"] ** 2, row["size"]) for row in rows]
    told = "rotary positions break the symmetry of queries and keys: of the d^2 dimensions of a "
    told += "head of d entries they leave d, a rotation and a scaling of each plane"
    return claims.counts("rotary", told, right, source=f"{GLMC}; closed form", of="sizes")
