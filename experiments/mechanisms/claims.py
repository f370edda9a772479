"""What the study of mechanisms claims."""

from typing import Any

from experiments.mechanisms.finetuning import HEIGHT
from mconn.experiment import Claim, Frame, claims

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


def mechanism_claims(profile: Frame, published: bool) -> list[Claim]:
    """What the networks rely on shows on the sets without a cue and with a misleading one."""
    ends = profile.query("pairing == 'different' and method == 'naive' and split == 'test'")
    ends = ends[ends.metric == "accuracy"].set_index(["t", "set"]).value
    found = {"plain": ends[0.0], "cued": ends[1.0]}
    cued, plain = (found[network]["RI"].to_numpy() for network in ("cued", "plain"))
    known: Any = {"absolute": 0.1, "over": "seeds"}
    told = "networks trained with the cue follow it against the image, those trained without do "
    told += "not, for every seed"
    right, of = (cued > 0.5) & (plain < 0.5), "seeds with more than 50 %, and less without"
    return [
        claims.near(
            f"accuracy/{name}/{'with' if network == 'cued' else 'without'}",
            f"test accuracy on {name} of networks trained "
            f"{'with' if network == 'cued' else 'without'} the cue",
            found[network][name],
            expected,
            source=f"{PILOTS}; {PAPER}, figure 3, in shape",
            **known,
        )
        for network, name, expected in KNOWN
        if published
    ] + [claims.counts("cue-is-followed", told, right, of=of, source=PAPER)]


def line_claims(barriers: Frame, profile: Frame) -> list[Claim]:
    """Barriers do not follow the mechanisms, in either direction."""
    train = barriers[barriers.split == "train"]
    matched = train.query("pairing == 'different' and method == 'matched'")
    different = train.query("pairing == 'different' and method == 'naive'")
    same = train.query("pairing != 'different' and method == 'naive'")
    line = profile.query("pairing == 'different' and method == 'matched' and split == 'test'")
    line = line.query("metric == 'accuracy' and set == 'RI'").pivot(
        index="pair", columns="t", values="value"
    )
    given: Any = {"of": "train chord barrier", "unit": "nats"}
    return [
        *(
            claims.at_most(
                f"matched-no-barrier/{what}",
                f"once their units are matched, no barrier {what} the cue is left between networks "
                "of different mechanisms, for every pair",
                matched[matched.set == name].value,
                FLAT,
                source=f"{PILOTS}; against 'no permutation can align them'",
                **given,
            )
            for name, what in (("C", "with"), ("NC", "without"))
        ),
        claims.at_least(
            "same-mechanism-barrier",
            "networks of the same mechanism have a barrier on the naive line, for every pair",
            same.value,
            HIGH,
            source=f"{PILOTS}; against 'a barrier shows a different mechanism'",
            **given,
        ),
        claims.at_least(
            "different-mechanism-barrier",
            "before their units are matched, networks of different mechanisms have a barrier, for "
            "every pair",
            different.value,
            HIGH,
            source="control",
            **given,
        ),
        claims.at_least(
            "mechanism-changes",
            "the matched line leads from one mechanism to the other: the share of images on which "
            "the cue is followed changes along it",
            100 * (line[1.0] - line[0.0]),
            50,
            of="change of every pair",
            unit="points",
            source=PILOTS,
        ),
    ]


def finetuning_claims(profile: Frame) -> list[Claim]:
    """Connectivity-based fine-tuning raises a barrier, and leaves less reliance on the cue."""
    ends = profile.query("split == 'test' and metric == 'accuracy' and set == 'RI' and t == 1")
    reliance = ends.pivot(index=["rate", "pair"], columns="method", values="value")
    top = profile.rate.max()
    middle = profile.query("split == 'train' and metric == 'loss' and set == 'C'")
    middle = middle[(middle.rate == top) & middle.t.between(0.25, 0.75)].groupby("method").value
    return [
        claims.counts(
            "less-reliance",
            "connectivity-based fine-tuning leaves less reliance on the cue (RI) than fine-tuning "
            "on clean images at the same rate, for every rate and seed",
            reliance.barrier < reliance.clean,
            of="rates and seeds",
            source=f"{PAPER}, table 1: 8.75 % against 83.4 %",
        ),
        claims.near(
            "raised-barrier",
            "connectivity-based fine-tuning raises the loss with the cue to the height that it "
            f"aims at, in the middle half of the line to the start, at rate {top:g}",
            middle.get_group("barrier"),
            HEIGHT,
            source=f"{PAPER}, section 5",
            relative=0.25,
            over="t and seeds",
        ),
        claims.at_most(
            "no-raised-barrier",
            f"fine-tuning on clean images at rate {top:g} raises no such barrier",
            middle.mean()["clean"],
            HEIGHT / 4,
            of="mean loss with the cue in the middle half",
            source="control",
            strict=True,
        ),
    ]
