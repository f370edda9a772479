"""Elastic bands: how low is the highest point of a path between trained networks?

The pivots of a chain slide down across it, and more are inserted where the loss between them is
high; the highest loss left is an upper bound of the saddle (Draxler et al., *Essentially no
barriers in neural network energy landscape*, ICML 2018). A minimum spanning tree of such paths
bounds the saddle of every pair of minima.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments._shared.together import least, most, together
from experiments.curves.band_figures import chains_of, saddle_figure
from experiments.curves.band_stages import METHOD, Bands
from mconn import paths
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    pivot_figure,
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
        cycles, points = bands.frame("cycles"), bands.frame("points")
        profile, barriers = (
            pd.concat(results[stage].frame(name) for stage in ("lines", "curves", "bands"))
            for name in ("profile", "barriers")
        )
        highest = highest_losses(profile)
        seeds = self.train.seeds
        lines, saddles = (matrix(highest, method, seeds) for method in ("naive", METHOD))
        bounds = paths.minimax(saddles)
        edges = ", ".join(f"{seeds[i]}-{seeds[j]}" for i, j in paths.spanning_tree(saddles))
        pair = bands.facts["order"][0]
        first = points[points.pair == pair]
        segment = float(cycles[cycles.pair == pair].length.iloc[0])
        model, data = type(self.train.model).__name__, self.train.data.name
        chord = barriers[(barriers.kind == "chord") & (barriers.metric == "loss")]
        rows = comparison(highest, chord)
        return Report(
            title=f"{model} on {data}: elastic bands between {len(seeds)} minima",
            question="How low can the highest loss of a path between two trained networks be made, "
            "and what do the paths that were found say of all pairs of minima?",
            summary=f"highest train loss on the path, mean over {len(highest) // 6} pairs: "
            + ", ".join(f"{row['path']} {row['highest train loss']:.2g}" for row in rows)
            + f" nats; a band is {rows[-1]['length / distance']:.2f} times as long as the line",
            headline=pd.DataFrame(rows),
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
            claims=judge(cycles, highest, saddles, bounds, chord),
        )


def highest_losses(profile: Frame) -> Frame:
    """A row per path, pair and split: the highest loss, those of the ends, the lowest accuracy."""
    path = ["method", "pair", "split"]
    loss, accuracy = (
        profile[profile.metric == name].groupby(path, sort=False)["value"]
        for name in ("loss", "accuracy")
    )
    columns = {"highest": loss.max(), "first_end": loss.first(), "last_end": loss.last()}
    columns |= {"accuracy": accuracy.min()}
    length = profile.groupby(path, sort=False)["arc_length"].max()
    return pd.DataFrame({**columns, "length": length}).reset_index()


def matrix(highest: Frame, method: str, seeds: tuple[int, ...]) -> np.ndarray:
    """The highest train loss between any two seeds; the seeds' own losses on the diagonal."""
    place = {str(seed): i for i, seed in enumerate(seeds)}
    found = np.full((len(seeds), len(seeds)), np.nan)
    rows = highest[(highest.method == method) & (highest.split == "train")]
    for row in rows.itertuples():
        i, j = (place[seed] for seed in row.pair.split("-"))
        found[i, j] = found[j, i] = row.highest
        found[i, i], found[j, j] = row.first_end, row.last_end
    return found


def comparison(highest: Frame, chord: Frame) -> list[dict[str, str | float]]:
    """Lines, Bezier curves and bands side by side."""
    paths_of = highest.set_index(["split", "method", "pair"]).sort_index()
    barrier = chord.groupby(["split", "method"])["value"].mean()
    ratio = paths_of.length["train"] / paths_of.length["train", "naive"].reindex(
        paths_of.length["train"].index, level="pair"
    )
    return [
        {
            "path": name,
            "highest train loss": round(paths_of.highest["train", method].mean(), 5),
            "train barrier": round(barrier["train", method], 5),
            "test barrier": round(barrier["test", method], 5),
            "lowest accuracy": round(paths_of.accuracy["test", method].min(), 4),
            "length / distance": round(ratio[method].mean(), 3),
        }
        for name, method in (("line", "naive"), (CURVE, CURVE), (METHOD, METHOD))
    ]


def judge(
    cycles: Frame, highest: Frame, saddles: np.ndarray, bounds: np.ndarray, chord: Frame
) -> list[Claim]:
    """What the paper says, and what follows by construction."""
    by_pair = [rows for _, rows in cycles.groupby("pair")]
    train = highest[highest.split == "train"].set_index(["method", "pair"])["highest"]
    barrier = chord[chord.split == "test"].groupby("method")["value"].mean()
    worst = [
        bounds[a, c] - max(bounds[a, b], bounds[b, c])
        for a, b, c in itertools.permutations(range(len(bounds)), 3)
    ]
    upper = np.triu_indices(len(saddles), 1)
    return [
        claims.counts(
            "falls-every-cycle",
            "the highest train loss falls in every cycle, until it is that of an end",
            [falls_to_the_end(rows) for rows in by_pair],
            source=PAPER,
        ),
        claims.at_most(
            "half-as-high",
            "after the first cycle the highest train loss lies less than half as high above the "
            "ends as that of the line, for every pair",
            [half_barrier(rows) for rows in by_pair],
            0.5,
            strict=True,
            of="share of the line's",
            source=PAPER,
        ),
        claims.between(
            "longer-than-line",
            "the relaxed band is somewhat longer than the line",
            [rows.ratio.iloc[-1] for rows in by_pair],
            1.2,
            2.5,
            unit="times, for every pair",
            source=f"{PAPER}: 1.5 to 2.5 times",
        ),
        claims.share_of(
            "below-bezier",
            "a band is no higher than a Bezier curve (train), which minimises the mean loss",
            train[METHOD],
            train[CURVE].reindex(train[METHOD].index),
            most=3,
            of="the curve's highest loss",
            source="this project",
        ),
        claims.at_most(
            "test-barrier-halved",
            "on examples that were not trained on, too, the mean barrier of bands is below half of "
            "that of lines",
            barrier[METHOD],
            barrier["naive"] / 2,
            strict=True,
            unit="nats, half of that of lines",
            source="control",
        ),
        together(
            "tree-bounds",
            "along the spanning tree no way from A to C is higher than the higher of A to B and "
            "B to C, and none is higher than the band found from A to C",
            most("height above two ways", worst, 0, "nats"),
            least("band above the way", saddles[upper] - bounds[upper], 0, "nats"),
            source="by construction",
        ),
    ]


def falls_to_the_end(rows: Frame) -> bool:
    """Whether it falls in every cycle that does not begin at the loss of the higher end."""
    is_down = rows.saddle <= rows.higher_end * (1 + 1e-6)
    return bool((is_down.iloc[:-1] | (np.diff(rows.saddle) < 0)).all())


def half_barrier(rows: Frame) -> float:
    """The height above the higher end after the first cycle, as a share of that of the line."""
    line, first, *_ = rows.saddle - rows.higher_end.iloc[0]
    return first / line
