"""What the study of tangent kernels expects, and whether it came out."""

from collections.abc import Mapping

import numpy as np

from experiments._shared.slopes import exponent, slope_of
from mconn.experiment import Claim, Frame, Result, claims

JACOT = "Jacot et al. 2018"
HUANG = "Huang and Yau 2020"
FORT = "Fort et al. 2020"
OURS = "this project"
LAZY, PLAIN, ADAM = (
    "tangent, gradient descent",
    "standard, gradient descent",
    "standard, Adam",
)


def width_claims(drift: Frame, goal: float) -> list[Claim]:
    """The drift falls with width, how fast, and that Adam at one rate keeps it up."""
    by_treatment = dict(iter(drift.groupby("treatment")))
    lazy, plain, adam = (slope_of(by_treatment[name], "drift") for name in (LAZY, PLAIN, ADAM))
    told = "in the tangent parametrisation the relative drift of the kernel falls as "
    return [
        claims.ordered(
            "drift-falls",
            "in the tangent parametrisation the kernel moves less in training the wider the "
            "network is",
            by_treatment[LAZY].groupby("width")["drift"].mean(),
            falling=True,
            source=JACOT,
        ),
        claims.near(
            "relative-drift/root",
            f"{told}width to the power -1/2",
            lazy.value,
            -0.5,
            absolute=0.2,
            interval=lazy.interval,
            source=f"{JACOT}: an upper bound; this project's design, not measured before",
        ),
        claims.near(
            "relative-drift/inverse",
            f"{told}1/width",
            lazy.value,
            -1,
            absolute=0.2,
            interval=lazy.interval,
            source=f"{HUANG}, the first correction of the hierarchy",
        ),
        claims.at_most(
            "drift-standard",
            "with gradient descent at the largest stable rate of each width the drift falls with "
            "width in the standard parametrisation too",
            plain.value,
            -0.5,
            strict=True,
            of="slope",
            source="Lee et al. 2019",
        ),
        claims.at_least(
            "drift-adam",
            "with Adam at one rate for all widths the drift falls more slowly with width than in "
            "the tangent parametrisation",
            (adam.low, adam.high),
            lazy.high,
            strict=True,
            of="slope of every seed",
            source="Chizat et al. 2019: laziness is a matter of scale, not of width",
        ),
        claims.at_most(
            "same-training-loss",
            "every network was trained to the same loss",
            drift["loss"].max(),
            goal,
            source="control",
        ),
    ]


def spread_claims(spread: Frame) -> list[Claim]:
    """Before training: the variance over seeds, and the distance of the mean from the limit."""
    found = [
        claims.near(
            f"variance/{depth}",
            "the variance of the kernel over seeds before training falls as 1/width, hidden "
            f"layers: {depth}",
            exponent(rows["width"], rows["variance"]),
            -1,
            absolute=0.15,
            source="Hanin and Nica 2020; central limit theorem",
        )
        for depth, rows in spread.groupby("depth")
    ]
    first = spread[spread.depth == 1]
    judged = claims.at_most(
        "infinite-width",
        "the mean over seeds of the kernel of one hidden layer is that of infinite width, "
        "whatever the width",
        first["shift"] / first["noise"],
        5.6,
        of="squared distance less its expected noise, over that noise,",
        unit="(the 99 % point for noise in one direction)",
        source="control: units are independent",
    )
    return [*found, judged] if len(first) else found


def forecast_claims(forecast: Frame) -> list[Claim]:
    """The first order of the hierarchy foretells one step of smooth networks, not of ReLU."""
    share = forecast["share"].min()
    short = 100 * forecast[forecast.share == share].set_index("activation")["error"]
    return [
        claims.at_most(
            f"first-order/{share:g}",
            f"after a step of {share:g} of the stable length the kernel of a network with GELU has "
            "moved as the first order of the tangent hierarchy says",
            short["gelu"],
            15,
            of="error",
            unit="% of the move, at every width",
            source=HUANG,
        ),
        claims.at_least(
            "first-order-misses-relu",
            "for ReLU it has not: derivatives miss the units that switch, however short the step",
            short["relu"],
            25,
            of="error",
            unit="% of the move, at every width",
            source=OURS,
        ),
    ]


def epoch_claims(epochs: Frame, facts: Mapping[str, float]) -> list[Claim]:
    """The kernel turns fast at first, then slower and slower, and towards the labels."""
    wide = epochs.pivot(index="epoch", columns="seed")
    speed, aligned = wide["speed"], wide["target_alignment"]
    fifth = speed.loc[: speed.index[-1] / 5].iloc[-1]
    return [
        claims.at_most(
            "kernel-freezes",
            "the kernel turns fast in the first epoch and then freezes: after a fifth of the "
            "training, while the learning rate is still above nine tenths, its speed is below a "
            "tenth of that in the first epoch",
            fifth / speed.iloc[1],
            0.1,
            of="speed over that in the first epoch, for every seed,",
            source=f"{FORT}, figure 5",
        ),
        claims.at_least(
            "further-than-seeds",
            "training turns the kernel further than another seed would",
            wide["turn"].iloc[-1],
            facts["seeds before"],
            strict=True,
            of="1 - cosine of centred kernels, for every seed,",
            unit="(two seeds before training)",
            source=OURS,
        ),
        claims.at_most(
            "more-alike-after",
            "kernels of two seeds are more alike after training than before",
            facts["seeds after"],
            facts["seeds before"],
            strict=True,
            of="1 - cosine of centred kernels",
            source=OURS,
        ),
        claims.ordered(
            "towards-labels",
            "training turns the kernel towards the labels",
            aligned.iloc[[0, -1]].T,
            falling=False,
            of="seeds, by centred alignment",
            source=f"{FORT}; Baratin et al. 2021",
        ),
    ]


def line_claims(lines: Frame, results: Mapping[str, Result]) -> list[Claim]:
    """Along lines between seeds: controls at the ends, and what alignment does half way."""
    at = lines.pivot(index=["method", "pair"], columns="t")
    cosine, linear = at["cosine"][1.0], at["linear_error"][1.0]

    def falls(id: str, told: str, values: Frame) -> Claim:
        both = np.stack([values["naive"], values["activations"]], axis=1)
        return claims.ordered(id, told, both, falling=True, source=OURS)

    half = "half way along the line the "
    return [
        claims.at_most(
            "copy-has-same-kernel",
            "a permuted copy of a network has the same kernel",
            [result.facts["permuted"] for result in results.values()],
            1e-5,
            of="relative drift, in float32,",
            source="control",
        ),
        claims.at_most(
            "cosine-unchanged",
            "alignment changes nothing of the kernels' cosine between the ends",
            abs(cosine["naive"] - cosine["activations"]),
            1e-4,
            of="difference",
            source="control",
        ),
        falls(
            "less-drift-aligned",
            f"{half}kernel has drifted less where the networks are aligned",
            at["drift"][0.5],
        ),
        falls(
            "less-centred-turn",
            f"{half}centred kernel has turned less where the networks are aligned",
            at["turn"][0.5],
        ),
        claims.at_least(
            "tangent-picture-fails",
            "the tangent picture does not hold between two trained networks, aligned or not: the "
            "linearisation at one misses the outputs of the other",
            linear,
            0.5,
            of="error over the change of the outputs, for every pair,",
            source=OURS,
        ),
    ]
