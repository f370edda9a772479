"""What the study of transport distances claims."""

from collections.abc import Mapping

from mconn.experiment import Claim, Frame, claims

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


def identity_claims(identity: Frame) -> list[Claim]:
    """Weight matching, assignment and linear program agree; doing nothing does not."""
    found = identity[["matched", "assignment"]].div(identity.program, axis=0)
    return [
        claims.at_most(
            "least-squared-distance",
            "m W_2^2 is the least squared distance over permutations: weight matching, assignment "
            "and the linear program over couplings agree",
            (found - 1).abs().max().max(),
            1e-6,
            of="relative difference",
            source="Birkhoff's theorem",
        ),
        claims.share_of(
            "unmatched-further",
            "without matching the networks are further apart than m W_2^2",
            identity.unmatched,
            identity.program,
            least=1.1,
            source="control",
        ),
    ]


def uniform_claim(distances: Frame) -> Claim:
    """On the line the mean of W_2^2 between uniform samples is known: 1 / (3 (m + 1))."""
    uniform = distances[distances.law == "uniform"]
    return claims.at_most(
        "uniform-law",
        "for the uniform law on the unit interval the mean of W_2^2 is 1 / (3 (m + 1))",
        ((uniform.squared - 1 / (3 * (uniform["size"] + 1))).abs() / uniform.squared_error).max(),
        4,
        of="for every m",
        unit="standard errors",
        source="closed form, from the variances of order statistics",
    )


def trend_claims(ranks: Mapping[tuple[str, str], float], means: Frame) -> list[Claim]:
    """The matched barrier rises with the dimension; the inputs' metric is the better one."""
    better = (means.covariance < means.weights).mean()
    return [
        *(
            claims.at_least(
                f"rises/{NAMES[column]}/{method}",
                f"the test {NAMES[column]}, {method}, rises with the inputs' approximate dimension",
                value,
                0.5,
                of=f"Spearman's correlation over {len(means)} spectra",
                source=f"{PAPER}, as a trend; not measured before",
                strict=True,
            )
            for (method, column), value in ranks.items()
            if column == "value" or method == "covariance"
        ),
        claims.at_least(
            "covariance-matching",
            "matching weighted by the inputs' covariance leaves a lower test barrier than plain "
            "weight matching",
            better,
            0.5,
            of=f"share of {len(means)} spectra",
            source=PAPER,
            strict=True,
        ),
    ]


def barrier_claims(spectra: Frame, ranks: Mapping[tuple[str, str], float]) -> list[Claim]:
    """The trends, given enough spectra, and that a random permutation does not help."""
    test = spectra[spectra.split == "test"]
    means = test.pivot_table("value", "power", "method")
    return [
        *(trend_claims(ranks, means) if len(means) >= FEWEST_SPECTRA else ()),
        claims.share_of(
            "random-does-not-help",
            "a random permutation does not help, on any spectrum",
            means.random,
            means.naive,
            least=0.6,
            of="the naive test barrier",
            source="control",
        ),
    ]
