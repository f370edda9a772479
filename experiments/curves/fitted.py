"""Are independently trained networks joined by a curve of low loss, where the line has a hump?

Between two trained networks one control point is fitted, so that the mean loss along a Bezier
curve, or along a chain of two segments, is low (Garipov et al., NeurIPS 2018). The straight line is
the control. The study measures both, draws the plane that the curve lies in, and asks what the
networks along it compute: do they differ, are they worth an ensemble, and which part of the logits
makes the hump.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from experiments.curves import fitted_claims as claims, fitted_sections as sections
from experiments.curves.fitted_stages import LINE, AlongCurve, CurvePlane, geometry_rows
from mconn.errors import ConfigError
from mconn.experiment import (
    Claim,
    Experiment,
    Report,
    Result,
    Section,
    Stage,
    gather,
    numbers,
    where,
)
from mconn.experiment.stages import Connect, Family, Sweep, Train
from mconn.paths import FitConfig
from mconn.training import TrainConfig


@dataclass(frozen=True)
class Curves(Experiment):
    """Train the seeds, fit curves between every two, and measure them beside the straight line.

    Attributes:
        train: what is trained; every pair of its seeds is joined.
        fit: how the control points are fitted.
        families: of the curves; the first is the one that is looked at closely.
        bends: free control points of each curve.
        points: equispaced points on each path; odd, so that t = 1/2 is one.
        plane: points of the plane's grid along each axis.
        plane_split: the split whose loss is drawn on it.
        plane_examples: so many of its examples at most.
        functions: whether to look at what the networks on the first family's curve compute; for
            networks without running statistics.
        skipping: whether to measure the first family's curve also with BatchNorm statistics that
            are not recomputed.
        expected: published (family, largest test error on the curve, that of the worse end), in %.
        expected_source: where they were published.
    """

    train: TrainConfig
    fit: FitConfig = field(default=FitConfig())
    families: tuple[Family, ...] = ("bezier", "chain")
    bends: int = 1
    points: int = 61
    plane: int = 41
    plane_split: str = "train"
    plane_examples: int = 2000
    functions: bool = True
    skipping: bool = False
    expected: tuple[tuple[Family, float, float], ...] = ()
    expected_source: str = ""

    def __post_init__(self) -> None:
        if len(self.train.seeds) < 2:
            raise ConfigError(
                f"seeds are {self.train.seeds}: a curve joins two networks, train at least two"
            )
        if not self.families:
            raise ConfigError("there is no family of curves: name bezier, chain or both")
        if self.points < 3 or self.points % 2 == 0:
            raise ConfigError(
                f"points is {self.points}: take an odd number of at least 3, so that t = 1/2 and "
                "the ends are among them"
            )

    def stages(self) -> dict[str, Stage]:
        """A fit and a sweep for each family, the sweep of the line, and the closer looks."""
        train, curves = Train(self.train), self._curves()
        first = curves[self.families[0]]
        stages: dict[str, Stage] = {"train": train, "sweep line": Sweep(train, None, self.points)}
        for family, connect in curves.items():
            stages[f"connect {family}"] = connect
            stages[f"sweep {family}"] = Sweep(train, None, self.points, curve=connect)
        stages["plane"] = self._plane()
        if self.functions:
            stages["along curve"] = AlongCurve(first, self.points)
            stages["along line"] = AlongCurve(first, self.points, straight=True)
        if self.skipping:
            stages["skipping"] = Sweep(train, None, self.points, curve=first, recompute=False)
        return stages

    def _curves(self) -> dict[Family, Connect]:
        """The fits, by family."""
        train = Train(self.train)
        return {family: Connect(train, self.fit, family, self.bends) for family in self.families}

    def _plane(self) -> CurvePlane:
        """The plane of the first family's curve."""
        return CurvePlane(
            self._curves()[self.families[0]],
            self.points,
            self.plane,
            split=self.plane_split,
            examples=self.plane_examples,
        )

    def report(self, results: Mapping[str, Result]) -> Report:
        """The curves beside the line, the plane, and what the networks on the curve compute."""
        sweeps = {name: result for name, result in results.items() if name.startswith("sweep ")}
        profile, barriers = (as_line(gather(sweeps, table)) for table in ("profile", "barriers"))
        geometry = pa.Table.from_pylist(
            [
                row
                for family, connect in self._curves().items()
                for row in geometry_rows(connect, results[f"connect {family}"].tree)
            ]
        )
        segments = dict(
            zip(geometry["pair"].to_pylist(), geometry["segment"].to_pylist(), strict=True)
        )
        profile = claims.with_segments(profile, segments)
        chord = where(barriers, kind="chord", metric="loss")
        first = self.families[0]
        model, data = type(self.train.model).__name__, self.train.data.name
        largest = {
            method: float(claims.barriers_of(barriers, method).max())
            for method in (LINE, *self.families)
        }
        pairs = len(segments)
        return Report(
            title=f"{model} on {data}: curves between trained networks",
            question=(
                f"{len(self.train.seeds)} networks were trained from different seeds. The straight "
                "line between two of them crosses a hump of the loss. Is there a curve that does "
                "not, and what do the networks on it compute?"
            ),
            summary="largest train barrier "
            + ", ".join(f"{method} {value:.3g}" for method, value in largest.items())
            + f" nats ({pairs} {'pair' if pairs == 1 else 'pairs'})",
            headline=self._headline(profile, barriers, geometry),
            note=(
                "The line is the control: the same ends, nothing fitted. A curve is fitted on the "
                f"mean train loss over the path, for {self.fit.epochs} epochs. Chord barrier: the "
                "largest height of the loss above the straight line through the ends' losses, in "
                "nats per example, "
                + (
                    "with its 95 % bootstrap interval over examples. "
                    if pairs == 1
                    else "as mean over pairs of seeds with the lowest and the highest pair. "
                )
                + f"Maxima are over {self.points} points. No augmentation. "
                + (
                    "BatchNorm statistics are recomputed on training examples at every point."
                    if profile["normaliser"][0].as_py() == "recompute"
                    else "The network has no normaliser with running statistics."
                )
            ),
            sections=[
                sections.along_section(profile, chord, geometry),
                *self._skipping_section(results, profile),
                sections.plane_section(results["plane"], self._plane()),
                *self._function_section(results),
                Section(
                    "Numbers",
                    tables={
                        "estimates": barriers,
                        "profile": profile,
                        "history": results["train"].tables["history"],
                        "fits": gather_named(results, self.families),
                    },
                    captions={
                        "estimates": "Every kind of barrier of every pair, with its paired "
                        "standard error and 95 % interval over examples.",
                        "profile": "All points of all paths.",
                        "history": "Loss and accuracy of each epoch of the ends' training.",
                        "fits": "Loss of each epoch of the curves' fits, as mean over the points "
                        "drawn, and the mean over steps of the largest of a step.",
                    },
                ),
            ],
            claims=[
                *(
                    claim
                    for family in self.families
                    for claim in claims.curve_claims(family, barriers, profile, geometry)
                ),
                claims.plane_claim(results["plane"].tables["drawn"], profile),
                *self._function_claims(results, profile),
                *self._skipping_claims(first, barriers, results),
                *claims.published_claims(self.expected, profile, self.expected_source),
            ],
        )

    def _headline(self, profile: pa.Table, barriers: pa.Table, geometry: pa.Table) -> pa.Table:
        rows = []
        for method in (LINE, *self.families):
            row: dict[str, str | float] = {"path": method}
            for split in ("train", "test"):
                chosen = where(barriers, method=method, split=split, kind="chord", metric="loss")
                value = numbers(chosen, "value")
                low, high = (
                    (numbers(chosen, "low")[0], numbers(chosen, "high")[0])
                    if len(value) == 1
                    else (value.min(), value.max())
                )
                row[f"{split} barrier"] = f"{value.mean():.4f} [{low:.4f}, {high:.4f}]"
            row["highest train loss"] = claims.loss_curves(profile, method).max().round(4)
            accuracy = where(profile, method=method, split="test", metric="accuracy")
            row["highest test error (%)"] = round(100 * (1 - numbers(accuracy, "value").min()), 2)
            ratio = (
                np.ones(1) if method == LINE else numbers(where(geometry, method=method), "ratio")
            )
            shown = [f"{each:.3g}" for each in (ratio.min(), ratio.max())]
            row["length / segment"] = " to ".join(shown if len(ratio) > 1 else shown[:1])
            rows.append(row)
        return pa.Table.from_pylist(rows)

    def _function_section(self, results: Mapping[str, Result]) -> list[Section]:
        if not self.functions:
            return []
        return [sections.function_section(gather(results, "along"), [LINE, self.families[0]])]

    def _skipping_section(self, results: Mapping[str, Result], profile: pa.Table) -> list[Section]:
        if not self.skipping:
            return []
        first = self.families[0]
        recomputed = where(profile, method=first).drop_columns(["segment"])
        mixed = results["skipping"].tables["profile"]
        return [sections.skipping_section(recomputed, mixed, first)]

    def _function_claims(self, results: Mapping[str, Result], profile: pa.Table) -> list[Claim]:
        if not self.functions:
            return []
        along = gather(results, "along")
        return [
            claims.ensemble_claim(along, self.families[0]),
            claims.decomposition_claim(along, profile),
        ]

    def _skipping_claims(
        self, first: Family, barriers: pa.Table, results: Mapping[str, Result]
    ) -> list[Claim]:
        if not self.skipping:
            return []
        wrong = results["skipping"].tables["barriers"]
        return [claims.statistics_claim(first, where(barriers, method=first), wrong)]


def as_line(table: pa.Table) -> pa.Table:
    """A table of sweeps in which the line between untouched networks is called so."""
    names = [LINE if name == "naive" else name for name in table["method"].to_pylist()]
    return table.set_column(table.column_names.index("method"), "method", pa.array(names))


def gather_named(results: Mapping[str, Result], families: tuple[Family, ...]) -> pa.Table:
    """The fits' histories, with the family as the first column."""
    tables = [results[f"connect {family}"].tables["fits"] for family in families]
    return pa.concat_tables(
        [
            table.add_column(0, "method", pa.array([family] * len(table)))
            for family, table in zip(families, tables, strict=True)
        ]
    )
