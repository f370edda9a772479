"""Is the barrier that is left after matching a matter of the network and the data alone?

The same network is trained on the same data by several optimisers, rates and weight decays, for as
many epochs. Fort's replication of *Git Re-Basin* found that MNIST networks connect for SGD with a
large rate or Adam with a small one. The barrier depends on how far the training got as well, so
that networks that fitted their examples are compared among themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from experiments._shared import lines
from experiments._shared.controls import alignment_claims
from experiments._shared.ranges import ranges
from mconn.errors import ConfigError
from mconn.experiment import Claim, Experiment, Frame, Report, Result, Section, Stage, claims
from mconn.training import Optimiser, TrainConfig

METHODS = ("naive", "weights", "activations")
FORT = "S. Fort's replication of Ainsworth et al. 2023"
FITTED = 0.005  # nats of train loss up to which networks count as fitted
AXES = {"value": "Train barrier (nats)", "loss": "Train loss of ends (nats)"}
DRAWN = "Means, ranges over pairs or networks; up to the dotted line they count as fitted."


@dataclass(frozen=True)
class OptimiserDependence(Experiment):
    """Sweep seeds of every named optimiser; (source, lower, higher) claim an order of two names."""

    train: TrainConfig
    optimisers: tuple[tuple[str, Optimiser], ...]
    points: int = 25
    claims_about: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        lines.check_pairs(self.train)
        names = [name for name, _ in self.optimisers]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ConfigError(f"optimisers are called {names}: give at least two, each one name")
        for name in {name for _, *pair in self.claims_about for name in pair} - set(names):
            raise ConfigError(f"a claim is about '{name}', which is no optimiser of {names}")

    def stages(self) -> dict[str, Stage]:
        """For every optimiser: the seeds, two alignments, three sweeps."""
        stages = {}
        for name, optimiser in self.optimisers:
            train = replace(self.train, optimiser=optimiser)
            stages |= lines.line_stages(train, METHODS, self.points, f"{name}: {{}}")
        return stages

    def report(self, results: Mapping[str, Result]) -> Report:
        """Barriers and end losses by optimiser, and whether they depend on it."""
        named = {name: f"{name}: {{}}" for name, _ in self.optimisers}
        barriers = lines.frame_along(results, "barriers", "optimiser", named)
        profile = lines.frame_along(results, "profile", "optimiser", named)
        chord = barriers.query("kind == 'chord' and metric == 'loss' and split == 'train'")
        ends = lines.ends_of(profile, ["optimiser"]).assign(method="ends")
        mean = ends.pivot_table("value", "optimiser", ["split", "metric"])
        told = chord.groupby(["optimiser", "method"]).value.agg(lines.ranged).unstack()
        told = told.loc[list(named), list(METHODS)]
        told["end train loss"] = mean["train", "loss"].map("{:.2g}".format).astype(float)
        told["end test accuracy"] = mean["test", "accuracy"].round(3)
        matched = chord[chord.method == "weights"].groupby("optimiser").value
        left = matched.agg(["mean", "min", "max"]).assign(loss=mean["train", "loss"])
        low, high = left["mean"].idxmin(), left["mean"].idxmax()
        fitted = ends.query("split == 'train' and metric == 'loss'")
        drawn = pd.concat([chord, fitted.rename(columns={"value": "loss"})])
        figure = ranges(drawn, "optimiser", AXES, by="method", floor=1e-4, level=FITTED)
        shown = {"barriers": figure}, {"estimates": barriers}, {"barriers": DRAWN}
        return Report(
            title=f"{lines.network_and_data(self.train)}: the barrier and the optimiser",
            question="Does the barrier that matching leaves depend on how networks were trained?",
            summary="matched by weights, the train barrier is "
            f"{left['mean'][low]:.3g} nats for {low} and {left['mean'][high]:.3g} for {high}",
            headline=told.reset_index(),
            note=f"{self.train.epochs} epochs each, {len(self.train.seeds)} seeds. Mean train "
            "barrier [lowest, highest pair] in nats; loss and accuracy of the networks themselves.",
            sections=[Section("The barrier", "", *shown)],
            claims=judge(left, self.claims_about)
            + alignment_claims([r for name, r in results.items() if ": align " in name]),
        )


def judge(left: Frame, about: tuple[tuple[str, str, str], ...]) -> list[Claim]:
    """The matched barriers of two optimisers are apart for every pair, fitted or not."""
    found, told, fitted = [], "the barrier left by weight matching ", left[left.loss <= FITTED]
    cases = (("", "", left), ("/fitted", f", fitted to a train loss up to {FITTED:g}", fitted))
    for part, which, rows in cases:
        if len(rows) > 1:
            low, high = rows["mean"].idxmin(), rows["mean"].idxmax()
            top, least = max(rows["max"][low], 1e-12), rows["min"][high]
            what = f"{told}depends on the optimiser, for the same network and data{which}"
            id, of = f"depends{part}", f"the highest of {low}"
            found.append(claims.share_of(id, what, least, top, least=2, of=of, source=FORT))
    for source, low, high in about:
        id, what = f"order/{low}/{high}", f"{told}is lower for {low} than for {high}"
        top, least, of = left["max"][low], left["min"][high], f"every pair, with {high}'s lowest,"
        found.append(claims.at_most(id, what, top, least, of=of, source=source, strict=True))
    return found
