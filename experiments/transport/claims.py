"""What the study of transport distances claims."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from experiments.transport.barriers import METHODS
from experiments.transport.figures import select
from mconn.experiment import Claim, claims

PAPER = "Ferbach et al. 2024"
PILOTS = {1: -0.52, 2: -0.37, 5: -0.19, 10: -0.11, 20: -0.06}
"""Slopes of log W_2 against log m over `PILOT_SIZES`, from pilots of this project."""

PILOT_SIZES = (64, 128, 256, 512, 1024)

NAMES = {"value": "barrier", "gap": "linearity gap"}
FEWEST_SPECTRA = 8


def slope_claims(slopes: Mapping[int, tuple[float, float]]) -> list[Claim]:
    """The slopes are those of the pilots within .05."""
    return [
        claims.near(
            f"slope/{dimension}",
            f"slope of log W_2 against log m, d = {dimension}",
            value,
            PILOTS[dimension],
            absolute=0.05,
            source="pilots of this project, few draws",
        )
        for dimension, (value, _) in slopes.items()
        if dimension in PILOTS
    ]


def identity_claims(identity: pa.Table) -> list[Claim]:
    """Weight matching, assignment and linear program agree; doing nothing does not."""
    rows = identity.to_pylist()
    error = max(
        abs(row[name] - row["program"]) / row["program"]
        for row in rows
        for name in ("matched", "assignment")
    )
    excess = min(row["unmatched"] / row["program"] for row in rows)
    return [
        Claim(
            "m W_2^2 is the least squared distance over permutations: weight matching, assignment "
            "and the linear program over couplings agree",
            "Birkhoff's theorem",
            "relative difference at most 1e-6",
            f"{error:.1e}",
            error <= 1e-6,
            id="least-squared-distance",
        ),
        Claim(
            "without matching the networks are further apart than m W_2^2",
            "control",
            "at least 10 % further",
            f"{100 * (excess - 1):.0f} %",
            excess >= 1.1,
            id="unmatched-further",
        ),
    ]


def uniform_claim(distances: pa.Table) -> Claim:
    """On the line the mean of W_2^2 between uniform samples is known: 1 / (3 (m + 1))."""
    rows = [row for row in distances.to_pylist() if row["law"] == "uniform"]
    furthest = max(
        abs(row["squared"] - 1 / (3 * (row["size"] + 1))) / row["squared_error"] for row in rows
    )
    return Claim(
        "for the uniform law on the unit interval the mean of W_2^2 is 1 / (3 (m + 1))",
        "closed form, from the variances of order statistics",
        "within 4 standard errors for every m",
        f"{furthest:.1f} standard errors",
        furthest <= 4,
        id="uniform-law",
    )


def trend_claims(
    ranks: Mapping[tuple[str, str], float], means: Mapping[str, np.ndarray]
) -> list[Claim]:
    """The matched barrier rises with the dimension; the inputs' metric is the better one."""
    spectra = len(means["weights"])
    better = int((means["covariance"] < means["weights"]).sum())
    return [
        *(
            Claim(
                f"the test {NAMES[column]}, {method}, rises with the inputs' approximate dimension",
                f"{PAPER}, as a trend; not measured before",
                f"Spearman's correlation above 0.5 over {spectra} spectra",
                round(value, 2),
                value > 0.5,
                id=f"rises/{NAMES[column]}/{method}",
            )
            for (method, column), value in ranks.items()
            if column == "value" or method == "covariance"
        ),
        Claim(
            "matching weighted by the inputs' covariance leaves a lower test barrier than plain "
            "weight matching",
            PAPER,
            "on most spectra",
            f"{better} of {spectra}",
            better > spectra / 2,
            id="covariance-matching",
        ),
    ]


def barrier_claims(
    spectra: pa.Table, dimensions: Mapping[float, float], ranks: Mapping[tuple[str, str], float]
) -> list[Claim]:
    """The trends, given enough spectra, and that a random permutation does not help."""
    rows, powers = spectra.to_pylist(), list(dimensions)
    means = {
        method: np.array(
            [e.mean() for e in select(rows, powers, "value", method=method, split="test")]
        )
        for method in METHODS
    }
    claims = trend_claims(ranks, means) if len(powers) >= FEWEST_SPECTRA else []
    share = float((means["random"] / means["naive"]).min())
    return [
        *claims,
        Claim(
            "a random permutation does not help, on any spectrum",
            "control",
            "test barrier at least 60 % of the naive one",
            f"{100 * share:.0f} %",
            share >= 0.6,
            id="random-does-not-help",
        ),
    ]
