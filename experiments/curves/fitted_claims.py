"""What the study of curves should find."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mconn.experiment import Claim, claims, numbers, where

SOURCE = "Garipov et al. 2018, figures 1 and 2, table 2; this project's pilots"


def barriers_of(barriers: pa.Table, method: str, split: str = "train") -> np.ndarray:
    """The chord barriers of the loss, by pair."""
    chosen = where(barriers, method=method, split=split, kind="chord", metric="loss")
    return numbers(chosen, "value")


def loss_curves(profile: pa.Table, method: str, split: str = "train") -> np.ndarray:
    """The loss at every point of every pair, shape (pairs, points)."""
    chosen = where(profile, method=method, split=split, metric="loss")
    pairs = len(set(chosen["pair"].to_pylist()))
    return numbers(chosen, "value").reshape(pairs, -1)


def curve_claims(
    method: str, barriers: pa.Table, profile: pa.Table, geometry: pa.Table
) -> list[Claim]:
    """A fitted curve is flat, and not much longer than the segment."""
    chord = barriers_of(barriers, method)
    line = barriers_of(barriers, "line")
    losses = loss_curves(profile, method)
    highest, end = losses.max(axis=1), losses[:, [0, -1]].max(axis=1)
    rows = where(geometry, method=method)
    ratio, offset = numbers(rows, "ratio"), numbers(rows, "offset")
    middle = f"the middle control point of the {method}"
    of = "distance of the ends, for every pair"
    return [
        claims.at_most(
            f"no-barrier/{method}",
            f"the {method} has no train barrier",
            chord,
            0.01,
            unit="nats, for every pair",
            source=SOURCE,
        ),
        claims.at_least(
            f"line-has-barrier/{method}",
            f"the line has one where the {method} has none",
            line - 10 * chord,
            0,
            of="its chord barrier less ten times that of the curve",
            unit="nats, for every pair",
            source="control",
        ),
        claims.at_most(
            f"stays-low/{method}",
            f"the train loss stays low on the {method}",
            np.minimum(highest / (3 * end), highest / 0.02),
            1,
            strict=True,
            of="maximum over 3 times the higher end's, or over 0.02 nats, for every pair,",
            source=SOURCE,
        ),
        claims.between(
            f"longer/{method}",
            f"the {method} is longer than the segment, but not by much",
            ratio,
            1.2,
            2.2,
            of="length ratio",
            unit="for every pair",
            source=SOURCE + " (1.30 to 2.13; chains to 3.48)",
        ),
        claims.between(
            f"middle-point-far/{method}",
            f"{middle} lies far from the middle of the ends",
            offset,
            0.9,
            1.0,
            unit=f"of the {of}",
            source="this project's pilots",
        ),
        claims.at_least(
            f"middle-point-moves/{method}",
            f"{middle} moves by more than a few percent",
            offset,
            0.2,
            unit=f"of the {of}",
            source="against the notes that this project started from",
        ),
    ]


def plane_claim(drawn: pa.Table, profile: pa.Table) -> Claim:
    """The curve that is drawn in the plane is the curve that was measured."""
    first = drawn.slice(0, 1).to_pylist()[0]
    curve = numbers(
        where(
            profile,
            method=first["method"],
            pair=first["pair"],
            split=first["split"],
            metric="loss",
        ),
        "value",
    )
    return claims.at_most(
        "plane",
        "the loss along the curve as drawn in the plane is that of the curve",
        abs(numbers(drawn, "loss") - curve).max(),
        1e-5,
        of="difference",
        unit="nats",
        source="exact",
    )


def ensemble_claim(along: pa.Table, method: str) -> Claim:
    """Half way, the curve computes something almost as different as the other end does."""
    chosen = where(along, method=method)
    half, end = (numbers(chosen.filter(pc.field("t") == t), "disagreement") for t in (0.5, 1.0))
    shares = half / np.maximum(end, 1e-12)
    return claims.at_least(
        f"differs-half-way/{method}",
        f"half way along the {method} the network differs from the first end as much as the "
        "other end does",
        100 * shares.mean(),
        90,
        of="disagreement at t = 0.5, as mean over pairs,",
        unit=f"% of the ends' {100 * end.mean():.2g} %",
        source="Garipov et al. 2018, figure 2, right",
    )


def decomposition_claim(along: pa.Table, profile: pa.Table) -> Claim:
    """The three terms add up to the height above the chord, on every path."""
    largest = []
    for method in dict.fromkeys(along["method"].to_pylist()):
        chosen = where(along, method=method)
        difference, convexity, deviation = (
            numbers(chosen, name) for name in ("difference", "convexity", "deviation")
        )
        losses = loss_curves(profile, method, "test")
        t = np.linspace(0, 1, losses.shape[1])
        height = losses - (1 - t) * losses[:, :1] - t * losses[:, -1:]
        largest.append(abs(difference - convexity - deviation - height.ravel()).max())
    return claims.at_most(
        "decomposition",
        "loss above the chord = D - J - E_y at every point of every path",
        max(largest),
        1e-4,
        of="difference",
        unit="nats",
        source="the logit-linearisation identity",
    )


def statistics_claim(method: str, recomputed: pa.Table, mixed: pa.Table) -> Claim:
    """Mixed BatchNorm statistics, instead of recomputed ones, make a barrier that is not there."""
    right, wrong = (where(table, kind="chord", metric="loss") for table in (recomputed, mixed))
    gap = numbers(wrong, "low") - numbers(right, "high")
    means = (f"{numbers(table, 'value').mean():.3g}" for table in (wrong, right))
    return claims.at_least(
        f"statistics/{method}",
        f"without recomputing BatchNorm statistics the {method}'s barrier is wrongly high",
        gap,
        0.1,
        of="gap between the intervals of barriers of {}, recomputed {} nats,".format(*means),
        unit="nats, for every pair and split",
        source="Garipov et al. 2018, section A.2",
    )


def published_claims(
    expected: Sequence[tuple[str, float, float]], profile: pa.Table, source: str
) -> list[Claim]:
    """The largest test error on a curve, as the paper's table has it.

    Args:
        expected: method, its largest test error and that of the worse end, in per cent.
        profile: the table of all sweeps.
        source: where they were published.
    """
    found = []
    for method, highest, end in expected:
        chosen = where(profile, method=method, split="test", metric="accuracy")
        errors = 100 * (1 - numbers(chosen, "value"))
        at_end = errors[np.isin(numbers(chosen, "t"), [0.0, 1.0])].max()
        found += [
            claims.near(
                f"largest-error/{method}",
                f"largest test error (%), {method}",
                errors.max(),
                highest,
                source=source,
                relative=0.15,
            ),
            claims.near(
                f"error-above-ends/{method}",
                f"largest test error above that of the ends (points), {method}",
                errors.max() - at_end,
                round(highest - end, 2),
                absolute=0.5,
                source=source,
            ),
        ]
    return found


def with_segments(profile: pa.Table, geometry: Mapping[str, float]) -> pa.Table:
    """The profile with the distance of every pair's ends in the column ``segment``."""
    segments = [geometry[pair] for pair in profile["pair"].to_pylist()]
    return profile.append_column("segment", pa.array(segments, pa.float64()))
