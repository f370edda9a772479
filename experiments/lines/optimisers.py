"""Is the barrier that is left after matching a matter of the network and the data alone?

The same network is trained on the same data by several optimisers, rates and weight decays, for the
same number of epochs. Fort's replication of *Git Re-Basin* (Ainsworth et al., ICLR 2023) found that
MNIST networks connect for SGD with a large rate or Adam with a small one, and fail otherwise. The
barrier depends on how far the training got as well, so that the loss of the ends stands next to it,
and networks that fitted their training examples are compared among themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments._shared.controls import alignment_claims
from mconn.errors import ConfigError
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage, style
from mconn.experiment.figures import LOOKS, PAGE
from mconn.experiment.stages import Align, Sweep, Train
from mconn.experiment.tables import gather, numbers, where
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
            config = TrainConfig(
                self.train.model,
                self.train.data,
                optimiser,
                self.train.seeds,
                self.train.epochs,
                self.train.batch_size,
            )
            train = stages[f"{name}: train"] = Train(config)
            for method in METHODS:
                align = None if method == "naive" else Align(train, method)
                if align is not None:
                    stages[f"{name}: align {method}"] = align
                stages[f"{name}: sweep {method}"] = Sweep(train, align, self.points)
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """Barriers and end losses by optimiser, and whether they depend on it."""
        found = [measured(name, results) for name, _ in self.optimisers]
        by_name = {row["optimiser"]: row for row in found}
        barriers = labelled(results, [name for name, _ in self.optimisers], "barriers")
        lowest, highest = (extreme(found, which) for which in (min, max))
        model, data = self.train.model, self.train.data
        aligned = [result for name, result in results.items() if ": align " in name]
        return Report(
            title=f"{type(model).__name__} on {data.name}: the barrier and the optimiser",
            question="Does the barrier that is left between two networks once their units are "
            "matched depend on how they were trained?",
            summary="matched by weights, the train barrier is "
            f"{lowest['weights'].mean():.3g} nats for {lowest['optimiser']} and "
            f"{highest['weights'].mean():.3g} for {highest['optimiser']}",
            headline=pa.Table.from_pylist([shown(row) for row in found]),
            note=f"{self.train.epochs} epochs each, all with a cosine schedule. Mean train chord "
            f"barrier [lowest, highest pair] in nats over the pairs of {len(self.train.seeds)} "
            "seeds, and the mean train loss and test accuracy of the networks themselves.",
            sections=[
                Section(
                    "The barrier",
                    figures={"barriers": optimiser_figure(found)},
                    tables={"estimates": barriers},
                    captions={
                        "barriers": "Left: train chord barrier, mean over pairs with the lowest "
                        "and the highest. Right: train loss of the networks; up to the dotted "
                        "line they count as fitted.",
                        "estimates": "Every kind of barrier of every pair.",
                    },
                )
            ],
            claims=[
                *dependence_claims(found),
                *(
                    order_claim(source, by_name[lower], by_name[higher])
                    for source, lower, higher in self.claims_about
                ),
                *alignment_claims(aligned),
            ],
        )


def labelled(results: Mapping[str, Result], names: list[str], table: str) -> pa.Table:
    """The tables of one name of all optimisers, with a first column that says which."""
    tables = []
    for name in names:
        part = gather({k: r for k, r in results.items() if k.startswith(f"{name}: ")}, table)
        tables.append(part.add_column(0, "optimiser", pa.array([name] * part.num_rows)))
    return pa.concat_tables(tables)


def measured(name: str, results: Mapping[str, Result]) -> dict[str, Any]:
    """The train barriers by method, and the loss and accuracy of the ends, of one optimiser."""
    row: dict[str, Any] = {"optimiser": name}
    for method in METHODS:
        table = results[f"{name}: sweep {method}"].tables["barriers"]
        chord = where(table, kind="chord", metric="loss", split="train")
        row[method] = numbers(chord, "value")
    profile = results[f"{name}: sweep naive"].tables["profile"]
    ends = profile.filter(pc.field("t").isin([0.0, 1.0]))
    row["loss"] = numbers(where(ends, split="train", metric="loss"), "value").mean()
    row["accuracy"] = numbers(where(ends, split="test", metric="accuracy"), "value").mean()
    return row


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the headline."""
    return {
        "optimiser": row["optimiser"],
        **{method: ranged(row[method]) for method in METHODS},
        "end train loss": float(f"{row['loss']:.2g}"),
        "end test accuracy": round(float(row["accuracy"]), 3),
    }


def ranged(values: np.ndarray) -> str:
    """A mean with the lowest and the highest."""
    return f"{values.mean():.3f} [{values.min():.3f}, {values.max():.3f}]"


def extreme(found: list[dict[str, Any]], which: Any) -> dict[str, Any]:
    """The optimiser with the lowest or the highest mean barrier matched by weights."""
    return which(found, key=lambda row: row["weights"].mean())


def dependence_claims(found: list[dict[str, Any]]) -> list[Claim]:
    """The matched barriers of two optimisers are apart for every pair, fitted or not."""
    claims = []
    fitted = [row for row in found if row["loss"] <= FITTED]
    for which, rows in (("", found), (f", fitted to a train loss up to {FITTED:g}", fitted)):
        if len(rows) < 2:
            continue
        low, high = (extreme(rows, each) for each in (min, max))
        ratio = high["weights"].min() / max(low["weights"].max(), 1e-12)
        claims.append(
            Claim(
                "the barrier left by weight matching depends on the optimiser, for the same "
                f"network and data{which}",
                FORT,
                "between two optimisers, every pair at least 2 times as high",
                f"{ratio:.1f} times: {low['optimiser']} {ranged(low['weights'])}, "
                f"{high['optimiser']} {ranged(high['weights'])}",
                bool(ratio >= 2),
                id=f"depends{which and '/fitted'}",
            )
        )
    return claims


def order_claim(source: str, lower: Mapping[str, Any], higher: Mapping[str, Any]) -> Claim:
    """One optimiser leaves the lower barrier."""
    one, other = lower["weights"], higher["weights"]
    return Claim(
        f"the barrier left by weight matching is lower for {lower['optimiser']} than for "
        f"{higher['optimiser']}",
        source,
        "lower, for every pair",
        f"{ranged(one)} against {ranged(other)}, at train losses of {lower['loss']:.2g} and "
        f"{higher['loss']:.2g}",
        bool(one.max() < other.min()),
        id=f"order/{lower['optimiser']}/{higher['optimiser']}",
    )


def optimiser_figure(found: list[dict[str, Any]]) -> Any:
    """A line per optimiser: its barriers by method on the left, its end loss on the right."""
    from matplotlib.figure import Figure

    names = [row["optimiser"] for row in found]
    with style():
        figure = Figure(figsize=(PAGE, 0.9 + 0.28 * len(names)))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for i, (method, (colour, marker, _)) in enumerate(zip(METHODS, LOOKS, strict=False)):
            for place, row in enumerate(found):
                values = np.maximum(row[method], 1e-4)
                y = place + 0.2 * (i - 1)
                left.plot([values.min(), values.max()], [y, y], color=colour, linewidth=1.2)
                label = method if place == 0 else None
                left.plot(values.mean(), y, marker, color=colour, markersize=4, label=label)
        right.plot([row["loss"] for row in found], range(len(found)), "o", color="#4d4d4d")
        right.axvline(FITTED, color="#4d4d4d", linewidth=0.8, linestyle=(0, (1, 2)))
        for axis, label in ((left, "Train barrier (nats)"), (right, "Train loss of ends (nats)")):
            axis.set_xscale("log")
            axis.set_xlabel(label)
        left.set_yticks(range(len(names)), names)
        left.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=3)
    return figure
