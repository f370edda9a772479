"""Finished points on disk, so that an evaluation that was stopped goes on where it was."""

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mconn.errors import CheckpointError
from mconn.landscape.measured import Measured

DESCRIPTION = "evaluation.json"
GRADIENT_NORM = "gradient_norm"
POINTS = "points"
METRIC = "metric "


class Cells:
    """A folder with one file per finished call; each file appears whole or not at all."""

    def __init__(self, folder: Path, description: dict[str, str]) -> None:
        """Open the folder, or make it.

        Args:
            folder: of one evaluation; a process of several has its own folder within it.
            description: what the evaluation is, from `describe`.

        Raises:
            CheckpointError: if the folder belongs to another evaluation.
        """
        several = jax.process_count() > 1
        self.folder = folder / f"process-{jax.process_index()}" if several else folder
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            check(self.folder / DESCRIPTION, description)
        except OSError as error:
            raise CheckpointError(
                f"{self.folder} cannot be used for finished points ({error.strerror}): name "
                "another folder"
            ) from error

    def save(self, points: np.ndarray, measured: Measured) -> None:
        """Write the results of some points.

        Args:
            points: their indices.
            measured: their results, in this order.
        """
        arrays = {METRIC + metric: values for metric, values in measured.values.items()}
        if measured.gradient_norm is not None:
            arrays[GRADIENT_NORM] = measured.gradient_norm
        target = self.folder / f"points-{points[0]:06d}-{len(points):06d}.npz"
        unfinished = target.with_suffix(".new")
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **{POINTS: points}, **arrays)
        unfinished.replace(target)

    def load(self, total: int) -> dict[int, Measured]:
        """The results of every finished point of ``total``, by its index.

        Raises:
            CheckpointError: if a file is damaged.
        """
        found: dict[int, Measured] = {}
        for path in sorted(self.folder.glob("points-*.npz")):
            try:
                with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                points = arrays.pop(POINTS)
            except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
                raise CheckpointError(
                    f"{path} is damaged ({error}): delete it to measure its points again"
                ) from error
            gradient_norm = arrays.pop(GRADIENT_NORM, None)
            values = {name.removeprefix(METRIC): array for name, array in arrays.items()}
            measured = Measured(values, gradient_norm)
            found |= {
                int(point): measured.at(slice(row, row + 1)) for row, point in enumerate(points)
            }
        return in_all_processes(found, total)


def in_all_processes(found: dict[int, Measured], total: int) -> dict[int, Measured]:
    """The points that every process has; a kill may leave one of them a call behind."""
    if jax.process_count() == 1:
        return found
    from jax.experimental.multihost_utils import process_allgather

    here = np.array([point in found for point in range(total)])
    everywhere = np.asarray(process_allgather(here)).reshape(-1, total).all(axis=0)
    return {point: found[point] for point in np.flatnonzero(everywhere).tolist()}


def describe(**parts: Any) -> dict[str, str]:
    """What distinguishes an evaluation: the structure and the numbers of everything given."""
    return {name: f"{words(part)} {digest(part)}" for name, part in parts.items()}


def words(part: Any) -> str:
    """The structure of a tree as text that is the same in every process."""
    is_array = isinstance(part, np.ndarray | jax.Array)
    text = "" if is_array else repr(jax.tree.map(lambda leaf: leaf if callable(leaf) else 0, part))
    # A function prints its address in memory.
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(text.split()))


def digest(tree: Any) -> str:
    """The sha256 of all numbers of a tree, with their shapes."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        if not callable(leaf):
            array = np.ascontiguousarray(leaf)
            found.update(f"{array.dtype}{array.shape}".encode())
            found.update(array.tobytes())
    return found.hexdigest()


def check(path: Path, description: dict[str, str]) -> None:
    """Refuse a folder of another evaluation; mark a new one as this evaluation's."""
    if path.exists():
        try:
            stored = dict(json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}): delete {path.parent} to measure anew"
            ) from error
        differing = [name for name in description if stored.get(name) != description[name]]
        if differing:
            raise CheckpointError(
                f"the points in {path.parent} belong to another evaluation ({differing[0]} is "
                "another one there): delete the folder or name another"
            )
        return
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(description, indent=2))
    unfinished.replace(path)
