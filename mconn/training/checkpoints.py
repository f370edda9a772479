"""The epochs of one training on disk: atomic, asynchronous, and safe against the wrong folder."""

import contextlib
import json
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from mconn.errors import CheckpointError
from mconn.progress import Progress
from mconn.training.packing import pack, packed_size, unpack
from mconn.types import PyTree

KEPT = 2
"""Epochs kept: the last one, and the one before in case the last one is damaged."""

DESCRIPTION = "training.json"


class Checkpoints:
    """The checkpoints of one training in one folder."""

    def __init__(self, folder: Path, manager: Any, progress: Progress) -> None:
        self.folder = folder
        self.manager = manager
        self.progress = progress

    def save(self, epoch: int, tree: PyTree) -> None:
        """Begin to write the state after ``epoch`` epochs; a kill leaves all of it or nothing."""
        import orbax.checkpoint as ocp

        state = ocp.args.PyTreeSave({"packed": pack(tree)})
        with uninterrupted():
            self.manager.save(epoch, args=ocp.args.Composite(state=state))

    def restore(self, like: PyTree) -> tuple[int, PyTree] | None:
        """The last checkpoint that can be read, as its epoch and tree; None if there is none.

        Args:
            like: a tree of arrays or ``jax.ShapeDtypeStruct`` with the same structure.

        Raises:
            CheckpointError: if there are checkpoints and none can be read.
        """
        import orbax.checkpoint as ocp

        target = {"packed": np.empty(packed_size(like), np.uint8)}
        request = ocp.args.Composite(state=ocp.args.PyTreeRestore(target))
        damaged: list[int] = []
        for epoch in sorted(self.manager.all_steps(), reverse=True):
            try:
                found = self.manager.restore(epoch, args=request)
                tree = unpack(found["state"]["packed"], like)
            except (OSError, KeyError, ValueError):
                damaged.append(epoch)
                self.progress.note(
                    f"the checkpoint {self.folder / str(epoch)} is damaged: "
                    "going back to the one before"
                )
                continue
            for later in damaged:
                self.manager.delete(later)
            return epoch, tree
        if damaged:
            raise CheckpointError(
                f"none of the checkpoints in {self.folder} can be read (epochs "
                f"{', '.join(map(str, damaged))}): delete the folder to train anew"
            )
        return None


@contextlib.contextmanager
def open_checkpoints(
    folder: Path, config: Any, progress: Progress, **also: str
) -> Iterator[Checkpoints]:
    """The checkpoints in ``folder``, which is made if need be; all are complete when this closes.

    Args:
        folder: of one training.
        config: a dataclass that says which.
        progress: where damage is told.
        **also: what else tells one training from another.

    Raises:
        CheckpointError: if the folder belongs to another training.
    """
    import orbax.checkpoint as ocp

    folder = folder.absolute()
    try:
        check_description(folder, describe(config) | also)
    except OSError as error:
        raise CheckpointError(
            f"{folder} cannot be used for checkpoints ({error.strerror}): name another folder"
        ) from error
    # Weights hardly compress, and trying takes half of the time of a save.
    handler = ocp.PyTreeCheckpointHandler(use_compression=False)
    manager = ocp.CheckpointManager(
        folder,
        options=ocp.CheckpointManagerOptions(max_to_keep=KEPT),
        item_handlers={"state": handler},
    )
    try:
        yield Checkpoints(folder, manager, progress)
    finally:
        with uninterrupted():
            manager.close()  # which waits for the save in progress


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


def describe(config: Any) -> dict[str, str]:
    """Every field of a dataclass as text that is the same in every process."""
    # A function prints its address in memory.
    return {
        field.name: re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(value).split()))
        for field in fields(config)
        for value in [getattr(config, field.name)]
    }


def check_description(folder: Path, description: dict[str, str]) -> None:
    """Refuse a folder that belongs to another training; mark a new one as this training's."""
    path = folder / DESCRIPTION
    if path.exists():
        try:
            stored = dict(json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}): delete {folder} to train anew"
            ) from error
        for name, value in description.items():
            if stored.get(name) != value:
                raise CheckpointError(
                    f"the checkpoints in {folder} belong to another training ({name} is "
                    f"{stored.get(name)} there, {value} here): delete the folder or name another"
                )
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(entry.name.isdigit() for entry in folder.iterdir()):
        raise CheckpointError(
            f"{folder} holds checkpoints but no {DESCRIPTION}, which says of which training: "
            "delete the folder or name another"
        )
    unfinished = path.with_suffix(".new")  # so that a kill leaves no half of the file
    unfinished.write_text(json.dumps(description, indent=2))
    unfinished.replace(path)
