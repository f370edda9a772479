"""What commands on saved networks write: a network with its numbers, or a folder of results."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mconn import trees
from mconn.errors import ConfigError
from mconn.experiment import write_json
from mconn.saved.reading import ORBAX_MARK, Saved, reason
from mconn.saving import uninterrupted

DONE = "numbers.json"
"""The file that a complete folder of results has, written last."""

WORK = "work"
"""The part of a folder of results that an incomplete command leaves, to go on from."""


def check_target(out: Path, sources: tuple[str, ...], force: bool, saved: Saved) -> None:
    """Refuse, before any work, a place that could not be written or would lose something.

    Raises:
        ConfigError: naming the place.
    """
    if not out.name or not out.parent.is_dir():
        raise ConfigError(f"'{out}' cannot be written: name a file in a folder that exists")
    place = out.resolve()
    for source in map(Path, sources):
        if source.exists() and source.resolve().is_relative_to(place):
            raise ConfigError(f"'{out}' is one of the two networks: write to another place")
    for path in (out, numbers_file(out)):
        if path.exists() and not force:
            raise ConfigError(f"'{path}' exists: name another place, or overwrite it with --force")
    # A folder is replaced as a whole: never one that may hold anything else.
    is_checkpoint = (out / ORBAX_MARK).is_file() if out.suffix != ".npz" else out.is_file()
    if (out.exists() and not is_checkpoint) or numbers_file(out).is_dir():
        raise ConfigError(f"'{out}' exists and holds no aligned network: name another place")
    if out.suffix == ".npz":
        for leaf, value in trees.named_leaves(saved.params).items():
            if value.dtype.kind == "V":  # such as bfloat16
                raise ConfigError(
                    f"leaf '{leaf}' holds {value.dtype}, which a .npz file cannot: name a folder, "
                    "for an orbax checkpoint"
                )


def numbers_file(out: Path) -> Path:
    """The JSON file beside a written network."""
    return out.with_name(f"{out.name}.json")


def write(out: Path, leaves: Mapping[str, np.ndarray], told: Mapping[str, Any]) -> None:
    """Write a network and the JSON beside it: all of both, or nothing.

    Args:
        out: a name ending in ``.npz``, or else the folder of an orbax checkpoint.
        leaves: its arrays by name, from `Saved.renamed`.
        told: JSON values.

    Raises:
        ConfigError: if it cannot be written.
    """
    numbers, arrays = numbers_file(out), dict[str, Any](leaves)
    try:
        with (
            uninterrupted(),
            tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder,
        ):
            made = Path(folder) / "network.npz"
            if out.suffix == ".npz":
                with made.open("wb") as file:
                    np.savez(file, **arrays)
            else:
                made = Path(folder) / "network"
                _save_orbax(made, leaves)
            write_json(Path(folder) / "numbers.json", told)
            if out.is_dir():
                out.rename(Path(folder) / "before")
            made.replace(out)
            (Path(folder) / "numbers.json").replace(numbers)
    except (OSError, ValueError) as error:
        # Orbax makes a ValueError of a full disk, with the system's words in it.
        is_full = any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT))
        if not isinstance(error, OSError) and not is_full:
            raise
        raise ConfigError(
            f"'{out}' cannot be written ({reason(error)}): name another place, or make space"
        ) from error


def _save_orbax(folder: Path, leaves: Mapping[str, np.ndarray]) -> None:
    import orbax.checkpoint as checkpoint

    tree: dict[str, Any] = {}
    for name, value in leaves.items():
        *levels, last = re.split(r"[/|]", name)
        inner = tree
        for level in levels:
            inner = inner.setdefault(level, {})
        inner[last] = value
    with checkpoint.Checkpointer(checkpoint.PyTreeCheckpointHandler()) as writer:
        writer.save(folder.absolute(), tree)


def open_folder(out: Path, force: bool) -> Path:
    """The folder of results, made if need be; what an incomplete command left is kept in it.

    Raises:
        ConfigError: if the folder cannot be made, holds something else or is complete.
    """
    if not out.parent.is_dir():
        raise ConfigError(f"'{out}' cannot be written: name a folder inside one that exists")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"'{out}' is a file: name a folder to write to")
    if (out / DONE).exists():
        if not force:
            raise ConfigError(
                f"'{out}' has results: name another folder, or overwrite them with --force"
            )
        (out / DONE).unlink()
    elif out.is_dir() and any(each.name != WORK for each in out.iterdir()):
        raise ConfigError(f"'{out}' exists and holds other things: name another folder")
    (out / WORK).mkdir(parents=True, exist_ok=True)
    return out


def close_folder(out: Path, numbers: Any) -> None:
    """Write the numbers, which completes the folder, and remove what only an unfinished one needs.

    Raises:
        ConfigError: if the folder cannot be written.
    """
    try:
        write_json(out / DONE, numbers)
        shutil.rmtree(out / WORK, ignore_errors=True)
    except OSError as error:
        raise ConfigError(
            f"'{out}' cannot be written ({error.strerror}): name another folder, or make space"
        ) from error
