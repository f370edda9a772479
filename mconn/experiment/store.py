"""The store: every stage's result under the hash of its config, so that studies share work.

``store/<Stage>-<key>/`` holds ``config.json``, ``tree/`` (orbax), one parquet file per table,
``facts.json``, ``made.json`` (when, by which versions, in how many seconds) and ``files.json`` (the
sha256 of all the others). A folder under its final name is complete: it is written under another
name and renamed.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mconn.errors import CheckpointError, StructureError
from mconn.experiment.serialise import digest
from mconn.experiment.stage import Result, Stage

try:
    import fcntl
except ImportError:  # Windows: concurrent runs then repeat work, and the last rename wins
    fcntl = None


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file, which the system drops when its holder dies.

    Calls ``waiting`` once if another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether a living process holds a lock file."""
    if fcntl is None or not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@dataclass(frozen=True)
class Entry:
    """The place of one result.

    Attributes:
        root: the folder of all results.
        stage: what makes the result.
        key: under which it is stored: the stage's own, or that of other code or other inputs.
    """

    root: Path
    stage: Stage
    key: str

    @property
    def label(self) -> str:
        """The class of the stage and the head of the key."""
        return f"{type(self.stage).__name__}-{self.key[:10]}"

    @property
    def folder(self) -> Path:
        """The folder of the result."""
        return self.root / "store" / self.label

    @property
    def work(self) -> Path:
        """The folder of the stage's checkpoints while it is not complete."""
        return self.root / "work" / self.label

    @property
    def complete(self) -> bool:
        """Whether the result is there."""
        return self.folder.is_dir()

    def lock(self, waiting: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the place alone; calls ``waiting`` once if another process holds it."""
        return exclusive(self.root / "locks" / f"{self.label}.lock", waiting)

    def save(self, result: Result, made: dict[str, Any]) -> None:
        """Keep a result, then drop the stage's checkpoints.

        Args:
            result: what the stage made.
            made: JSON values that say when, how and how fast.

        Raises:
            StructureError: if the tree is not a nest of dicts of arrays.
        """
        import pyarrow.parquet

        final, owner = self.folder, type(self.stage).__name__
        partial = final.with_name(f"{final.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "tables").mkdir(parents=True)
        write_json(partial / "config.json", self.stage.encoded)
        write_json(partial / "facts.json", dict(result.facts))
        write_json(partial / "made.json", {"key": self.key, **made})
        for name, table in result.tables.items():
            pyarrow.parquet.write_table(table, partial / "tables" / f"{name}.parquet")
        if result.tree is not None:
            save_tree(partial / "tree", result.tree, owner)
        write_json(partial / "files.json", dict(_checksums(partial)))
        if final.exists():  # another process was faster, on a system without locks
            shutil.rmtree(partial)
        else:
            partial.rename(final)
        shutil.rmtree(self.work, ignore_errors=True)

    def load(self) -> Result:
        """Read a result.

        Raises:
            CheckpointError: naming the folder, if a file in it is missing or was changed.
        """
        import pyarrow.parquet

        folder = self.folder
        verify(folder)
        tables = {
            path.stem: pyarrow.parquet.read_table(path)
            for path in sorted((folder / "tables").glob("*.parquet"))
        }
        tree = load_tree(folder / "tree") if (folder / "tree").is_dir() else None
        return Result(tree=tree, tables=tables, facts=read_json(folder / "facts.json"))

    def made(self) -> dict[str, Any]:
        """When, by which versions and in how many seconds a stored result was made.

        Raises:
            CheckpointError: naming the folder, if that cannot be read.
        """
        try:
            return read_json(self.folder / "made.json")
        except (OSError, ValueError) as error:
            raise _corrupt(self.folder, "made.json") from error


@dataclass(frozen=True)
class Store:
    """The results of stages below one folder."""

    root: Path

    def entry(self, stage: Stage, key: str | None = None) -> Entry:
        """The place of a stage's result under its own key, or under another."""
        return Entry(self.root, stage, stage.key if key is None else key)

    def older(self, stage: Stage) -> Entry | None:
        """The newest result of the same stage with the same inputs that other code has made."""
        found: dict[str, Entry] = {}
        for folder in (self.root / "store").glob(f"{type(stage).__name__}-*"):
            try:
                same = digest(read_json(folder / "config.json")) == digest(stage.encoded)
                made = read_json(folder / "made.json")
                if same and made["key"] != stage.key:
                    found[made["when"]] = self.entry(stage, made["key"])
            except (OSError, KeyError, TypeError, ValueError):  # half written, or damaged
                continue
        return found[max(found)] if found else None


def _corrupt(folder: Path, file: str) -> CheckpointError:
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
        found = dict(_checksums(folder))
    except (OSError, ValueError) as error:
        raise _corrupt(folder, "files.json") from error
    for name, value in expected.items():
        if found.get(name) != value:
            raise _corrupt(folder, name)


def _checksums(folder: Path) -> Iterator[tuple[str, str]]:
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

    _check_tree(tree, owner, set(), ())
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


def _check_tree(tree: Any, owner: str, seen: set[str], path: tuple[str, ...]) -> None:
    where = f"'{'/'.join(path)}' in the tree of stage {owner}"
    if type(tree) is dict:
        for name, item in tree.items():
            if not isinstance(name, str):
                raise StructureError(f"{where} has the key {name!r}: use strings as keys")
            _check_tree(item, owner, seen, (*path, name))
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
