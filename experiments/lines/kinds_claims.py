"""What the study of kinds of barriers claims."""

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.lines.kinds_stages import GRIDS, THRESHOLD
from mconn.experiment import Claim, numbers, where

SOURCE = "by definition"
EXACT = 1e-6
"""Nats by which relations may be off: losses are float32 means."""

Line = tuple[str, str, str]
"""Kind of line, pair and split."""


def by_line(table: pa.Table) -> dict[Line, list[dict[str, Any]]]:
    """The rows of every line."""
    rows = defaultdict(list)
    for row in table.to_pylist():
        rows[row["line"], row["pair"], row["split"]].append(row)
    return rows


def relation_claims(barriers: pa.Table, ends: pa.Table) -> list[Claim]:
    """The kinds are related through the difference of the ends, and are not the same."""
    kinds = {
        line: {row["kind"]: row["value"] for row in rows if row["metric"] == "loss"}
        for line, rows in by_line(barriers).items()
    }
    told = {line: rows[0] for line, rows in by_line(ends).items()}
    gap = {line: abs(row["start"] - row["end"]) for line, row in told.items()}
    least = min(
        min(each[kind] for kind in ("max_endpoint", "mean_endpoint", "chord"))
        for each in kinds.values()
    )
    shift = max(
        abs(each["mean_endpoint"] - each["max_endpoint"] - gap[line] / 2)
        for line, each in kinds.items()
    )
    beyond = max(
        abs(each["chord"] - each["mean_endpoint"]) - gap[line] / 2 for line, each in kinds.items()
    )
    below = max(each["max_endpoint"] - each["chord"] for each in kinds.values())
    monotone = [line for line, row in told.items() if row["monotone"] and gap[line] > 0.1]
    reported = [kinds[line]["mean_endpoint"] for line in monotone]
    return [
        exact(
            "never-negative",
            "the barriers over the higher end, the mean end and the chord are never negative",
            "at least 0",
            least,
            least >= -EXACT,
        ),
        exact(
            "half-the-difference",
            "the barrier over the mean end is that over the higher end plus half the difference "
            "of the ends",
            f"difference at most {EXACT:.0e}",
            shift,
            shift <= EXACT,
        ),
        exact(
            "chord-and-mean-end",
            "the barriers over the chord and over the mean end differ by at most half the "
            "difference of the ends",
            f"at most {EXACT:.0e} more",
            beyond,
            beyond <= EXACT,
        ),
        exact(
            "chord-above-higher-end",
            "the barrier over the chord is at least that over the higher end",
            f"at most {EXACT:.0e} less",
            below,
            below <= EXACT,
        ),
        Claim(
            "the kinds are different numbers: on a line whose loss rises all the way, so that the "
            "barrier over the higher end is zero, that over the mean end is not",
            SOURCE,
            "above 0.05 nats on every such line",
            f"{min(reported):.3g} to {max(reported):.3g} on {len(reported)} lines"
            if reported
            else "no such line",
            bool(reported and min(reported) > 0.05),
            id="different-numbers",
        ),
    ]


def exact(id: str, statement: str, expected: str, value: float, holds: bool) -> Claim:
    """A relation that holds on every line."""
    return Claim(
        f"{statement}, on every line",
        SOURCE,
        expected,
        f"{value:.2g}",
        bool(holds),
        id=id,
    )


def grid_claims(grids: pa.Table) -> list[Claim]:
    """A finer grid never gives less, and a coarse one can miss a lot."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in grids.to_pylist():  # the grids ascend
        values[row["pair"]].append(row["value"])
    steps = np.diff(np.array(list(values.values())), axis=1)
    return [
        Claim(
            "on a grid that contains another the chord barrier is never lower, so that a barrier "
            "on a grid is a lower bound",
            SOURCE,
            "no fall",
            f"least change {steps.min():.2g} nats from {GRIDS[0]} to {GRIDS[-1]} points",
            bool(steps.min() >= -EXACT),
            id="finer-grid",
        )
    ]


def threshold_claims(barriers: pa.Table, ends: pa.Table) -> list[Claim]:
    """A threshold of 1e-3 nats says little about connectedness."""
    test = where(barriers, line="matched", split="test", kind="chord", metric="loss")
    widths = numbers(test, "high") - numbers(test, "low")
    untrained = numbers(where(barriers, line="untrained", split="train", kind="chord"), "value")
    losses = numbers(where(ends, line="untrained", split="train"), "start")
    naive, matched = (
        numbers(where(barriers, line=line, split="train", kind="chord", metric="loss"), "value")
        for line in ("naive", "matched")
    )
    left = matched / naive
    return [
        Claim(
            "the 95 % interval of a matched test barrier is wider than the threshold of "
            f"{THRESHOLD:g}, for every pair",
            "the bootstrap over examples",
            f"width above {THRESHOLD:g} nats",
            f"{widths.min():.3g} to {widths.max():.3g}",
            bool(widths.min() > THRESHOLD),
            id="interval-wider",
        ),
        Claim(
            "networks that learned next to nothing pass the threshold of "
            f"{THRESHOLD:g} once matched",
            "this study",
            f"mean train barrier at most {THRESHOLD:g}",
            f"{untrained.mean():.2g} at a train loss of {losses.mean():.3g}",
            bool(untrained.mean() <= THRESHOLD),
            interval=f"[{untrained.min():.2g}, {untrained.max():.2g}] over pairs",
            id="untrained-pass",
        ),
        Claim(
            "the threshold knows no scale: matching takes most of a barrier away, and yet no pair "
            f"of well trained networks passes {THRESHOLD:g}",
            "this study",
            "at most 25 % of the naive train barrier are left, for every pair, and no pair passes",
            f"{100 * left.min():.1f} % to {100 * left.max():.1f} % are left, "
            f"{int((matched <= THRESHOLD).sum())} of {len(matched)} pairs pass",
            bool(left.max() <= 0.25 and matched.min() > THRESHOLD),
            id="no-scale",
        ),
    ]
