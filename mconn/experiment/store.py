"""The store: every stage's result under the hash of its config, so that studies share work.

``store/<Stage>-<key>/`` holds ``config.json``, ``tree/`` (orbax), one parquet file per table,
``facts.json``, ``made.json`` (when, by which versions, in how many seconds) and ``files.json`` (the
sha256 of all the others). A folder under its final name is complete: it is written under another
name and renamed.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from mconn.errors import CheckpointError, StructureError
from mconn.experiment.locks import exclusive
from mconn.experiment.serialise import encode
from mconn.experiment.stage import Result, Stage


@dataclasses.dataclass(frozen=True)
class Store:
    """The results of stages below one folder."""

    root: Path

    def entry(self, stage: Stage) -> Path:
        """The folder of a stage's result."""
        return self.root / "store" / stage.label

    def work(self, stage: Stage) -> Path:
        """The folder of a stage's checkpoints while it is not complete."""
        return self.root / "work" / stage.label

    def lock(self, stage: Stage, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold a stage alone; calls ``waiting`` once if another process holds it."""
        return exclusive(self.root / "locks" / f"{stage.label}.lock", waiting)

    def has(self, stage: Stage) -> bool:
        """Whether the stage's result is there, complete."""
        return self.entry(stage).is_dir()

    def save(self, stage: Stage, result: Result, made: dict[str, Any]) -> None:
        """Keep a result, then drop the stage's checkpoints.

        Args:
            stage: which stage made it.
            result: what it made.
            made: JSON values that say when, how and how fast.

        Raises:
            StructureError: if the tree is not a nest of dicts of arrays.
        """
        import pyarrow.parquet

        final = self.entry(stage)
        partial = final.with_name(f"{final.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "tables").mkdir(parents=True)
        write_json(partial / "config.json", encode(stage, type(stage).__name__))
        write_json(partial / "facts.json", dict(result.facts))
        write_json(partial / "made.json", {"key": stage.key, "version": stage.version, **made})
        for name, table in result.tables.items():
            pyarrow.parquet.write_table(table, partial / "tables" / f"{name}.parquet")
        if result.tree is not None:
            save_tree(partial / "tree", result.tree, type(stage).__name__)
        write_json(partial / "files.json", dict(checksums(partial)))
        if final.exists():  # another process was faster, on a system without locks
            shutil.rmtree(partial)
        else:
            partial.rename(final)
        shutil.rmtree(self.work(stage), ignore_errors=True)

    def load(self, stage: Stage) -> Result:
        """Read a result.

        Raises:
            CheckpointError: naming the folder, if a file in it is missing or was changed.
        """
        import pyarrow.parquet

        folder = self.entry(stage)
        verify(folder)
        tables = {
            path.stem: pyarrow.parquet.read_table(path)
            for path in sorted((folder / "tables").glob("*.parquet"))
        }
        tree = load_tree(folder / "tree") if (folder / "tree").is_dir() else None
        return Result(tree=tree, tables=tables, facts=read_json(folder / "facts.json"))

    def made(self, stage: Stage) -> dict[str, Any]:
        """When, by which versions and in how many seconds a stored result was made.

        Raises:
            CheckpointError: naming the folder, if that cannot be read.
        """
        try:
            return read_json(self.entry(stage) / "made.json")
        except (OSError, ValueError) as error:
            raise corrupt(self.entry(stage), "made.json") from error


def corrupt(folder: Path, file: str) -> CheckpointError:
    """The error for a stored result that was damaged."""
    return CheckpointError(
        f"the stored result in {folder} is corrupt ({file} is missing or was changed): "
        "delete that folder, and the next run makes it anew"
    )


def verify(folder: Path) -> None:
    """Compare every file of a stored result with the hash that was written with it.

    Raises:
        CheckpointError: naming the folder and the first file that differs.
    """
    try:
        expected = read_json(folder / "files.json")
        found = dict(checksums(folder))
    except (OSError, ValueError) as error:
        raise corrupt(folder, "files.json") from error
    for name, value in expected.items():
        if found.get(name) != value:
            raise corrupt(folder, name)


def checksums(folder: Path) -> Iterator[tuple[str, str]]:
    """The sha256 of every file below ``folder`` but the list of them itself."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "files.json":
            with path.open("rb") as file:
                yield name, hashlib.file_digest(file, "sha256").hexdigest()


def save_tree(folder: Path, tree: Any, owner: str) -> None:
    """Write nested dicts of arrays.

    Raises:
        StructureError: naming the first place that holds something else.
    """
    import jax
    import orbax.checkpoint as checkpoint

    check_tree(tree, owner, set(), ())
    host = jax.tree.map(np.asarray, jax.device_get(tree))
    with checkpoint.Checkpointer(checkpoint.PyTreeCheckpointHandler()) as writer:
        writer.save(folder.absolute(), {"tree": host})


def load_tree(folder: Path) -> Any:
    """Read what `save_tree` wrote, as NumPy arrays on the host."""
    import jax
    import orbax.checkpoint as checkpoint

    with checkpoint.Checkpointer(checkpoint.PyTreeCheckpointHandler()) as reader:
        shapes = reader.metadata(folder.absolute()).item_metadata.tree
        how = jax.tree.map(lambda _: checkpoint.RestoreArgs(restore_type=np.ndarray), shapes)
        arguments = checkpoint.args.PyTreeRestore(restore_args=how)
        return reader.restore(folder.absolute(), args=arguments)["tree"]


def check_tree(tree: Any, owner: str, seen: set[str], path: tuple[str, ...]) -> None:
    """Refuse what would not come back from the disk as it was.

    Raises:
        StructureError: naming the first place at fault.
    """
    where = f"'{'/'.join(path)}' in the tree of stage {owner}"
    if type(tree) is dict:
        for name, item in tree.items():
            if not isinstance(name, str):
                raise StructureError(f"{where} has the key {name!r}: use strings as keys")
            check_tree(item, owner, seen, (*path, name))
        return
    # Neither Python objects nor JAX's typed keys are numbers that a file could hold.
    if not isinstance(getattr(tree, "dtype", None), np.dtype) or tree.dtype.hasobject:
        raise StructureError(
            f"{where} is a {type(tree).__name__}: a result's tree is a nest of dicts of arrays"
        )
    if 0 in tree.shape:
        raise StructureError(f"{where} is an array without entries, which cannot be stored")
    # The file format joins names with dots.
    joined = ".".join(path)
    if joined in seen:
        raise StructureError(f"{where} has the same dotted name as another array: rename one")
    seen.add(joined)


def write_json(path: Path, value: Any) -> None:
    """Write JSON values for people to read; arrays and their scalars become plain numbers."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=lambda array: array.tolist())
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON values."""
    return json.loads(path.read_text(encoding="utf-8"))
