"""``mconn plane``: the loss on a plane through saved networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from tyro.conf import Positional

import mconn
from mconn.checks import check_choice
from mconn.cli.options import Call, Flag, SavedCommand, say, terminal
from mconn.errors import ConfigError

CURVE_POINTS = 61


@dataclass(frozen=True, kw_only=True)
class Plane(SavedCommand):
    """Measure the loss on a plane of networks and draw it.

    The plane goes through A, B and C; or, with --path, through A, B and the middle bend of a fitted
    path; or, with --random, around A along two random directions with the norm of every filter that
    of A (Li et al. 2018). Written are plane.npz (x, y, and means and standard errors of every
    metric), numbers.json, plane.png and plane.svg. A command that was stopped goes on where it was.
    Try

      mconn plane --path curve --model configs/digits_mlp.py --out plane
    """

    networks: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="A B C")]] = ()
    """.npz files, folders of orbax checkpoints, or RUN:SEED, as for mconn align."""

    out: Path
    """The folder to write to."""

    path: Path | None = None
    """Folder that mconn path wrote: its middle bend is the third network, its curve is drawn."""

    random: Flag = False
    """Two random filter-normalised directions from the first network."""

    resolution: int = 25
    """Points along each axis."""

    margin: float = 0.25
    """Around the networks, as a share of their box's longer side."""

    split: str = "train"
    """train or test."""

    examples: int = 2000
    """The first examples of the split are measured."""

    def run(self, call: Call) -> None:
        """Measure, write, print."""
        from mconn import landscape, saved
        from mconn.experiment.stages import has_statistics

        self._check()
        network = saved.network_of(call.build())
        networks = [saved.read(each, network.params, self.results).params for each in self.networks]
        curve = None if self.path is None else saved.read_path(self.path, network.params)
        dataset = self.load(network.config)
        out = saved.open_folder(self.out, self.force)
        plane, names = self._plane(networks, curve)
        where = landscape.coordinates(plane)
        points = dict(zip(names, where.points, strict=False))
        if self.random:
            x, y = landscape.centred_box(where, self.resolution, 1.0)
        else:
            x, y = landscape.box(where, self.resolution, self.margin)
        measured = self._measure(network, plane, (x, y), dataset, out / saved.WORK)
        curves = {}
        if curve is not None:
            curves["path"] = landscape.project(plane, curve, np.linspace(0, 1, CURVE_POINTS)).xy
        _write(out, measured, points, curves)
        told = {
            "networks": self.networks,
            "command": ["mconn", "plane", *call.words],
            "mconn": mconn.__version__,
            "split": self.split,
            "examples": measured.examples,
            "normaliser": measured.normaliser if has_statistics(plane.controls) else "none",
            "points": {name: xy.tolist() for name, xy in points.items()},
            "lowest": {metric: float(np.nanmin(mean)) for metric, mean in measured.mean.items()},
            "highest": {metric: float(np.nanmax(mean)) for metric, mean in measured.mean.items()},
        }
        saved.close_folder(out, told)
        loss = measured.mean["loss"]
        say(
            f"{loss.shape[1]} x {loss.shape[0]} points on {measured.examples} {self.split} "
            f"examples: loss from {np.nanmin(loss):.4g} to {np.nanmax(loss):.4g} nats\n"
            f"written: {out}"
        )

    def _check(self) -> None:
        check_choice("split", self.split, ("train", "test"))
        for name in ("resolution", "examples"):
            if getattr(self, name) < (2 if name == "resolution" else 1):
                raise ConfigError(f"{name} is {getattr(self, name)}: take more")
        if self.random and self.path is not None:
            raise ConfigError("--random and --path name two planes: choose one")
        wanted = 1 if self.random else 3 if self.path is None else 0
        if len(self.networks) != wanted:
            raise ConfigError(
                f"{len(self.networks)} saved networks are named, and this plane takes {wanted}: "
                "three of them, or one with --random, or none with --path FOLDER"
            )

    def _plane(self, networks: list[Any], curve: Any) -> tuple[Any, tuple[str, ...]]:
        import jax

        from mconn import landscape, paths, trees

        if self.random:
            plane = landscape.random_plane(jax.random.key(self.seed), networks[0])
            return plane, self.networks
        if curve is None:
            return paths.plane(*networks), self.networks
        if curve.count < 3:
            raise ConfigError("the path is a line, and spans no plane: name one with a bend")
        a, bend, b = (
            trees.index(curve.controls, i) for i in (0, curve.count // 2, curve.count - 1)
        )
        return paths.plane(a, b, bend), ("a", "b", "bend")

    def _measure(self, network: Any, plane: Any, grid: Any, dataset: Any, work: Path) -> Any:
        from mconn import landscape
        from mconn.experiment.stages import recomputed
        from mconn.measure import Execution

        x, y = grid
        with terminal().task("plane", total=len(x) * len(y), unit="point") as task:
            return landscape.evaluate_plane(
                landscape.Classification(network.apply),
                plane,
                x,
                y,
                getattr(dataset, self.split).head(self.examples),
                execution=Execution(
                    cells=work / "plane",
                    finished=task.update,
                    **recomputed(network.config.model, plane.controls, dataset.train),
                ),
            )


def _write(
    out: Path, measured: Any, points: dict[str, np.ndarray], curves: dict[str, np.ndarray]
) -> None:
    from mconn.experiment import Plane, plane_figure, save_figure

    arrays = {f"mean/{metric}": mean for metric, mean in measured.mean.items()}
    arrays |= {f"error/{metric}": error for metric, error in measured.standard_error.items()}
    np.savez(out / "plane.npz", x=measured.x, y=measured.y, **arrays)
    shown = Plane(measured.x, measured.y, measured.mean["loss"], points, curves)
    save_figure(plane_figure([shown]), out / "plane")
