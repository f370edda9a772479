"""Work that can be resumed: arrays under names, kept for one piece of work and refused to another.

A function that takes long accepts ``keeper: Keeper | Path | str | None`` and asks `open_keeper` for
it, saying what its work is::

    kept = open_keeper(keeper, "fit", config=config, start=path)
    found = last_step(kept, progress)
    ...
    save_step(kept, epoch, state)

It knows of no files: `Folder` is the keeper on a disk, and another class with the same methods may
keep the arrays elsewhere.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from mconn.errors import CheckpointError, StructureError
from mconn.progress import SILENT, Progress
from mconn.types import PyTree

Arrays = dict[str, np.ndarray]

KEPT = 2
"""Steps that `save_step` keeps: the last, and the one before in case the last is damaged."""

DESCRIPTION = "work.json"
_SHOWN = 300
_DAMAGES = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    struct.error,
    zlib.error,
)


@runtime_checkable
class Keeper(Protocol):
    """Where the finished parts of one piece of work are kept; ``str(keeper)`` says where that is.

    With several processes each keeps its own parts, and `names` tells those that all of them have.
    """

    def bind(self, work: str, description: Mapping[str, str]) -> None:
        """Say which work this is, before anything is loaded or saved.

        Args:
            work: its kind, such as ``fit``.
            description: what distinguishes it from others of its kind; see `describe`.

        Raises:
            CheckpointError: if the keeper holds parts of another work.
        """
        ...

    def names(self) -> list[str]:
        """The parts that every process has, in order."""
        ...

    def load(self, name: str) -> Arrays | None:
        """The arrays of a part; None if there is none of this name.

        Raises:
            CheckpointError: if it is damaged; it says where it lies.
        """
        ...

    def save(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Keep the arrays of a part, all of them or, if the process is killed, none."""
        ...

    def delete(self, name: str) -> None:
        """Forget a part, if there is one of this name."""
        ...


class Folder:
    """A keeper on disk: one ``.npz`` file per part, which appears whole or not at all.

    Attributes:
        path: the folder; that of a process of several is ``process-N`` within the one given.
    """

    def __init__(self, path: Path | str) -> None:
        several = jax.process_count() > 1
        self.path = Path(path) / f"process-{jax.process_index()}" if several else Path(path)

    def __str__(self) -> str:
        return str(self.path)

    def bind(self, work: str, description: Mapping[str, str]) -> None:
        """See `Keeper.bind`.

        Raises:
            CheckpointError: if the folder cannot be used, is another work's, or does not say whose.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check({"work": work, **description})
        except OSError as error:
            raise CheckpointError(
                f"{self.path} cannot be used to keep work ({error.strerror}): name another folder"
            ) from error

    def names(self) -> list[str]:
        """See `Keeper.names`."""
        return _in_all_processes(sorted(path.stem for path in self.path.glob("*.npz")))

    def load(self, name: str) -> Arrays | None:
        """See `Keeper.load`."""
        path = self._file(name)
        if not path.exists():
            return None
        try:
            with zipfile.ZipFile(path) as archive:  # which compares the checksum of every array
                return {
                    entry.removesuffix(".npy"): np.lib.format.read_array(
                        io.BytesIO(archive.read(entry)), allow_pickle=False
                    )
                    for entry in archive.namelist()
                }
        except _DAMAGES as error:
            raise CheckpointError(
                f"{path} is damaged ({' '.join(str(error).split())}): delete it to compute it again"
            ) from error

    def save(self, name: str, arrays: Mapping[str, Any]) -> None:
        """See `Keeper.save`."""
        unfinished = self._file(name).with_suffix(".new")
        # As np.savez, but with any names: it has arguments of its own called "file", and more.
        with zipfile.ZipFile(unfinished, "w") as archive:
            for entry, array in arrays.items():
                with archive.open(f"{entry}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
        unfinished.replace(self._file(name))

    def delete(self, name: str) -> None:
        """See `Keeper.delete`."""
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.npz"

    def _check(self, description: dict[str, str]) -> None:
        path = self.path / DESCRIPTION
        if not path.exists():
            if any(self.path.glob("*.npz")):
                raise CheckpointError(
                    f"{self.path} holds .npz files but no {DESCRIPTION}, which says of which work: "
                    "delete the folder or name another"
                )
            unfinished = path.with_suffix(".new")
            unfinished.write_text(json.dumps(description, indent=2))
            unfinished.replace(path)
            return
        try:
            stored = dict(json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}): delete {self.path} to compute all of it again"
            ) from error
        for name, here in description.items():
            there = stored.get(name, "nothing")
            if there != here:
                long = max(len(there), len(here)) > _SHOWN or here.startswith("sha256 ")
                which = f"{name} is " + ("another one" if long else f"{there} there, {here} here")
                raise CheckpointError(
                    f"{self.path} belongs to another {description['work']} ({which}): delete the "
                    "folder or name another"
                )


def open_keeper(keeper: Keeper | Path | str | None, work: str, **description: Any) -> Keeper | None:
    """The keeper of a piece of work, bound to it.

    Args:
        keeper: a keeper, the folder of one, or None to keep nothing.
        work: the kind of the work, such as ``fit``.
        **description: what distinguishes it from others of its kind: numbers, texts, configs, trees
            of arrays, functions.

    Returns:
        The keeper; None if nothing is to be kept.

    Raises:
        CheckpointError: if the keeper holds parts of another work.
        StructureError: if ``keeper`` is neither a keeper nor a path.
    """
    if keeper is None:
        return None
    if isinstance(keeper, str | os.PathLike):
        keeper = Folder(Path(keeper))
    elif not isinstance(keeper, Keeper):
        raise StructureError(
            f"the keeper is a {type(keeper).__name__}: pass the path of a folder, or a "
            "mconn.saving.Keeper"
        )
    keeper.bind(work, describe(**description))
    return keeper


def save_step(keeper: Keeper | None, step: int, tree: PyTree) -> None:
    """Keep the state after a step, and the one before it; nothing without a keeper.

    Args:
        keeper: where.
        step: counted from 1, without gaps.
        tree: arrays.
    """
    if keeper is None:
        return
    keeper.save(_step(step), flat(tree))
    keeper.delete(_step(step - KEPT))


def last_step(keeper: Keeper | None, progress: Progress = SILENT) -> tuple[int, Arrays] | None:
    """The last step that can be read in every process, and its arrays.

    Returns:
        The step and what `restored` makes a tree of; None if there is none, or no keeper.

    Raises:
        CheckpointError: if steps were kept and none can be read.
    """
    if keeper is None:
        return None
    steps = sorted((name for name in keeper.names() if name.startswith("step-")), reverse=True)
    for name in steps:
        try:
            arrays = keeper.load(name)
        except CheckpointError as error:
            arrays = None
            progress.note(f"{str(error).rsplit(':', 1)[0]}: going back to the step before")
        if _in_all_processes([] if arrays is None else [name]) and arrays is not None:
            return int(name.removeprefix("step-")), arrays
    if steps:
        numbers = ", ".join(str(int(name.removeprefix("step-"))) for name in steps)
        raise CheckpointError(
            f"no step kept in {keeper} can be read (steps {numbers}): delete it to begin anew"
        )
    return None


def flat(tree: PyTree) -> Arrays:
    """The leaves of a tree on the host, by name."""
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(tree))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def restored(arrays: Mapping[str, np.ndarray], like: PyTree) -> PyTree:
    """The tree of which `flat` made arrays.

    Args:
        arrays: by name.
        like: a tree of the same structure and dtypes; its shapes do not matter.

    Raises:
        CheckpointError: if an array is missing.
    """

    def take(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        name = jax.tree_util.keystr(path)
        if name not in arrays:
            raise CheckpointError(
                f"what was kept has no array {name}: it was written by another version, so delete "
                "it and begin anew"
            )
        array = arrays[name]
        # NumPy's format knows the sizes of bfloat16 and its like, but not their names.
        return array.view(leaf.dtype) if array.dtype.kind == "V" else array

    return jax.tree_util.tree_map_with_path(take, like)


def describe(**parts: Any) -> dict[str, str]:
    """Texts, the same in every process, that are equal only if the parts are.

    A part without arrays is its own text, so that two can be compared by reading; of another one
    it is the `digest`.
    """
    return {
        name: f"sha256 {digest(part)}"
        if any(isinstance(leaf, np.ndarray | jax.Array) for leaf in jax.tree.leaves(part))
        else _text(part)
        for name, part in parts.items()
    }


def digest(tree: PyTree) -> str:
    """The sha256, in hexadecimal, of a text or of a tree.

    Args:
        tree: a text; or a pytree, whose structure counts, the dtype, shape and bytes of its arrays
            and numbers, and the text of every other leaf.
    """
    if isinstance(tree, str):
        return hashlib.sha256(tree.encode()).hexdigest()
    leaves, structure = jax.tree.flatten(tree)
    found = hashlib.sha256(_text(structure).encode())
    for leaf in leaves:
        if isinstance(leaf, np.ndarray | np.generic | jax.Array | int | float | complex):
            array = np.asarray(leaf)
            found.update(f"{array.dtype}{array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        else:
            found.update(f"{len(_text(leaf))} {_text(leaf)}".encode())
    return found.hexdigest()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends: orbax's threads do not survive one in their midst."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _step(number: int) -> str:
    return f"step-{number:09d}"


def _text(value: Any) -> str:
    # A function prints its address in memory.
    text = value if isinstance(value, str) else repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(text.split()))


def _in_all_processes(names: list[str]) -> list[str]:
    """Those that every process has; a kill may leave one of them a part behind."""
    if jax.process_count() == 1:
        return names
    from jax.experimental.multihost_utils import process_allgather

    text = "\n".join(names).encode()
    longest = int(np.max(process_allgather(np.array(len(text)))))
    padded = np.frombuffer(text.ljust(longest), np.uint8)
    rows = np.asarray(process_allgather(padded))
    everywhere = [bytes(row).decode().rstrip().split("\n") for row in rows]
    return [name for name in names if all(name in there for there in everywhere)]
