"""Is the barrier that is left after matching a matter of the network and the data alone?

The same network is trained on the same data by several optimisers, rates and weight decays, for the
same number of epochs. Fort's replication of *Git Re-Basin* (Ainsworth et al., ICLR 2023) found that
MNIST networks connect for SGD with a large rate or Adam with a small one, and fail otherwise. The
barrier depends on how far the training got as well, so that the loss of the ends stands next to it,
and networks that fitted their training examples are compared among themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from experiments._shared.controls import alignment_claims
from mconn.errors import ConfigError
from mconn.experiment import LOOKS, PAGE, Experiment, Report, Result, Section, Stage, claims, style
from mconn.experiment.stages import Align, Sweep, Train
from mconn.training import Optimiser, TrainConfig

Method = Literal["naive", "weights", "activations"]
METHODS: tuple[Method, ...] = ("naive", "weights", "activations")
FORT = "S. Fort's replication of Ainsworth et al. 2023"
FITTED = 0.005
"""Networks with a train loss up to this, in nats, count as fitted."""


@dataclass(frozen=True)
class OptimiserDependence(Experiment):
    """Train the seeds by every optimiser, align them, sweep the lines.

    Attributes:
        train: what is trained; its optimiser is replaced.
        optimisers: each with the name under which it is shown.
        points: equispaced points on each line.
        claims_about: pairs (source, lower, higher) of names: the source says, or this study
            expects, that the first one leaves the lower barrier once the weights are matched.
    """

    train: TrainConfig
    optimisers: tuple[tuple[str, Optimiser], ...]
    points: int = 25
    claims_about: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.optimisers]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ConfigError(f"optimisers are called {names}: give at least two, each one name")
        for name in {name for _, *pair in self.claims_about for name in pair}:
            if name not in names:
                raise ConfigError(f"a claim is about '{name}', which is no optimiser of {names}")
        if len(self.train.seeds) < 2:
            raise ConfigError(f"seeds are {self.train.seeds}: a line needs two networks")

    def stages(self) -> dict[str, Stage]:
        """For every optimiser: the seeds, two alignments, three sweeps."""
        stages: dict[str, Stage] = {}
        for name, optimiser in self.optimisers:
            train = stages[f"{name}: train"] = Train(replace(self.train, optimiser=optimiser))
            for method in METHODS:
                align = None if method == "naive" else Align(train, method)
                if align is not None:
                    stages[f"{name}: align {method}"] = align
                stages[f"{name}: sweep {method}"] = Sweep(train, align, self.points)
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """Barriers and end losses by optimiser, and whether they depend on it."""
        barriers, profile = (
            pd.concat(
                results[f"{name}: sweep {method}"].frame(table).assign(optimiser=name)
                for name, _ in self.optimisers
                for method in METHODS
            )
            for table in ("barriers", "profile")
        )
        chord = barriers.query("kind == 'chord' and metric == 'loss' and split == 'train'")
        ends = profile.query("method == 'naive' and t in (0, 1)")
        loss = ends.query("split == 'train' and metric == 'loss'").groupby("optimiser").value.mean()
        right = ends.query("split == 'test' and metric == 'accuracy'").groupby("optimiser").value
        found: Found = {
            name: {"loss": loss[name], "accuracy": right.mean()[name]}
            | {
                str(m): part.value.to_numpy()
                for m, part in chord[chord.optimiser == name].groupby("method")
            }
            for name, _ in self.optimisers
        }
        lowest, highest = _extremes(found)
        return Report(
            title=f"{type(self.train.model).__name__} on {self.train.data.name}: the barrier and "
            "the optimiser",
            question="Does the barrier that is left between two networks once their units are "
            "matched depend on how they were trained?",
            summary="matched by weights, the train barrier is "
            f"{found[lowest]['weights'].mean():.3g} nats for {lowest} and "
            f"{found[highest]['weights'].mean():.3g} for {highest}",
            headline=[
                {"optimiser": name}
                | {method: _ranged(row[method]) for method in METHODS}
                | {"end train loss": float(f"{row['loss']:.2g}")}
                | {"end test accuracy": round(float(row["accuracy"]), 3)}
                for name, row in found.items()
            ],
            note=f"{self.train.epochs} epochs each, all with a cosine schedule. Mean train chord "
            f"barrier [lowest, highest pair] in nats over the pairs of {len(self.train.seeds)} "
            "seeds, and the mean train loss and test accuracy of the networks themselves.",
            sections=[
                Section(
                    "The barrier",
                    "",
                    {"barriers": _figure(found)},
                    {"estimates": barriers},
                    CAPTIONS,
                )
            ],
            claims=[
                *dependence_claims(found),
                *(_order(found, *names) for names in self.claims_about),
                *alignment_claims([r for name, r in results.items() if ": align " in name]),
            ],
        )


CAPTIONS = {
    "barriers": "Left: train chord barrier, mean over pairs with the lowest and the highest. "
    "Right: train loss of the networks; up to the dotted line they count as fitted.",
    "estimates": "Every kind of barrier of every pair.",
}
Found = Mapping[str, Mapping[str, Any]]
"""By optimiser: the barriers of every pair by method, and the ends' loss and accuracy."""


def _ranged(values: np.ndarray) -> str:
    return f"{values.mean():.3f} [{values.min():.3f}, {values.max():.3f}]"


def _extremes(found: Found) -> tuple[str, str]:
    names = sorted(found, key=lambda name: found[name]["weights"].mean())
    return names[0], names[-1]


def dependence_claims(found: Found) -> list[claims.Claim]:
    """The matched barriers of two optimisers are apart for every pair, fitted or not."""
    fitted = {name: row for name, row in found.items() if row["loss"] <= FITTED}
    told = "the barrier left by weight matching depends on the optimiser, for the same network and "
    judged = []
    for which, rows in (("", found), (f", fitted to a train loss up to {FITTED:g}", fitted)):
        if len(rows) > 1:
            low, high = (rows[name]["weights"] for name in _extremes(rows))
            id, of = f"depends{which and '/fitted'}", f"the highest of {_extremes(rows)[0]}"
            share = high.min() / max(low.max(), 1e-12)
            judged.append(
                claims.share_of(id, f"{told}data{which}", share, 1, least=2, of=of, source=FORT)
            )
    return judged


def _order(found: Found, source: str, lower: str, higher: str) -> claims.Claim:
    statement = f"the barrier left by weight matching is lower for {lower} than for {higher}"
    one, other = found[lower]["weights"], found[higher]["weights"].min()
    of = f"every pair of {lower}, with the lowest of {higher},"
    id = f"order/{lower}/{higher}"
    return claims.at_most(id, statement, one, other, of=of, unit="nats", source=source, strict=True)


def _figure(found: Found) -> Any:
    """A line per optimiser: its barriers by method on the left, its end loss on the right."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(PAGE, 0.9 + 0.28 * len(found)))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for i, (method, (colour, marker, _)) in enumerate(zip(METHODS, LOOKS, strict=False)):
            values = [np.maximum(row[method], 1e-4) for row in found.values()]
            y = np.arange(len(found)) + 0.2 * (i - 1)
            mean, low, high = ([f(each) for each in values] for f in (np.mean, np.min, np.max))
            left.hlines(y, low, high, color=colour, linewidth=1.2)
            left.plot(mean, y, marker, color=colour, markersize=4, label=method)
        right.plot([row["loss"] for row in found.values()], range(len(found)), "o", color="#4d4d4d")
        right.axvline(FITTED, color="#4d4d4d", linewidth=0.8, linestyle=(0, (1, 2)))
        for axis, label in ((left, "Train barrier (nats)"), (right, "Train loss of ends (nats)")):
            axis.set_xscale("log")
            axis.set_xlabel(label)
        left.set_yticks(range(len(found)), list(found))
        left.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=3)
    return figure
