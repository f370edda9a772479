"""Neurons as samples: how fast transport distances fall, and what the dimension does to barriers.

Ferbach et al., *Proving linear mode connectivity of neural networks via optimal transport*, AISTATS
2024, see the neurons of two trained networks as two samples of one law. Where the samples lie
close, one permutation brings all neurons close. For two samples of m atoms in d dimensions that
takes a number of neurons that is exponential in d: W_2 falls as m^(-1/d), for d of three and more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.stats

from experiments.transport.barriers import METHODS, SpectrumBarriers
from experiments.transport.claims import (
    PILOT_SIZES,
    barrier_claims,
    identity_claims,
    slope_claims,
    uniform_claim,
)
from experiments.transport.distances import LayerIdentity, SampleDistances
from experiments.transport.figures import distance_figure, select, spectrum_figure
from mconn.experiment import Experiment, Report, Result, Section, Stage

MATCHED = ("weights", "covariance", "activations")


@dataclass(frozen=True)
class Wasserstein(Experiment):
    """Distances of samples, the identity of one hidden layer, and barriers by dimension.

    Attributes:
        distances: of samples of a known law.
        identity: m W_2^2 as a distance between networks.
        barriers: of networks trained on inputs of several covariances.
    """

    distances: SampleDistances
    identity: LayerIdentity
    barriers: SpectrumBarriers

    def stages(self) -> dict[str, Stage]:
        """The three measurements."""
        return {
            "distances": self.distances,
            "identity": self.identity,
            "barriers": self.barriers,
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """The slopes, the identity, the barriers, and whether they are the expected ones."""
        distances = results["distances"].tables["distances"]
        identity = results["identity"].tables["identity"]
        spectra = results["barriers"].tables["spectra"]
        dimensions = dict(
            zip(self.barriers.powers, results["barriers"].facts["dimensions"], strict=True)
        )
        slopes = {d: slope(distances, d) for d in self.distances.dimensions}
        ranks = {
            (method, column): rank_correlation(spectra, dimensions, method, column)
            for method in MATCHED
            for column in ("value", "gap")
        }
        pairs = len(spectra) // (2 * len(METHODS) * len(dimensions))
        return Report(
            title="Transport distances between samples of neurons",
            question="How fast do two samples of neurons come close as they grow, and are the "
            "barriers of matched networks higher where the inputs have more dimensions?",
            summary="slopes of log W_2 against log m "
            + ", ".join(f"{value:.2f} (d = {d})" for d, (value, _) in slopes.items())
            + "; rank correlation of matched barrier and approximate dimension "
            + ", ".join(f"{ranks[method, 'value']:.2f} ({method})" for method in MATCHED),
            headline=pa.Table.from_pylist(
                [
                    {
                        "dimension": d,
                        "slope": round(value, 3),
                        "standard error": round(error, 3),
                        "-1/d": round(-1 / max(d, 2), 3),
                    }
                    for d, (value, error) in slopes.items()
                ]
            ),
            note="Slope of the line through log of the mean of W_2 against log m, for two samples "
            f"of m = {self.distances.sizes[0]} to {self.distances.sizes[-1]} atoms of the standard "
            "normal law, with its standard error over draws. The limit is -1/d from three "
            "dimensions on, and -1/2 up to logarithms in one and two.",
            sections=[
                Section(
                    "Samples",
                    figures={"distances": distance_figure(distances, slopes_only(slopes))},
                    tables={"distances": distances},
                    captions={
                        "distances": "Mean of W_2 between two samples of the normal law, by exact "
                        "assignment; whiskers are 95 % intervals over draws.",
                    },
                ),
                Section(
                    "One hidden layer",
                    text="With a neuron's incoming weights, bias and outgoing weights as its "
                    "vector, m W_2^2 is the squared distance between two networks after the best "
                    "permutation. For deeper networks, whose layers share permutations, it is no "
                    "single transport problem.",
                    tables={"identity": identity},
                    captions={
                        "identity": "Squared distance of two random networks after weight "
                        "matching and before, m W_2^2 by assignment, and by a linear program over "
                        "all couplings.",
                    },
                ),
                Section(
                    "Barriers",
                    text="This is a measurement of this project and repeats no figure of the "
                    "paper. Where the variances differ, most weights act on inputs that hardly "
                    "vary: plain weight matching counts them like the others, matching by "
                    "weights times S^(1/2) (covariance) does not, and only there the dimension "
                    "of the inputs can be expected to show. The spectrum also changes how well "
                    "the networks fit, as the right panel shows. The paper's theorem has a bounded "
                    "activation and one pass over the data; these networks have ReLU and many.",
                    figures={"by_dimension": spectrum_figure(spectra, dimensions)},
                    tables={"ranks": rank_table(ranks), "spectra": spectra},
                    captions={
                        "by_dimension": "Chord barrier of the squared error, in units of the "
                        "targets' variance, of networks with one hidden layer of "
                        f"{self.barriers.width} units trained on {self.barriers.features} normal "
                        "inputs, against tr(S)^2 / tr(S^2) of the inputs' covariance S; mean over "
                        f"{pairs} pairs of networks, with bands from the lowest to the highest.",
                        "ranks": "Spearman's correlation with the approximate dimension, over the "
                        "means of each spectrum on test: of the barrier, and of the linearity gap "
                        "(the largest mean square of the network's output minus the mix of the "
                        "ends' outputs), which is what the theorem bounds.",
                        "spectra": "Every line: its barrier with the paired standard error and "
                        "95 % interval over examples, its gap, and the loss of its ends.",
                    },
                ),
            ],
            claims=[
                *(slope_claims(slopes) if self.distances.sizes == PILOT_SIZES else ()),
                *identity_claims(results["identity"].frame("identity")),
                uniform_claim(results["distances"].frame("distances")),
                *barrier_claims(results["barriers"].frame("spectra"), ranks),
            ],
        )


def slope(distances: pa.Table, dimension: int) -> tuple[float, float]:
    """The slope of log W_2 against log m for the normal law, and its standard error over draws."""
    rows = [
        row
        for row in distances.to_pylist()
        if (row["law"], row["dimension"]) == ("normal", dimension)
    ]
    size = np.log([row["size"] for row in rows])
    mean = np.array([row["distance"] for row in rows])
    error = np.array([row["standard_error"] for row in rows]) / mean
    weights = (size - size.mean()) / ((size - size.mean()) ** 2).sum()
    return float(weights @ np.log(mean)), float(np.sqrt((weights**2) @ error**2))


def slopes_only(slopes: Mapping[int, tuple[float, float]]) -> dict[int, float]:
    """The slopes without their errors."""
    return {dimension: value for dimension, (value, _) in slopes.items()}


def rank_correlation(
    spectra: pa.Table, dimensions: Mapping[float, float], method: str, column: str
) -> float:
    """Spearman's correlation of the mean of a test column with the approximate dimension."""
    powers = list(dimensions)
    values = select(spectra.to_pylist(), powers, column, method=method, split="test")
    means = [each.mean() for each in values]
    found = scipy.stats.spearmanr([dimensions[p] for p in powers], means)
    return float(np.asarray(found)[0])


def rank_table(ranks: Mapping[tuple[str, str], float]) -> pa.Table:
    """The rank correlations, one row per method."""
    return pa.Table.from_pylist(
        [
            {
                "method": method,
                "barrier": round(ranks[method, "value"], 2),
                "gap": round(ranks[method, "gap"], 2),
            }
            for method in MATCHED
        ]
    )
