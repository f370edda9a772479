"""``mconn path``: two saved networks, and a path fitted between them."""

import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import Positional

import mconn
from mconn.checks import check_choice
from mconn.cli.options import Call, SavedCommand, say, terminal
from mconn.errors import ConfigError

if TYPE_CHECKING:
    from mconn.paths import FitConfig
    from mconn.saved import Connection

FAMILIES = ("bezier", "chain", "line")
OBJECTIVES = ("mean", "soft-maximum", "maximum")


@dataclass(frozen=True, kw_only=True)
class Path(SavedCommand):
    """Fit a path between the saved networks A and B, on the training data of their config.

    The loss along it is measured beside that on the straight line, on train and test. Written are
    path.npz (the stacked control points), path.json, numbers.json, profile.parquet, path.png and
    path.svg. A command that was stopped goes on where it was. Try

      mconn path digits_mlp:0 digits_mlp:1 --model configs/digits_mlp.py --out curve
    """

    networks: Positional[Annotated[tuple[str, str], tyro.conf.arg(metavar="A B")]]
    """.npz files, folders of orbax checkpoints, or RUN:SEED, as for mconn align."""

    out: pathlib.Path
    """The folder to write to."""

    family: str = "bezier"
    """bezier, chain or line."""

    bends: int = 1
    """Free control points."""

    align: str = "none"
    """How the second network is permuted first: none, or a method of mconn align."""

    objective: str = "mean"
    """mean, soft-maximum or maximum of the losses at the points of a step."""

    fit_epochs: int = 30
    """Passes over the training split."""

    fit_batch_size: int = 128
    """Examples of a step."""

    fit_learning_rate: float = 0.03
    """Largest one of the schedule, a plateau and then a fall, of SGD with momentum."""

    fit_weight_decay: float = 5e-4
    """Of the points of the path."""

    fit_points: int = 1
    """Points of the path in a step; at least 2 for soft-maximum and maximum."""

    positions: int = 61
    """Equispaced points that are measured, ends included."""

    def run(self, call: Call) -> None:
        """Fit, measure, write, print."""
        from mconn import saved

        self._check()
        fit = self._fit_config()
        network = saved.network_of(call.build())
        progress = terminal()
        a, b = (saved.read(each, network.params, self.results).params for each in self.networks)
        pair = saved.Pair(network, a, b, self.load(network.config))
        out = saved.open_folder(self.out, self.force)
        if self.align != "none":
            moved = saved.align(
                pair, method=self.align, seed=self.seed, barrier=False, progress=progress
            ).moved
            pair = pair._replace(b=moved)
        done = saved.connect(
            pair,
            fit,
            out / saved.WORK,
            family=self.family,
            bends=self.bends,
            positions=self.positions,
            seed=self.seed,
            progress=progress,
        )
        _write(out, self.family, done)
        told = {
            "a": self.networks[0],
            "b": self.networks[1],
            "command": ["mconn", "path", *call.words],
            "mconn": mconn.__version__,
            "align": self.align,
            **done.as_json(),
        }
        saved.close_folder(out, told)
        say(_described(done, self.family))
        say(f"written: {out}")

    def _check(self) -> None:
        from mconn.saved import OFFERED

        check_choice("family", self.family, FAMILIES)
        check_choice("objective", self.objective, OBJECTIVES)
        check_choice("align", self.align, ("none", *OFFERED))
        if self.bends < 1:
            raise ConfigError(
                f"bends is {self.bends}: a curve needs at least one, or take --family line"
            )
        if self.positions < 3:
            raise ConfigError(
                f"positions is {self.positions}: a barrier needs the two ends and a point between"
            )
        if not 0 <= self.seed < 2**31:
            raise ConfigError(f"seed is {self.seed}: it must be at least 0 and below 2**31")

    def _fit_config(self) -> "FitConfig":
        from mconn.paths import FitConfig, Maximum, Mean, SoftMaximum
        from mconn.training import Optimiser

        objectives = {"mean": Mean(), "soft-maximum": SoftMaximum(0.1, 0.005), "maximum": Maximum()}
        return FitConfig(
            epochs=self.fit_epochs,
            batch_size=self.fit_batch_size,
            optimiser=Optimiser("sgd", self.fit_learning_rate, schedule="plateau"),
            points=self.fit_points,
            objective=objectives[self.objective],
            weight_decay=self.fit_weight_decay,
        )


def _write(out: pathlib.Path, family: str, done: "Connection") -> None:
    import pyarrow as pa
    import pyarrow.parquet

    from mconn.experiment import length_figure, save_figure
    from mconn.saved import write_path

    write_path(out, family, done.path)
    table: Any = pa.Table.from_pylist(done.rows())
    pyarrow.parquet.write_table(table, out / "profile.parquet")
    save_figure(length_figure(table), out / "path")


def _described(done: "Connection", family: str) -> str:
    lines = [
        f"{family}: length {done.length:.6g}, {done.relative_length:.3f} times the distance "
        f"of the ends, after {done.samples:,} samples",
        "chord barrier of the loss, in nats, with its paired standard error and 95 % interval",
    ]
    for (method, split), found in done.barriers.items():
        lines.append(
            f"  {method}, {split}: {found.value:.4f} ± {found.standard_error:.4f} "
            f"[{found.low:.4f}, {found.high:.4f}] at t = {found.at:.3f}"
        )
    return "\n".join(lines)
