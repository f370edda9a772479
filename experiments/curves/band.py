"""Elastic bands: how low is the highest point of a path between trained networks?

The pivots of a chain slide down across it, and more are inserted where the loss between them is
high; the highest loss left is an upper bound of the saddle (Draxler et al., *Essentially no
barriers in neural network energy landscape*, ICML 2018). A minimum spanning tree of such paths
bounds the saddle of every pair of minima.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.curves.band_figures import chains_of, saddle_figure
from experiments.curves.band_stages import METHOD, Bands
from mconn import paths
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Experiment,
    Report,
    Result,
    Section,
    Stage,
    numbers,
    pivot_figure,
    where,
)
from mconn.experiment.stages import Connect, Sweep, Train
from mconn.paths import BandConfig, FitConfig
from mconn.training import TrainConfig

PAPER = "Draxler et al. 2018"
CURVE = "bezier"


@dataclass(frozen=True)
class ElasticBands(Experiment):
    """Train minima, join them by elastic bands, and compare with lines and Bezier curves.

    Attributes:
        train: the minima; every pair of seeds is joined.
        band: how bands are relaxed.
        fit: of the Bezier curves.
        bends: pivots between the ends before the first cycle.
        points: equispaced points on lines and Bezier curves.
    """

    train: TrainConfig
    band: BandConfig
    fit: FitConfig
    bends: int = 3
    points: int = 61

    def __post_init__(self) -> None:
        if len(self.train.seeds) < 3:
            raise ConfigError(
                f"seeds are {self.train.seeds}: a spanning tree says something of three minima "
                "or more"
            )

    def stages(self) -> dict[str, Stage]:
        """Bands, and lines and curves beside them."""
        train = Train(self.train)
        curves = Connect(train, self.fit, CURVE)
        return {
            "train": train,
            "bands": Bands(train, self.band, self.bends),
            "lines": Sweep(train, None, self.points),
            "connect": curves,
            "curves": Sweep(train, None, self.points, curve=curves),
        }

    def report(self, results: Mapping[str, Result]) -> Report:
        """Saddles by cycle, the paths beside lines and curves, and the tree."""
        bands = results["bands"]
        cycles, points = bands.tables["cycles"], bands.tables["points"]
        highest = highest_losses(results)
        seeds = self.train.seeds
        lines, saddles = (matrix(highest, method, seeds) for method in ("naive", METHOD))
        bounds = paths.minimax(saddles)
        edges = ", ".join(f"{seeds[i]}-{seeds[j]}" for i, j in paths.spanning_tree(saddles))
        pair = bands.facts["order"][0]
        first = where(points, pair=pair)
        segment = float(numbers(where(cycles, pair=pair), "length")[0])
        model, data = type(self.train.model).__name__, self.train.data.name
        rows = comparison(results, highest)
        by_path = {row["path"]: row for row in rows}
        return Report(
            title=f"{model} on {data}: elastic bands between {len(seeds)} minima",
            question="How low can the highest loss of a path between two trained networks be made, "
            "and what do the paths that were found say of all pairs of minima?",
            summary=f"highest train loss on the path, mean over {len(highest) // 6} pairs: "
            + ", ".join(f"{name} {row['highest train loss']:.2g}" for name, row in by_path.items())
            + f" nats; a band is {by_path[METHOD]['length / distance']:.2f} times as long as the "
            "line",
            headline=pa.Table.from_pylist(rows),
            note="Means over pairs of seeds, in nats per example. Chord barrier: the largest "
            "height of the loss above the straight line through the ends' losses. Accuracies are "
            "the lowest on any path, on the test split. Bands are relaxed on the training split "
            f"alone, with {bands.facts['samples']:,} forward and backward passes of one example at "
            f"most, Bezier curves with {results['connect'].facts['samples']:,}; lines are the "
            "control.",
            sections=[
                Section(
                    "Cycles",
                    figures={"cycles": pivot_figure(chains_of(first), segment)},
                    tables={"cycles": cycles, "points": points},
                    captions={
                        "cycles": f"Train loss along the band between the seeds {pair}, as it was "
                        "given (the straight line) and after every cycle; dots are pivots.",
                        "points": "Train loss at all points of all bands after every cycle.",
                    },
                ),
                Section(
                    "Many minima",
                    text=f"The tree: {edges}. Pairs were joined in the order "
                    f"{', '.join(bands.facts['order'])}.",
                    figures={"saddles": saddle_figure(lines, bounds, seeds)},
                    tables={"highest": highest},
                    captions={
                        "saddles": "The highest train loss between any two minima: on the line, "
                        "and on the way along the minimum spanning tree of the bands. The "
                        "diagonal holds the minima's own losses.",
                        "highest": "The highest loss on every path.",
                    },
                ),
            ],
            claims=claims(cycles, highest, saddles, bounds, results),
        )


def highest_losses(results: Mapping[str, Result]) -> pa.Table:
    """A row per path, pair and split: the highest loss, those of the ends, the lowest accuracy."""
    rows = []
    for stage in ("lines", "curves", "bands"):
        profile = results[stage].tables["profile"]
        for method, pair, split in labels_of(profile):
            here = where(profile, pair=pair, split=split)
            loss = numbers(where(here, metric="loss"), "value")
            rows.append(
                {
                    "method": method,
                    "pair": pair,
                    "split": split,
                    "highest": float(loss.max()),
                    "first_end": float(loss[0]),
                    "last_end": float(loss[-1]),
                    "accuracy": float(numbers(where(here, metric="accuracy"), "value").min()),
                    "length": float(numbers(here, "arc_length").max()),
                }
            )
    return pa.Table.from_pylist(rows)


def labels_of(profile: pa.Table) -> list[tuple[str, str, str]]:
    """Method, pair and split of every path."""
    columns = (profile[name].to_pylist() for name in ("method", "pair", "split"))
    return list(dict.fromkeys(zip(*columns, strict=True)))


def matrix(highest: pa.Table, method: str, seeds: tuple[int, ...]) -> np.ndarray:
    """The highest train loss between any two seeds; the seeds' own losses on the diagonal."""
    place = {str(seed): i for i, seed in enumerate(seeds)}
    found = np.full((len(seeds), len(seeds)), np.nan)
    for row in where(highest, method=method, split="train").to_pylist():
        i, j = (place[seed] for seed in row["pair"].split("-"))
        found[i, j] = found[j, i] = row["highest"]
        found[i, i], found[j, j] = row["first_end"], row["last_end"]
    return found


def comparison(results: Mapping[str, Result], highest: pa.Table) -> list[dict[str, Any]]:
    """Lines, Bezier curves and bands side by side."""
    rows = []
    straight = where(highest, method="naive", split="train").to_pylist()
    lengths = {row["pair"]: row["length"] for row in straight}
    for stage, method, name in (
        ("lines", "naive", "line"),
        ("curves", CURVE, CURVE),
        ("bands", METHOD, METHOD),
    ):
        barriers = where(results[stage].tables["barriers"], kind="chord", metric="loss")
        train, test = (where(highest, method=method, split=split) for split in ("train", "test"))
        ratios = [row["length"] / lengths[row["pair"]] for row in train.to_pylist()]
        rows.append(
            {
                "path": name,
                "highest train loss": round(float(numbers(train, "highest").mean()), 5),
                "train barrier": mean_barrier(barriers, "train"),
                "test barrier": mean_barrier(barriers, "test"),
                "lowest accuracy": round(float(numbers(test, "accuracy").min()), 4),
                "length / distance": round(float(np.mean(ratios)), 3),
            }
        )
    return rows


def mean_barrier(barriers: pa.Table, split: str) -> float:
    """The mean over pairs."""
    return round(float(numbers(where(barriers, split=split), "value").mean()), 5)


def claims(
    cycles: pa.Table,
    highest: pa.Table,
    saddles: np.ndarray,
    bounds: np.ndarray,
    results: Mapping[str, Result],
) -> list[Claim]:
    """What the paper says, and what follows by construction."""
    by_pair = {pair: where(cycles, pair=pair) for pair in dict.fromkeys(cycles["pair"].to_pylist())}
    falls = [falls_to_the_end(rows) for rows in by_pair.values()]
    shares = [half_barrier(rows) for rows in by_pair.values()]
    ratios = [float(numbers(rows, "ratio")[-1]) for rows in by_pair.values()]
    curves = highest_by_pair(highest, CURVE)
    bands = highest_by_pair(highest, METHOD)
    against = max(bands[pair] / curves[pair] for pair in bands)
    worst = max(
        bounds[a, c] - max(bounds[a, b], bounds[b, c])
        for a, b, c in itertools.permutations(range(len(bounds)), 3)
    )
    test = {
        stage: numbers(
            where(results[stage].tables["barriers"], kind="chord", metric="loss", split="test"),
            "value",
        ).mean()
        for stage in ("lines", "bands")
    }
    upper = np.triu_indices(len(saddles), 1)
    return [
        Claim(
            "the highest train loss falls in every cycle, until it is that of an end",
            PAPER,
            f"{len(falls)} of {len(falls)} pairs",
            f"{sum(falls)} of {len(falls)} pairs",
            all(falls),
            id="falls-every-cycle",
        ),
        Claim(
            "after the first cycle the highest train loss lies less than half as high above the "
            "ends as that of the line, for every pair",
            PAPER,
            "share of the line's below 0.5",
            f"{max(shares):.3f}",
            max(shares) < 0.5,
            id="half-as-high",
        ),
        Claim(
            "the relaxed band is somewhat longer than the line",
            PAPER,
            "1.5 to 2.5 times",
            f"{min(ratios):.2f} to {max(ratios):.2f} times",
            min(ratios) >= 1.2 and max(ratios) <= 2.5,
            "1.2 to 2.5 times, for every pair",
            id="longer-than-line",
        ),
        Claim(
            "a band is no higher than a Bezier curve (train), which minimises the mean loss",
            "this project",
            "at most 3 times its highest loss",
            f"{against:.2f} times at most",
            against <= 3,
            id="below-bezier",
        ),
        Claim(
            "on examples that were not trained on, too, the mean barrier of bands is below half of "
            "that of lines",
            "control",
            f"below {test['lines'] / 2:.3g}",
            f"{test['bands']:.3g}",
            bool(test["bands"] < test["lines"] / 2),
            id="test-barrier-halved",
        ),
        Claim(
            "along the spanning tree no way from A to C is higher than the higher of A to B and "
            "B to C, and none is higher than the band found from A to C",
            "by construction",
            "0 nats above",
            f"{max(worst, 0.0):.2g} nats above",
            bool(worst <= 0 and (bounds[upper] <= saddles[upper]).all()),
            id="tree-bounds",
        ),
    ]


def falls_to_the_end(rows: pa.Table) -> bool:
    """Whether it falls in every cycle that does not begin at the loss of the higher end."""
    saddle, end = numbers(rows, "saddle"), numbers(rows, "higher_end")
    is_down = saddle[:-1] <= end[:-1] * (1 + 1e-6)
    return bool((is_down | (np.diff(saddle) < 0)).all())


def half_barrier(rows: pa.Table) -> float:
    """The height above the higher end after the first cycle, as a share of that of the line."""
    end, saddle = numbers(rows, "higher_end")[0], numbers(rows, "saddle")
    return float((saddle[1] - end) / (saddle[0] - end))


def highest_by_pair(highest: pa.Table, method: str) -> dict[str, float]:
    """The highest train loss of every pair."""
    rows = where(highest, method=method, split="train").to_pylist()
    return {row["pair"]: row["highest"] for row in rows}
