"""What the study of features along paths expects, and whether it came out."""

from collections.abc import Sequence

import numpy as np

from experiments._shared.together import least, most, together
from mconn.experiment import Claim, Frame, claims

AGAINST = "against the design notes of this project"
ZHOU = "Zhou et al. 2023"
PILOTS = "pilots of this project"
NAIVE, MATCHED, RANDOM = "naive", "activations", "random"
ORDER = [NAIVE, MATCHED]

Expected = tuple[str, int, str, float]
"""Method, layer, measure, and its expected mean half way."""


def at(coupling: Frame, method: str, t: float = 0.5) -> Frame:
    """The measures at a point, a row per layer and pair."""
    rows = coupling[(coupling.method == method) & (coupling.t == t)]
    return rows.set_index(["layer", "pair"]).sort_index()


def expected_claims(coupling: Frame, expected: Sequence[Expected]) -> list[Claim]:
    """The pilots' numbers, of one pair: residuals within half, c and ratios within a quarter."""
    return [
        claims.near(
            f"half-way/{measure.replace('_', ' ')}/layer {layer}/{method}",
            f"{measure.replace('_', ' ')} half way, layer {layer}, {method}",
            at(coupling, method)[measure].loc[layer],
            value,
            source=PILOTS,
            relative=0.25 if measure in ("coefficient", "variance_ratio") else 0.5,
            over="pairs",
        )
        for method, layer, measure, value in expected
    ]


def connectivity_claims(coupling: Frame) -> list[Claim]:
    """Features half way are a blend of the ends' features, not a rotation of them."""
    here, naive = at(coupling, MATCHED), at(coupling, NAIVE)
    shares = [each.coefficient.groupby("layer").mean() for each in (naive, here)]
    return [
        claims.counts(
            "blend",
            "half way between aligned networks the features are closer to the blend of the ends' "
            "features than to any rotation of them, and to that closer than to the features as "
            "they are",
            (here.blend_residual < here.rotation_residual) & (here.rotation_residual < here.drift),
            of="layers of pairs",
            source=ZHOU + ", figure 2; " + PILOTS,
        ),
        claims.share_of(
            "blend-quarter",
            "half way between aligned networks 1 - cos to the blend is below a quarter of 1 - cos "
            "between the ends, in every layer of every pair",
            here.blend_cosine_distance,
            here.end_cosine_distance,
            most=0.25,
            of="that between the ends",
            source=ZHOU + ", figure 2",
        ),
        claims.at_most(
            "variance-lost",
            "half way between aligned networks every layer has lost variance, which no orthogonal "
            "change of basis does",
            here.variance_ratio,
            0.95,
            strict=True,
            of="variance ratio, in every layer of every pair,",
            source=f"{PILOTS}; {AGAINST}",
        ),
        claims.ordered(
            "blend-share-falls",
            "the features half way are a smaller share of the blend where the barrier is high",
            np.stack(shares, axis=1),
            falling=False,
            of="layers",
            source=PILOTS,
        ),
    ]


def coupling_claims(coupling: Frame, barriers: Frame) -> list[Claim]:
    """The rotation between the ends' features tells nothing of the barrier between them."""
    matched, naive = (at(coupling, each, 1).rotation_residual for each in (MATCHED, NAIVE))
    height = barriers[barriers.split == "train"].groupby("method")["value"].mean()
    return [
        claims.at_most(
            "rotations-alike",
            "features of the ends are as well related by a rotation where the barrier is low as "
            "where it is high: the residuals of aligned and naive pairs are the same",
            abs(matched - naive),
            1e-4,
            of="difference",
            source=f"{PILOTS}: .03 and .037 for both",
        ),
        claims.share_of(
            "rotation-is-no-barrier",
            "how well a rotation relates the ends' features does not tell how high the barrier is: "
            "at the same residuals it is at least four times as high between naive pairs",
            height[NAIVE],
            height[MATCHED],
            least=4,
            of=f"the {height[MATCHED]:.3g} nats of aligned pairs",
            source=f"{PILOTS}: .066 and 1.12 nats; {AGAINST}",
        ),
    ]


def condition_claims(conditions: Frame) -> list[Claim]:
    """Both conditions of linear feature connectivity are better fulfilled by aligned pairs."""
    told = "aligned pairs have the lower distance of {}, in every layer"
    rows = conditions.astype({"outputs": bool})
    kept = {
        "additivity": (rows[~rows.outputs], ""),
        "commutativity": (rows[rows.layer > 1], " that does not read the inputs"),
    }
    return [
        claims.ordered(
            f"aligned-closer/{name}",
            told.format(name) + which,
            some.pivot(index=["layer", "outputs", "pair"], columns="method", values=name)[ORDER],
            falling=True,
            of="layers of pairs",
            source=ZHOU + ", section 5",
        )
        for name, (some, which) in kept.items()
    ]


def copy_claims(similarities: Frame, barriers: Frame) -> list[Claim]:
    """A permuted copy: the same function, an angle of nothing or of 90 degrees, and a barrier."""
    height = barriers.set_index("method")["value"]
    return [
        together(
            "copy-cka",
            "a permuted copy has CKA 1 and a principal angle of nothing in sample space",
            least("CKA", similarities.cka, 1 - 1e-5),
            most("angle", similarities.sample_space_angle, 0.05, "degrees"),
            source=PILOTS,
        ),
        claims.at_least(
            "copy-neuron-angles",
            "a permuted copy has principal angles near 90 degrees in neuron space",
            similarities.neuron_space_angle,
            84,
            unit="degrees",
            source=PILOTS,
        ),
        claims.at_least(
            "angle-is-no-barrier",
            "an angle of the features does not tell whether there is a barrier: on the line to a "
            "permuted copy, at an angle of nothing in sample space, the loss rises",
            height["permuted copy"],
            0.2,
            unit="nats",
            source=f"{PILOTS}: .39 to .90; {AGAINST}",
        ),
        claims.at_most(
            "copy-aligned",
            "aligned first, a permuted copy has no barrier",
            height["copy, aligned"],
            1e-3,
            unit="nats",
            source=PILOTS,
        ),
    ]


def linearity_claims(linearity: Frame) -> list[Claim]:
    """Layers behind a nonlinearity are no affine maps of the inputs; the first sum is."""
    first = linearity[(linearity.layer == 1) & (linearity.step == 1)].set_index("moment")["defect"]
    return [
        claims.at_least(
            "not-affine",
            "early layers do not act affinely: not even the first hidden layer does, between two "
            "inputs",
            first["after"],
            0.01,
            of="linearity defect",
            source=AGAINST,
        ),
        claims.at_most(
            "first-layer-affine",
            "the pre-activations of the first layer are affine",
            first["before"],
            1e-9,
            of="linearity defect",
            source="control",
        ),
    ]


def random_control(coupling: Frame) -> Claim:
    """A random permutation relates the features no better than none."""
    naive, random = (
        at(coupling, each).blend_residual.groupby("layer").mean().iloc[-1]
        for each in (NAIVE, RANDOM)
    )
    return claims.share_of(
        "random-does-not-help",
        "a random permutation does not bring the features of the last layer closer to the blend",
        random,
        naive,
        least=0.6,
        of=f"the naive {naive:.3f}",
        source="control",
    )


def average_claim(outputs: Frame) -> Claim:
    """Is the mean of two aligned networks better, or better calibrated, than they are?"""
    line = outputs[outputs.method == MATCHED]
    ends, middle = line[line.t.isin((0, 1))], line[line.t == 0.5]
    error = "calibration_error"
    return together(
        "average",
        "the average of two independently trained networks is less accurate than its ends even "
        "where they are aligned, has the higher Brier score, and is no better calibrated",
        most("accuracy", 100 * middle.accuracy, 100 * ends.accuracy.min(), "%", strict=True),
        least("Brier score", middle.brier, ends.brier.max(), strict=True),
        least("ECE", 100 * middle[error], 100 * ends[error].max(), "%"),
        source="this study; against the design notes of this project",
    )


def output_claims(energies: Frame) -> list[Claim]:
    """Low loss along a curve, and other answers than at its ends."""
    return [
        claims.at_least(
            "connected-differ",
            "networks that a curve of low loss connects need not compute the same function",
            100 * energies[energies.method == "bezier"].disagreement,
            0,
            strict=True,
            unit="% of test examples on which the ends disagree, for every pair",
            source="Garipov et al. 2018",
        ),
        claims.at_least(
            "geodesic",
            "no path moves the outputs less than the geodesic between its ends' outputs",
            energies.motion / energies.geodesic,
            1,
            of="motion over the squared Fisher-Rao distance, on every path,",
            source="control",
        ),
    ]


def fitted_claims(outputs: Frame, energies: Frame) -> list[Claim]:
    """What a curve that is fitted to the end does to the outputs."""
    curve = outputs[outputs.method == "bezier"]
    end, late = curve[curve.t == 1], curve[curve.t >= 0.4]
    worth = (end.gain_accuracy - 2 * end.gain_accuracy_error).mean()
    energy = energies.groupby("method")["energy"].mean()
    return [
        claims.at_least(
            "ensemble-points",
            "on a Bezier curve, points from t = .4 on are worth as much to an ensemble with the "
            "first end as the other end is",
            100 * late.gain_accuracy.mean(),
            100 * worth,
            of="gain of accuracy",
            unit="%, that of the other end less 2 standard errors over examples",
            source="Garipov et al. 2018, figure 2",
        ),
        claims.ordered(
            "order",
            "the outputs move least along the fitted curve and most along the naive line",
            energy[["bezier", MATCHED, NAIVE]],
            falling=False,
            of="steps of the path energy",
            source="Tan et al. 2023",
        ),
    ]
