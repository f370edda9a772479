"""Small stages and an experiment, shared by the tests of this folder."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mconn.errors import DivergenceError
from mconn.experiment import (
    Context,
    Experiment,
    Report,
    Result,
    Section,
    Stage,
    band_meaning,
    barrier_bars,
    claims,
    profile_figure,
)

RAN: list[str] = []
"""The stages that were really run in this process, in order."""


@dataclass(frozen=True)
class Numbers(Stage):
    """Some numbers, made step by step with a checkpoint after each."""

    count: int
    seeds: tuple[int, ...] = (0, 1)
    pause: float = 0.0

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        RAN.append("numbers")
        mark = context.work / "done"
        done = int(mark.read_text()) if mark.exists() else 0
        with context.progress.task("numbers", total=self.count, unit="number") as task:
            for i in range(done, self.count):
                time.sleep(self.pause)
                mark.write_text(str(i + 1))
                task.update(i + 1, loss=1 / (i + 1))
        tree = {"values": np.arange(self.count, dtype=np.float32)}
        return Result(tree=tree, facts={"resumed_at": done, "process": os.getpid()})


@dataclass(frozen=True)
class Total(Stage):
    """The sum of one input's numbers and of several others'."""

    numbers: Numbers
    others: tuple[Numbers, ...] = ()
    fails: bool = False

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        RAN.append("total")
        if self.fails:
            raise DivergenceError("the loss of seed 1 is not finite at step 7: lower the rate")
        everything = [inputs["numbers"], *inputs.get("others", ())]
        total = float(sum(result.tree["values"].sum() for result in everything))
        return Result(tables={"total": pa.table({"total": [total]})}, facts={"total": total})


@dataclass(frozen=True)
class Sums(Experiment):
    """An experiment about sums, with figures if they are asked for."""

    total: Total
    drawn: bool = False

    def stages(self) -> dict[str, Stage]:
        return {"numbers": self.total.numbers, "total": self.total}

    def report(self, results: Mapping[str, Result]) -> Report:
        RAN.append("report")
        total = results["total"].facts["total"]
        return Report(
            title="Sums <of> numbers",
            question="What do the numbers add up to?",
            summary=f"The numbers add up to {total:g}.",
            headline=pa.table({"what": ["total"], "value": [total]}),
            sections=drawn_sections() if self.drawn else (),
            claims=(
                claims.near(
                    "three", "The sum is three", total, 3, source="arithmetic", relative=0.1
                ),
                claims.at_most("negative", "The sum is negative", total, 0, source="nobody"),
            ),
        )


def drawn_sections() -> tuple[Section, ...]:
    profile, barriers = profile_table(), barrier_table()
    return (
        Section(
            "Profile",
            "First paragraph.\n\nSecond paragraph.\n\nlisting\n  its line",
            figures={"profile": profile_figure(profile)},
            captions={"profile": band_meaning(profile)},
        ),
        Section(
            "Barriers",
            figures={"barriers": barrier_bars(barriers)},
            tables={"barriers": barriers, "profile": profile},
        ),
    )


def sums(count: int = 3, drawn: bool = False, **options: Any) -> Sums:
    return Sums(Total(Numbers(count), **options), drawn)


METHODS = ("naive", "weights", "activations")


def profile_table(pairs: tuple[str, ...] = ("0-1", "0-2", "1-2"), points: int = 9) -> pa.Table:
    """A profile whose hump is (method's rank) x (pair's rank) x 4 t (1 - t) above 0.1."""
    rows = [
        {
            "method": method,
            "split": split,
            "metric": metric,
            "pair": pair,
            "t": float(t),
            "value": 0.1 + (3 - i) * (j + 1) * 4 * t * (1 - t),
            "standard_error": 0.01,
        }
        for i, method in enumerate(METHODS)
        for split in ("train", "test")
        for metric in ("loss", "accuracy")
        for j, pair in enumerate(pairs)
        for t in np.linspace(0, 1, points)
    ]
    return pa.Table.from_pylist(rows)


def barrier_table(pairs: tuple[str, ...] = ("0-1", "0-2", "1-2")) -> pa.Table:
    """Barriers of (method's rank) + 0.1 (pair's rank)."""
    rows = [
        {
            "method": method,
            "split": split,
            "pair": pair,
            "value": v,
            "low": v - 0.1,
            "high": v + 0.1,
        }
        for i, method in enumerate(METHODS)
        for split in ("train", "test")
        for v, pair in ((3 - i + 0.1 * j, pair) for j, pair in enumerate(pairs))
    ]
    return pa.Table.from_pylist(rows)


def write_config(folder: Path, name: str, text: str) -> Path:
    """A config file in ``folder/configs``, beside which this module can be imported."""
    path = folder / "configs" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path
