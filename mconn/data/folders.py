"""Where the files of a data set are looked for."""

import os
from collections.abc import Sequence
from pathlib import Path

from mconn.errors import DataError


def find_folder(
    name: str, files: Sequence[str], data_dir: Path | None, system: Sequence[Path] = ()
) -> Path | None:
    """The first folder that holds files of a data set; None if there is no such folder.

    Looked at in this order: ``data_dir``, ``$MCONN_DATA``, each followed by its sub-folder of
    the data set's name, then the folders where a system package puts the files.

    Raises:
        DataError: if a folder that the user names does not exist, or the folder found holds only
            some of the files.
    """
    named = [data_dir] if data_dir is not None else []
    if os.environ.get("MCONN_DATA"):
        named.append(Path(os.environ["MCONN_DATA"]))
    for folder in named:
        if not folder.is_dir():
            raise DataError(
                f"the data folder {folder} does not exist: create it, or name another one with "
                "--data-dir or $MCONN_DATA"
            )
    candidates = [place for folder in named for place in (folder, folder / name)]
    for folder in [*candidates, *system]:
        present = [file for file in files if (folder / file).is_file()]
        if present:
            missing = [file for file in files if file not in present]
            if missing:
                raise DataError(
                    f"{folder / missing[0]} is missing beside {present[0]}: "
                    "put all the files of the data set into one folder"
                )
            return folder
    return None
