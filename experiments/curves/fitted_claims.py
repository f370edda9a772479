"""What the study of curves should find."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mconn.experiment import Claim, claims as predicates, numbers, where

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
    is_low = (highest < 3 * end) | (highest < 0.02)
    rows = where(geometry, method=method)
    ratio, offset = numbers(rows, "ratio"), numbers(rows, "offset")
    return [
        Claim(
            f"the {method} has no train barrier",
            SOURCE,
            "chord barrier at most 0.01 nats, for every pair",
            f"largest {chord.max():.2g}",
            bool(chord.max() <= 0.01),
            id=f"no-barrier/{method}",
        ),
        Claim(
            f"the line has one where the {method} has none",
            "control",
            "its chord barrier at least 10 times that of the curve, for every pair",
            f"line at least {line.min():.3g}, curve at most {chord.max():.2g}",
            bool(np.all(line >= 10 * chord)),
            id=f"line-has-barrier/{method}",
        ),
        Claim(
            f"the train loss stays low on the {method}",
            SOURCE,
            "maximum below 3 times the higher end's or below 0.02, for every pair",
            f"largest {highest.max():.2g}, ends {end.max():.2g}",
            bool(is_low.all()),
            id=f"stays-low/{method}",
        ),
        Claim(
            f"the {method} is longer than the segment, but not by much",
            SOURCE + " (1.30 to 2.13; chains to 3.48)",
            "length ratio 1.2 to 2.2, for every pair",
            between(ratio),
            bool(np.all((ratio >= 1.2) & (ratio <= 2.2))),
            id=f"longer/{method}",
        ),
        Claim(
            f"the middle control point of the {method} lies far from the middle of the ends",
            "this project's pilots",
            "0.9 to 1.0 of the distance of the ends, for every pair",
            between(offset),
            bool(np.all((offset >= 0.9) & (offset <= 1.0))),
            id=f"middle-point-far/{method}",
        ),
        Claim(
            f"the middle control point of the {method} moves by more than a few percent",
            "against the notes that this project started from",
            "at least a fifth of the distance of the ends, for every pair",
            between(offset),
            bool(np.all(offset >= 0.2)),
            id=f"middle-point-moves/{method}",
        ),
    ]


def between(values: np.ndarray) -> str:
    """The lowest and the highest, or the only one."""
    low, high = values.min(), values.max()
    return f"{low:.3g}" if len(values) == 1 else f"{low:.3g} to {high:.3g}"


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
    difference = float(abs(numbers(drawn, "loss") - curve).max())
    return Claim(
        "the loss along the curve as drawn in the plane is that of the curve",
        "exact",
        "difference at most 1e-5 nats",
        f"{difference:.1e}",
        difference <= 1e-5,
        id="plane",
    )


def ensemble_claim(along: pa.Table, method: str) -> Claim:
    """Half way, the curve computes something almost as different as the other end does."""
    chosen = where(along, method=method)
    half, end = (numbers(chosen.filter(pc.field("t") == t), "disagreement") for t in (0.5, 1.0))
    shares = half / np.maximum(end, 1e-12)
    return Claim(
        f"half way along the {method} the network differs from the first end as much as the "
        "other end does",
        "Garipov et al. 2018, figure 2, right",
        "at least 90 % of the ends' disagreement at t = 0.5, as mean over pairs",
        f"{100 * shares.mean():.0f} % of {100 * end.mean():.2g} %",
        bool(shares.mean() >= 0.9),
        id=f"differs-half-way/{method}",
    )


def decomposition_claim(along: pa.Table, profile: pa.Table) -> Claim:
    """The three terms add up to the height above the chord, on every path."""
    largest = 0.0
    for method in dict.fromkeys(along["method"].to_pylist()):
        chosen = where(along, method=method)
        difference, convexity, deviation = (
            numbers(chosen, name) for name in ("difference", "convexity", "deviation")
        )
        losses = loss_curves(profile, method, "test")
        t = np.linspace(0, 1, losses.shape[1])
        height = losses - (1 - t) * losses[:, :1] - t * losses[:, -1:]
        largest = max(
            largest, float(abs(difference - convexity - deviation - height.ravel()).max())
        )
    return Claim(
        "loss above the chord = D - J - E_y at every point of every path",
        "the logit-linearisation identity",
        "difference at most 1e-4 nats",
        f"{largest:.1e}",
        largest <= 1e-4,
        id="decomposition",
    )


def statistics_claim(method: str, recomputed: pa.Table, mixed: pa.Table) -> Claim:
    """Mixed BatchNorm statistics, instead of recomputed ones, make a barrier that is not there."""
    right, wrong = (where(table, kind="chord", metric="loss") for table in (recomputed, mixed))
    gap = numbers(wrong, "low") - numbers(right, "high")
    values = [numbers(table, "value").mean() for table in (right, wrong)]
    return Claim(
        f"without recomputing BatchNorm statistics the {method}'s barrier is wrongly high",
        "Garipov et al. 2018, section A.2",
        "intervals apart by at least 0.1 nats, for every pair and split",
        f"least gap {gap.min():.3g}; mean barriers {values[1]:.3g}, recomputed {values[0]:.3g}",
        bool(gap.min() >= 0.1),
        id=f"statistics/{method}",
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
    claims = []
    for method, highest, end in expected:
        chosen = where(profile, method=method, split="test", metric="accuracy")
        errors = 100 * (1 - numbers(chosen, "value"))
        at_end = errors[np.isin(numbers(chosen, "t"), [0.0, 1.0])].max()
        claims += [
            predicates.near(
                f"largest-error/{method}",
                f"largest test error (%), {method}",
                errors.max(),
                highest,
                source=source,
                relative=0.15,
            ),
            Claim(
                f"largest test error above that of the ends, {method}",
                source,
                f"{highest - end:.2f} points",
                f"{errors.max() - at_end:.2f} points",
                bool(abs(errors.max() - at_end - (highest - end)) <= 0.5),
                "± 0.5 points",
                id=f"error-above-ends/{method}",
            ),
        ]
    return claims


def with_segments(profile: pa.Table, geometry: Mapping[str, float]) -> pa.Table:
    """The profile with the distance of every pair's ends in the column ``segment``."""
    segments = [geometry[pair] for pair in profile["pair"].to_pylist()]
    return profile.append_column("segment", pa.array(segments, pa.float64()))
