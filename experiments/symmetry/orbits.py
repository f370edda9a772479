"""What lies between two networks of one orbit: the straight line, and the curve exp(t log g) w.

Two networks that a symmetry carries into each other compute the same function, yet the loss between
them on the straight line grows without bound with the symmetry's size (Zhao et al., *Understanding
mode connectivity via parameter space symmetry*, ICML 2025, arXiv:2505.23681, proposition 5.3).
Along the one-parameter subgroup the loss stays zero, if the symmetry lies in the component of the
identity of a continuous group. A permutation does not: the arc exp(t log P) of matrices leaves the
symmetry group of a ReLU network, for ReLU does not commute with rotations.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from experiments.symmetry.orbits_figures import FLOOR, blow_up_figure, orbit_figure
from experiments.symmetry.orbits_stages import OrbitCurves, RescalingBlowUp, blow_up
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage

PAPER = "Zhao et al. 2025"
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
"""The relative error of the midpoint's loss that is accepted."""

FLAT, BARRIER = 1e-9, 1e-3
"""Relative losses up to the first count as zero, from the second on as a barrier."""


@dataclass(frozen=True)
class SymmetryOrbits(Experiment):
    """The rescaling blow-up, and the flat curves inside an orbit.

    Attributes:
        rescaling: the middle of the line, for scalings of all sizes.
        curves: the loss along curves and lines.
    """

    rescaling: RescalingBlowUp
    curves: OrbitCurves

    def stages(self) -> dict[str, Stage]:
        """The two measurements."""
        return {"rescaling": self.rescaling, "curves": self.curves}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The blow-up, the curves, and whether they are as expected."""
        blown = results["rescaling"].tables["blow_up"]
        curves = results["curves"].tables["curves"]
        tops = largest_losses(curves)
        shown = [
            {"network": network, "curve": kind, "largest_loss": loss}
            for (network, kind), loss in tops.items()
        ]
        top = max(self.rescaling.factors)
        no_arc = not results["curves"].facts["transposition_has_logarithm"]
        return Report(
            title="Between two networks of one orbit",
            question="Two networks are carried into each other by a symmetry. What is the loss on "
            "the straight line between them, and on the curve of the symmetry's powers?",
            summary=f"half way to a scaling by {top:g} the loss is "
            f"{blow_up(top, self.rescaling.degrees[0]):.3g} times that of the output zero; on the "
            f"orbit of a scaling it is at most {tops['ReLU, scaling', 'orbit']:.1e}",
            headline=pa.Table.from_pylist(shown),
            note="Losses are ||Y - f(X)||^2 / ||Y||^2 with the network's own outputs as Y, in "
            f"float64: zero at both ends, one for the output zero. Largest of {self.curves.points} "
            "equispaced points, for one random network each.",
            sections=[
                Section(
                    "The straight line",
                    figures={"blow_up": blow_up_figure(blown)},
                    tables={"blow_up": blown},
                    captions={
                        "blow_up": "Loss in the middle of the line from a network to the same one "
                        "with all hidden units scaled by m, for activations max(0, z)^k: the "
                        "formula of proposition 5.3 (lines), and measured (marks)."
                    },
                ),
                Section(
                    "The orbit",
                    figures={"orbit": orbit_figure(curves)},
                    tables={"curves": curves},
                    captions={
                        "orbit": "Loss on the curve exp(t log g) w and on the straight line to the "
                        "same end. A cycle of hidden units has a logarithm among the matrices, "
                        "which are symmetries of the linear network and not of the ReLU network. "
                        f"Dotted: {FLAT:.0e}, up to which a loss counts as zero. A loss of exactly "
                        f"zero is drawn at {FLOOR:.0e}."
                    },
                ),
            ],
            claims=[
                *blow_up_claims(blown),
                *curve_claims(curves),
                Claim(
                    "no arc of matrices leads to the exchange of two units, whose determinant is "
                    "negative",
                    f"{PAPER}, proposition 5.2",
                    "no real logarithm",
                    "no real logarithm" if no_arc else "a real logarithm",
                    no_arc,
                    id="no-arc",
                ),
            ],
        )


def largest_losses(curves: pa.Table) -> dict[tuple[str, str], float]:
    """The largest loss of every network and curve."""
    largest: dict[tuple[str, str], float] = {}
    for row in curves.to_pylist():
        name = row["network"], row["curve"]
        largest[name] = max(largest.get(name, 0.0), row["loss"])
    return largest


def blow_up_claims(blown: pa.Table) -> list[Claim]:
    """The midpoint's loss is that of the formula, in both precisions."""
    claims = []
    for precision, tolerance in TOLERANCE.items():
        errors = [
            abs(row["loss"] - row["expected"]) / row["expected"]
            for row in blown.to_pylist()
            if row["precision"] == precision and row["expected"] > 0
        ]
        claims.append(
            Claim(
                "the loss half way to a scaling by m is (1 - 2^-(k+1) (1 + m^-k) (1 + m)^k)^2 "
                f"||Y||^2, in {precision}",
                f"{PAPER}, proposition 5.3",
                f"relative error at most {tolerance:.0e}",
                f"{max(errors):.1e}",
                max(errors) <= tolerance,
                id=f"blow-up/{precision}",
            )
        )
    return claims


def curve_claims(curves: pa.Table) -> list[Claim]:
    """Orbits of continuous symmetries are flat, lines are not, nor is the arc of a permutation."""
    tops = largest_losses(curves)
    claims = []
    for (network, kind), loss in tops.items():
        is_flat = kind == "orbit" and network != "ReLU, cycle"
        what = "curve exp(t log g) w" if kind == "orbit" else "straight line between its ends"
        claims.append(
            Claim(
                f"the {what} {'is flat' if is_flat else 'is not flat'} ({network})",
                PAPER if is_flat else "control",
                f"loss at most {FLAT:.0e}" if is_flat else f"largest loss at least {BARRIER:.0e}",
                f"{loss:.1e}",
                loss <= FLAT if is_flat else loss >= BARRIER,
                id=f"{'flat' if is_flat else 'blocked'}/{kind}/{network}",
            )
        )
    end = max(
        row["loss"]
        for row in curves.to_pylist()
        if row["network"] == "ReLU, cycle" and row["t"] == 1.0
    )
    return [
        *claims,
        Claim(
            "at its end, where it is a permutation, the arc is back at loss zero (ReLU, cycle)",
            "control",
            f"loss at most {FLAT:.0e}",
            f"{end:.1e}",
            end <= FLAT,
            id="arc-end",
        ),
    ]
