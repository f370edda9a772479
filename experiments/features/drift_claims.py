"""What the study of features along paths expects, and whether it came out."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from mconn.experiment import Claim, claims as predicates, numbers, where

AGAINST = "against the design notes of this project"
ZHOU = "Zhou et al. 2023"
PILOTS = "pilots of this project"
NAIVE, MATCHED, RANDOM = "naive", "activations", "random"

Expected = tuple[str, int, str, float]
"""Method, layer, measure, and its expected mean half way."""


def half_way(coupling: pa.Table, method: str, measure: str) -> np.ndarray:
    """A measure at t = 1/2, shape (layers, pairs)."""
    return at(coupling, method, measure, 0.5)


def at(coupling: pa.Table, method: str, measure: str, t: float) -> np.ndarray:
    """A measure at a point, shape (layers, pairs)."""
    chosen = where(coupling, method=method).sort_by([("layer", "ascending"), ("pair", "ascending")])
    ts, layers = numbers(chosen, "t"), numbers(chosen, "layer")
    values = numbers(chosen, measure)[ts == t]
    return values.reshape(len(np.unique(layers)), -1)


def expected_claims(coupling: pa.Table, expected: Sequence[Expected]) -> list[Claim]:
    """The pilots' numbers, of one pair: residuals within half, c and ratios within a quarter."""
    claims = []
    for method, layer, measure, value in expected:
        found = half_way(coupling, method, measure)[layer - 1]
        claims.append(
            predicates.near(
                f"half-way/{measure.replace('_', ' ')}/layer {layer}/{method}",
                f"{measure.replace('_', ' ')} half way, layer {layer}, {method}",
                found,
                value,
                source=PILOTS,
                relative=0.25 if measure in ("coefficient", "variance_ratio") else 0.5,
                over="pairs",
            )
        )
    return claims


def connectivity_claims(coupling: pa.Table) -> list[Claim]:
    """Features half way are a blend of the ends' features, not a rotation of them."""
    blend, rotation, drift = (
        half_way(coupling, MATCHED, name)
        for name in ("blend_residual", "rotation_residual", "drift")
    )
    in_order = (blend < rotation) & (rotation < drift)
    ratios = half_way(coupling, MATCHED, "variance_ratio")
    distances = [
        half_way(coupling, MATCHED, f"{name}_cosine_distance") for name in ("blend", "end")
    ]
    matched, naive = (half_way(coupling, each, "coefficient") for each in (MATCHED, NAIVE))
    return [
        Claim(
            "half way between aligned networks the features are closer to the blend of the ends' "
            "features than to any rotation of them, and to that closer than to the features as "
            "they are",
            ZHOU + ", figure 2; " + PILOTS,
            f"{in_order.size} of {in_order.size} layers of pairs",
            f"{in_order.sum()} of {in_order.size} layers of pairs",
            bool(in_order.all()),
            id="blend",
        ),
        Claim(
            "half way between aligned networks 1 - cos to the blend is below a quarter of 1 - cos "
            "between the ends, in every layer of every pair",
            ZHOU + ", figure 2",
            "ratio at most 0.25",
            f"{(distances[0] / distances[1]).max():.3f}",
            bool((distances[0] / distances[1]).max() <= 0.25),
            id="blend-quarter",
        ),
        Claim(
            "half way between aligned networks every layer has lost variance, which no orthogonal "
            "change of basis does",
            f"{PILOTS}; {AGAINST}",
            "variance ratio below 0.95 in every layer of every pair",
            f"{ratios.min():.2f} to {ratios.max():.2f}",
            bool(ratios.max() < 0.95),
            id="variance-lost",
        ),
        Claim(
            "the features half way are a smaller share of the blend where the barrier is high",
            PILOTS,
            "c naive below c aligned, in every layer",
            f"{shown(naive.mean(axis=1))} below {shown(matched.mean(axis=1))}",
            bool((naive.mean(axis=1) < matched.mean(axis=1)).all()),
            id="blend-share-falls",
        ),
    ]


def coupling_claims(coupling: pa.Table, barriers: pa.Table) -> list[Claim]:
    """The rotation between the ends' features tells nothing of the barrier between them."""
    matched, naive = (at(coupling, each, "rotation_residual", 1) for each in (MATCHED, NAIVE))
    heights = {
        method: numbers(where(barriers, method=method, split="train"), "value").mean()
        for method in (MATCHED, NAIVE)
    }
    difference = abs(matched - naive).max()
    return [
        Claim(
            "features of the ends are as well related by a rotation where the barrier is low as "
            "where it is high: the residuals of aligned and naive pairs are the same",
            f"{PILOTS}: .03 and .037 for both",
            "difference at most 1e-4",
            f"{difference:.1e}, residuals {naive.min():.3f} to {naive.max():.3f}",
            bool(difference <= 1e-4),
            id="rotations-alike",
        ),
        Claim(
            "how well a rotation relates the ends' features does not tell how high the barrier is: "
            "at the same residuals it is at least four times as high between naive pairs",
            f"{PILOTS}; {AGAINST}",
            "4 times; .066 and 1.12 nats in the pilots",
            f"{heights[NAIVE] / heights[MATCHED]:.1f} times, {heights[MATCHED]:.3f} and "
            f"{heights[NAIVE]:.3f} nats",
            bool(heights[NAIVE] >= 4 * heights[MATCHED]),
            id="rotation-is-no-barrier",
        ),
    ]


def condition_claims(conditions: pa.Table) -> list[Claim]:
    """Both conditions of linear feature connectivity are better fulfilled by aligned pairs."""
    claims = []
    for name, outputs in (("additivity", (False,)), ("commutativity", (False, True))):
        found = {}
        for method in (MATCHED, NAIVE):
            rows = where(conditions, method=method).sort_by(
                [("layer", "ascending"), ("pair", "ascending")]
            )
            keep = np.isin(numbers(rows, "outputs"), outputs)
            if name == "commutativity":
                keep &= numbers(rows, "layer") > 1
            found[method] = numbers(rows, name)[keep].astype(float)
        lower = found[MATCHED] < found[NAIVE]
        claims.append(
            Claim(
                f"aligned pairs have the lower distance of {name}, in every layer"
                + (" that does not read the inputs" if name == "commutativity" else ""),
                ZHOU + ", section 5",
                f"{lower.size} of {lower.size}",
                f"{lower.sum()} of {lower.size}, means {found[MATCHED].mean():.3f} and "
                f"{found[NAIVE].mean():.3f}",
                bool(lower.all()),
                id=f"aligned-closer/{name}",
            )
        )
    return claims


def copy_claims(similarities: pa.Table, barriers: pa.Table) -> list[Claim]:
    """A permuted copy: the same function, an angle of nothing or of 90 degrees, and a barrier."""
    samples, neurons = (numbers(similarities, f"{s}_space_angle") for s in ("sample", "neuron"))
    cka = numbers(similarities, "cka")
    naive, back = (
        numbers(where(barriers, method=each), "value")
        for each in ("permuted copy", "copy, aligned")
    )
    return [
        Claim(
            "a permuted copy has CKA 1 and a principal angle of nothing in sample space",
            PILOTS,
            "CKA 1, angle 0.00 degrees",
            f"CKA at least {cka.min():.6f}, angle at most {samples.max():.3f} degrees",
            bool(cka.min() >= 1 - 1e-5 and samples.max() <= 0.05),
            "± 1e-5, 0.05 degrees",
            id="copy-cka",
        ),
        Claim(
            "a permuted copy has principal angles near 90 degrees in neuron space",
            PILOTS,
            "84 to 90 degrees",
            f"{neurons.min():.1f} to {neurons.max():.1f} degrees",
            bool(neurons.min() >= 84),
            id="copy-neuron-angles",
        ),
        Claim(
            "an angle of the features does not tell whether there is a barrier: on the line to a "
            "permuted copy, at an angle of nothing in sample space, the loss rises",
            f"{PILOTS}: .39 to .90; {AGAINST}",
            "at least 0.2 nats",
            f"{naive.min():.2f} to {naive.max():.2f} nats",
            bool(naive.min() >= 0.2),
            id="angle-is-no-barrier",
        ),
        Claim(
            "aligned first, a permuted copy has no barrier",
            PILOTS,
            0,
            f"{back.max():.1e}",
            bool(back.max() <= 1e-3),
            "± 1e-3 nats",
            id="copy-aligned",
        ),
    ]


def linearity_claims(linearity: pa.Table) -> list[Claim]:
    """Layers behind a nonlinearity are no affine maps of the inputs; the first sum is."""

    def defects(layer: int, moment: str) -> np.ndarray:
        rows = where(linearity, moment=moment)
        keep = (numbers(rows, "layer") == layer) & (numbers(rows, "step") == 1)
        return numbers(rows, "defect")[keep]

    first, affine = defects(1, "after"), defects(1, "before")
    return [
        Claim(
            "early layers do not act affinely: not even the first hidden layer does, between two "
            "inputs",
            AGAINST,
            "linearity defect at least 0.01",
            f"{first.min():.3f} to {first.max():.3f}",
            bool(first.min() >= 0.01),
            id="not-affine",
        ),
        Claim(
            "the pre-activations of the first layer are affine",
            "control",
            "linearity defect 0",
            f"{affine.max():.1e}",
            bool(affine.max() <= 1e-9),
            "at most 1e-9",
            id="first-layer-affine",
        ),
    ]


def shown(values: np.ndarray) -> str:
    """Numbers with two digits."""
    return " and ".join(f"{value:.2f}" for value in values)
