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

from experiments.symmetry.orbits_figures import blow_up_figure
from experiments.symmetry.orbits_stages import OrbitCurves, RescalingBlowUp, blow_up
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage, claims, plot

PAPER = "Zhao et al. 2025"
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
"""The relative error of the midpoint's loss that is accepted."""

FLAT, BARRIER = 1e-9, 1e-3
FLOOR = 1e-34
LOOK = {
    "labels": {"t": "Position on the curve, $t$", "loss": "Loss / $||Y||^2$"},
    "names": {"orbit": r"Orbit, $\exp(t \log g)\, w$", "line": "Straight line"},
    "log": "y",
    "floor": FLOOR,
    "level": FLAT,
    "legend": 3,
}
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
                    figures={
                        "orbit": plot.panels(
                            curves.to_pandas(),
                            "t",
                            "loss",
                            by="network",
                            columns="curve",
                            look=LOOK,
                        )
                    },
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
    return dict(curves.to_pandas().groupby(["network", "curve"], sort=False).loss.max())


def blow_up_claims(blown: pa.Table) -> list[Claim]:
    """The midpoint's loss is that of the formula, in both precisions."""
    rows = blown.to_pandas().query("expected > 0")
    errors = (abs(rows.loss - rows.expected) / rows.expected).groupby(rows.precision)
    told = "the loss half way to a scaling by m is (1 - 2^-(k+1) (1 + m^-k) (1 + m)^k)^2 ||Y||^2"
    source, of = f"{PAPER}, proposition 5.3", "relative error"
    return [
        claims.at_most(
            f"blow-up/{each}",
            f"{told}, in {each}",
            errors.get_group(each),
            limit,
            source=source,
            of=of,
        )
        for each, limit in TOLERANCE.items()
    ]


def curve_claims(curves: pa.Table) -> list[Claim]:
    """Orbits of continuous symmetries are flat, lines are not, nor is the arc of a permutation."""
    found = []
    for (network, kind), loss in largest_losses(curves).items():
        what = "curve exp(t log g) w" if kind == "orbit" else "straight line between its ends"
        if kind == "orbit" and network != "ReLU, cycle":
            id, told = f"flat/{kind}/{network}", f"the {what} is flat ({network})"
            found.append(claims.at_most(id, told, loss, FLAT, source=PAPER, of="loss"))
        else:
            id, told = f"blocked/{kind}/{network}", f"the {what} is not flat ({network})"
            found.append(claims.at_least(id, told, loss, BARRIER, source="control", of="loss"))
    end = curves.to_pandas().query("network == 'ReLU, cycle' and t == 1").loss
    told = "at its end, where it is a permutation, the arc is back at loss zero (ReLU, cycle)"
    return [*found, claims.at_most("arc-end", told, end, FLAT, source="control", of="loss")]
