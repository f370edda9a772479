"""What a data set is, which one is asked for, and where its files are looked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np
from jaxtyping import Num

from mconn.checks import check_choice
from mconn.errors import ConfigError, DataError

Name = Literal["digits", "fashion_mnist", "cifar10"]
Normalisation = Literal["unit", "channel"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Split:
    """Examples and their classes; a pytree, so that it is a batch for every kernel.

    Attributes:
        inputs: float32 of shape ``n height width channels``.
        labels: int32 of shape ``n``, from 0.
    """

    # Not annotated as arrays: a pytree holds whatever a transformation of JAX puts in it.
    inputs: Any
    labels: Any

    def __len__(self) -> int:
        return len(self.labels)

    def head(self, count: int) -> "Split":
        """The first examples."""
        return Split(self.inputs[:count], self.labels[:count])


@dataclass(frozen=True)
class Dataset:
    """A data set on the host, split for training, choosing and testing."""

    name: str
    train: Split
    validation: Split | None
    test: Split
    classes: int


@dataclass(frozen=True)
class Images:
    """A data set as it is stored: pixels from 0 to ``white``, before anything is held out."""

    train_pixels: Num[np.ndarray, "n height width channels"]
    train_labels: Num[np.ndarray, " n"]
    test_pixels: Num[np.ndarray, "m height width channels"]
    test_labels: Num[np.ndarray, " m"]
    white: int
    classes: int


@dataclass(frozen=True)
class DataConfig:
    """Which data set, and how it is prepared.

    Attributes:
        name: the data set.
        normalise: ``unit`` divides pixels by white, so they lie in [0, 1]; ``channel`` also
            subtracts the training split's mean of each channel and divides by its standard
            deviation.
        validation: how many training examples are held out, always the same ones.
        subset: how many of the remaining training examples are kept; None keeps them all.

    Raises:
        ConfigError: for an unknown name or a negative size.
    """

    name: Name
    normalise: Normalisation = "channel"
    validation: int = 0
    subset: int | None = None

    def __post_init__(self) -> None:
        check_choice("data set", self.name, get_args(Name))
        check_choice("normalisation", self.normalise, get_args(Normalisation))
        if self.validation < 0:
            raise ConfigError(f"validation is {self.validation}: hold out 0 examples or more")
        if self.subset is not None and self.subset < 1:
            raise ConfigError(f"subset is {self.subset}: keep at least 1 training example")


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
