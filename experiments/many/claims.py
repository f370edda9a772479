"""What the study of several networks claims."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from experiments._shared.controls import random_claim
from mconn.experiment import Claim, Result, where

STAR_PAPER = "Sonthalia et al. 2024"
PAPER_RATIOS = ".20 to .47"
MERGED_PAPER = "Ainsworth et al. 2023, appendix A.10"


def all_claims(
    means: Mapping[tuple[str, str], float],
    simplex: pa.Table,
    merged: pa.Table,
    results: Mapping[str, Result],
    seeds: tuple[int, ...],
) -> list[Claim]:
    """All of them."""
    return [
        *star_claims(means),
        centre_claim(simplex),
        *merge_claims(merged, len(seeds)),
        *control_claims(means, results),
    ]


def star_claims(means: Mapping[tuple[str, str], float]) -> list[Claim]:
    """The star's barriers are at most half of those between two networks aligned alike."""
    claims = []
    for ends in ("sources", "others"):
        ratio = means[f"star to {ends}", "train"] / means["weights", "train"]
        claims.append(
            Claim(
                f"the mean train barrier from the star to {ends} is below that between two "
                "networks, aligned by weights alike",
                STAR_PAPER,
                PAPER_RATIOS,
                round(ratio, 3),
                ratio <= 0.5,
                "at most 0.5",
                id=f"star/{ends}",
            )
        )
    star, control = means["star to others", "train"], means["control to others", "train"]
    claims.append(
        Claim(
            "training on lines, and not the start or the longer training, lowers the barriers to "
            "networks that were not seen",
            "control",
            f"below the control's {control:.3g}",
            round(star, 4),
            star < control,
            id="star-training",
        )
    )
    return claims


def heights(simplex: pa.Table, method: str, split: str) -> list[tuple[float, float]]:
    """For every triangle the loss at its centre, and the largest on its edges."""
    found = []
    for triple in dict.fromkeys(simplex["triple"].to_pylist()):
        rows = where(simplex, method=method, split=split, triple=triple).to_pylist()
        weights = np.array([[row["first"], row["second"], row["third"]] for row in rows])
        losses = np.array([row["loss"] for row in rows])
        centre = losses[np.abs(weights - 1 / 3).max(axis=1) < 1e-6].item()
        found.append((centre, float(losses[weights.min(axis=1) < 1e-6].max())))
    return found


def centre_claim(simplex: pa.Table) -> Claim:
    """Between three aligned networks it can be higher than anywhere between two."""
    counts = {
        method: sum(centre > edges for centre, edges in heights(simplex, method, "train"))
        for method in ("weights together", "activations together")
    }
    total = len(heights(simplex, "weights together", "train"))
    return Claim(
        "the centre of a triangle of aligned networks can have a higher train loss than all of its "
        "edges",
        "this project",
        "at least one triangle",
        ", ".join(f"{count} of {total} ({method})" for method, count in counts.items()),
        any(counts.values()),
        id="centre",
    )


def relative_change(merged: pa.Table, method: str) -> float:
    """How far the mean's test loss is from that of the single networks, relative to it."""
    row = where(merged, method=method, split="test").to_pylist()[0]
    return row["merged_loss"] / row["single_loss"] - 1


def merge_claims(merged: pa.Table, count: int) -> list[Claim]:
    """The mean of aligned networks is better than one of them, and best if aligned together."""
    losses = {
        method: where(merged, method=method, split="test").to_pylist()[0]["merged_loss"]
        for method in ("weights", "weights together")
    }
    together = Claim(
        "the mean of networks that are aligned by weights together has a lower test loss than that "
        "of networks that are each aligned to the first",
        "Crisostomi et al. 2024",
        f"below {losses['weights']:.3g}",
        f"{losses['weights together']:.3g}",
        losses["weights together"] < losses["weights"],
        id="mean-together",
    )
    return [
        together,
        *(
            Claim(
                f"the mean of {count} networks, aligned by {method}, has a lower test loss than "
                "single ones",
                MERGED_PAPER,
                "-43 % (MNIST, five networks)",
                f"{100 * relative_change(merged, method):+.0f} %",
                relative_change(merged, method) < 0,
                "any decrease",
                id=f"mean-of-all/{method}",
            )
            for method in ("weights together", "activations together")
        ),
    ]


def control_claims(
    means: Mapping[tuple[str, str], float], results: Mapping[str, Result]
) -> list[Claim]:
    """What must come out if the machinery is right, whatever the networks are."""
    cycles = {m: results[f"align {m} together"].facts["cycles"] for m in ("weights", "activations")}
    edges, centre = bump_heights(results["mixtures naive"].facts["bump"])
    naive, random = means["naive", "train"], means["random", "train"]
    return [
        Claim(
            "networks that are aligned together come back to their place along every cycle",
            "by construction",
            "no unit moved",
            f"{sum(cycles.values())} units moved",
            not any(cycles.values()),
            id="cycles",
        ),
        Claim(
            "low lines between all pairs do not make a basin: 27 l_1 l_2 l_3 on a triangle",
            "control, in closed form",
            "0 on the edges, 1 at the centre",
            f"{edges:.1g} and {centre:.6f}",
            edges == 0 and abs(centre - 1) <= 1e-6,
            id="closed-form",
        ),
        random_claim(naive, random),
    ]


def bump_heights(fact: Mapping[str, Any]) -> tuple[float, float]:
    """Of the loss in closed form: the largest on the edges, and at the centre."""
    return float(fact["edges"]), float(fact["centre"])
