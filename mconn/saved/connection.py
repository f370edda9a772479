"""Two saved networks, a path between them, and what the loss does along it and along the line."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mconn import landscape, paths, trees
from mconn.errors import CheckpointError
from mconn.experiment import read_json, write_json
from mconn.experiment.stages import has_statistics, point_rows, recomputed, training_loss
from mconn.landscape import Estimate, Profile
from mconn.measure import Execution
from mconn.paths import ControlledPath, FitConfig
from mconn.progress import SILENT, Progress
from mconn.saved.reading import Pair, npz_leaves
from mconn.saved.writing import DONE
from mconn.types import Params

LINE = "line"


@dataclass(frozen=True)
class Connection:
    """A path and its control, the line between the same ends.

    Attributes:
        path: fitted, or the line itself.
        samples: forward and backward passes of one example that the fit took.
        history: of the fit, by epoch; empty for a line.
        profiles: by method (``line`` and the family) and split.
        barriers: the chord barrier of the loss of each, in nats.
    """

    path: ControlledPath
    samples: int
    history: Mapping[str, np.ndarray]
    profiles: Mapping[tuple[str, str], Profile]
    barriers: Mapping[tuple[str, str], Estimate]

    @property
    def segment(self) -> float:
        """The distance of the ends."""
        first, last = (trees.index(self.path.controls, i) for i in (0, self.path.count - 1))
        return float(trees.distance(first, last))

    @property
    def length(self) -> float:
        """The length of the path."""
        return float(self.path.length())

    @property
    def relative_length(self) -> float:
        """The length in distances of the ends; 1 for a line from a network to itself."""
        return self.length / self.segment if self.segment else 1.0

    def as_json(self) -> dict[str, Any]:
        """The numbers, as JSON values."""
        return {
            "length": self.length,
            "segment": self.segment,
            "samples": self.samples,
            "history": {name: values.tolist() for name, values in self.history.items()},
            "barriers": {
                method: {
                    split: asdict(estimate)
                    for (name, split), estimate in self.barriers.items()
                    if name == method
                }
                for method, _ in self.barriers
            },
        }

    def rows(self) -> list[dict[str, Any]]:
        """A profile table with a row per method, split, metric and point."""
        return [
            {
                "method": method,
                "pair": "a-b",
                "split": split,
                **row,
                "segment": self.segment,
                "normaliser": profile.normaliser if has_statistics(self.path.controls) else "none",
            }
            for (method, split), profile in self.profiles.items()
            for row in point_rows(profile)
        ]


def connect(
    pair: Pair,
    fit: FitConfig,
    work: Path,
    *,
    family: Any = "bezier",
    bends: int = 1,
    positions: int = 61,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Connection:
    """Fit a path and measure it beside the line, on both splits.

    Args:
        pair: the networks at t = 0 and at t = 1, with data.
        fit: how the bends are fitted, on the training split.
        work: a folder for checkpoints.
        family: ``bezier``, ``chain`` or ``line``.
        bends: free control points.
        positions: equispaced points that are measured.
        seed: of the fit.
        progress: where to report to.
    """
    network, a, b, dataset = pair
    assert dataset is not None
    line = trees.to_numpy(paths.line(a, b))
    methods, path, samples, history = {LINE: line}, line, 0, {}
    if family != LINE:
        make = paths.bezier if family == "bezier" else paths.chain
        fitted = paths.fit(
            training_loss(network.config.model, a),
            make(a, b, bends),
            dataset.train,
            fit,
            jax.random.key(seed),
            keeper=work / "fit",
            progress=progress,
        )
        path, samples, history = fitted.path, fitted.samples, fitted.history
        methods[family] = path
    profiles = measure(pair, methods, positions, work, progress)
    barriers = {key: landscape.barrier(profile) for key, profile in profiles.items()}
    return Connection(path, samples, history, profiles, barriers)


def measure(
    pair: Pair,
    methods: Mapping[str, ControlledPath],
    positions: int,
    work: Path,
    progress: Progress,
) -> dict[tuple[str, str], Profile]:
    """The profiles of several paths on both splits; a finished chunk of points is not done again.

    BatchNorm statistics are recomputed at every point on training examples.
    """
    network, dataset = pair.network, pair.dataset
    assert dataset is not None
    eval_fn, ts = landscape.Classification(network.apply), np.linspace(0, 1, positions)
    statistics = recomputed(network.config.model, methods[LINE].controls, dataset.train)
    splits = {"train": dataset.train, "test": dataset.test}
    profiles, done = {}, 0
    total = len(methods) * len(splits) * positions
    with progress.task("measure", total=total, unit="point") as task:
        for method, path in methods.items():
            for split, examples in splits.items():
                profiles[method, split] = landscape.evaluate(
                    eval_fn,
                    path,
                    ts,
                    examples,
                    execution=Execution(
                        cells=work / f"{method}-{split}",
                        finished=lambda points, done=done, method=method, split=split: task.update(
                            done + points, path=method, split=split
                        ),
                        **statistics,
                    ),
                )
                done += positions
    return profiles


def write_path(out: Path, family: str, path: ControlledPath) -> None:
    """Write the stacked control points, by the names of their leaves, for `read_path`."""
    leaves: dict[str, Any] = {
        name: np.asarray(leaf) for name, leaf in trees.named_leaves(path.controls).items()
    }
    np.savez(out / "path.npz", **leaves)
    write_json(out / "path.json", {"family": family, "controls": path.count})


def read_path(folder: Path, model: Params) -> ControlledPath:
    """The path in a complete folder of ``mconn path``, in the structure of the model.

    Raises:
        CheckpointError: if there is none, or it does not fit the model.
    """
    if not (folder / DONE).is_file() or not (folder / "path.json").is_file():
        raise CheckpointError(f"'{folder}' is no complete folder of mconn path: name one")
    family, arrays = read_json(folder / "path.json")["family"], npz_leaves(folder / "path.npz")
    for name, like in trees.named_leaves(model).items():
        found = arrays.get(name)
        if found is None or found.shape[1:] != like.shape:
            raise CheckpointError(
                f"the path '{folder}' does not fit the model at leaf '{name}': give the options of "
                "the config that trained its ends"
            )
    leaves = [arrays[name] for name in trees.named_leaves(model)]
    controls = jax.tree.unflatten(jax.tree.structure(model), leaves)
    if family != LINE:
        return paths.with_controls(family, controls)
    a, b = (trees.index(controls, i) for i in range(2))
    return replace(paths.line(a, b), controls=controls)
