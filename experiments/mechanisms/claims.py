"""What the study of mechanisms claims."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from experiments.mechanisms.finetuning import HEIGHT
from experiments.mechanisms.lines import PAIRINGS
from mconn.experiment import Claim, claims as predicates, numbers, where

PAPER = "Lubana et al. 2023"
PILOTS = "pilots of this project"
KNOWN = (
    ("cued", "RI", 0.995),
    ("cued", "RC", 0.128),
    ("cued", "NC", 0.761),
    ("plain", "RI", 0.086),
)
"""Test accuracies by training and set that pilots found."""

FLAT, HIGH = 0.02, 0.1
"""Nats up to which a barrier counts as none, and from which on as one."""


def mechanism_claims(profile: pa.Table, published: bool) -> list[Claim]:
    """What the networks rely on shows on the sets without a cue and with a misleading one."""
    claims = []
    ends = {"plain": 0.0, "cued": 1.0}
    accuracy = where(
        profile, pairing="different", method="naive", split="test", metric="accuracy"
    ).to_pylist()
    found = {
        (network, name): np.array(
            [row["value"] for row in accuracy if row["set"] == name and row["t"] == t]
        )
        for network, t in ends.items()
        for name in ("NC", "C", "RC", "RI")
    }
    for network, name, expected in KNOWN:
        values = found[network, name]
        if published:
            claims.append(
                Claim(
                    f"test accuracy on {name} of networks trained "
                    f"{'with' if network == 'cued' else 'without'} the cue",
                    f"{PILOTS}; {PAPER}, figure 3, in shape",
                    expected,
                    round(float(values.mean()), 3),
                    bool(abs(values.mean() - expected) <= 0.1),
                    "± 0.1",
                    f"[{values.min():.3f}, {values.max():.3f}] over seeds",
                    id=f"accuracy/{name}/{'with' if network == 'cued' else 'without'}",
                )
            )
    follows = found["cued", "RI"].min(), found["plain", "RI"].max()
    claims.append(
        Claim(
            "networks trained with the cue follow it against the image, those trained without do "
            "not, for every seed",
            PAPER,
            "above 50 % and below 50 %",
            f"{100 * follows[0]:.1f} % and {100 * follows[1]:.1f} % at worst",
            bool(follows[0] > 0.5 > follows[1]),
            id="cue-is-followed",
        )
    )
    return claims


def line_claims(barriers: pa.Table, profile: pa.Table) -> list[Claim]:
    """Barriers do not follow the mechanisms, in either direction."""
    values = {
        (pairing, method, name): numbers(
            where(barriers, pairing=pairing, method=method, split="train", set=name), "value"
        )
        for pairing in PAIRINGS
        for method in ("naive", "matched")
        for name in ("NC", "C")
    }
    claims = []
    for name, what in (("C", "with"), ("NC", "without")):
        matched = values["different", "matched", name]
        claims.append(
            Claim(
                f"once their units are matched, no barrier {what} the cue is left between "
                "networks of different mechanisms, for every pair",
                f"{PILOTS}; against 'no permutation can align them'",
                f"train chord barrier at most {FLAT} nats",
                f"largest {matched.max():.3g}, mean {matched.mean():.3g} over {len(matched)} pairs",
                bool(matched.max() <= FLAT),
                id=f"matched-no-barrier/{what}",
            )
        )
    same = np.concatenate(
        [values[pairing, "naive", name] for pairing in PAIRINGS[1:] for name in ("NC", "C")]
    )
    claims.append(
        Claim(
            "networks of the same mechanism have a barrier on the naive line, for every pair",
            f"{PILOTS}; against 'a barrier shows a different mechanism'",
            f"train chord barrier at least {HIGH} nats",
            f"least {same.min():.3g}, mean {same.mean():.3g} over {len(same)} pairs and sets",
            bool(same.min() >= HIGH),
            id="same-mechanism-barrier",
        )
    )
    naive = np.concatenate([values["different", "naive", name] for name in ("NC", "C")])
    claims.append(
        Claim(
            "before their units are matched, networks of different mechanisms have a barrier, for "
            "every pair",
            "control",
            f"train chord barrier at least {HIGH} nats",
            f"least {naive.min():.3g}",
            bool(naive.min() >= HIGH),
            id="different-mechanism-barrier",
        )
    )
    rows = where(
        profile, pairing="different", method="matched", split="test", metric="accuracy", set="RI"
    ).to_pylist()
    first, last = (np.array([row["value"] for row in rows if row["t"] == t]) for t in (0.0, 1.0))
    change = float((last - first).min())
    claims.append(
        Claim(
            "the matched line leads from one mechanism to the other: the share of images on which "
            "the cue is followed changes along it",
            PILOTS,
            "by at least 50 points, for every pair",
            f"by {100 * change:.0f} points at least",
            change >= 0.5,
            id="mechanism-changes",
        )
    )
    return claims


def finetuning_claims(tables: Mapping[str, pa.Table], rates: Sequence[float]) -> list[Claim]:
    """Connectivity-based fine-tuning raises a barrier, and leaves less reliance on the cue."""
    accuracy = where(tables["profile"], split="test", metric="accuracy", set="RI").to_pylist()
    loss = where(tables["profile"], split="train", metric="loss", set="C").to_pylist()
    reliance = {
        (row["method"], row["rate"], row["pair"]): row["value"]
        for row in accuracy
        if row["t"] == 1.0
    }
    cases = [(rate, pair) for method, rate, pair in reliance if method == "clean"]
    less = sum(reliance["barrier", *case] < reliance["clean", *case] for case in cases)
    top = max(rates)
    middle = {
        method: np.array(
            [
                row["value"]
                for row in loss
                if (row["method"], row["rate"]) == (method, top) and 0.25 <= row["t"] <= 0.75
            ]
        )
        for method in ("clean", "barrier")
    }
    return [
        Claim(
            "connectivity-based fine-tuning leaves less reliance on the cue (RI) than fine-tuning "
            "on clean images at the same rate, for every rate and seed",
            f"{PAPER}, table 1: 8.75 % against 83.4 %",
            f"{len(cases)} of {len(cases)}",
            f"{less} of {len(cases)}",
            less == len(cases),
            id="less-reliance",
        ),
        predicates.near(
            "raised-barrier",
            "connectivity-based fine-tuning raises the loss with the cue to the height that it "
            f"aims at, in the middle half of the line to the start, at rate {top:g}",
            middle["barrier"],
            HEIGHT,
            source=f"{PAPER}, section 5",
            relative=0.25,
            over="t and seeds",
        ),
        Claim(
            f"fine-tuning on clean images at rate {top:g} raises no such barrier",
            "control",
            f"mean loss with the cue in the middle half below {HEIGHT / 4:g}",
            round(float(middle["clean"].mean()), 3),
            bool(middle["clean"].mean() < HEIGHT / 4),
            id="no-raised-barrier",
        ),
    ]
