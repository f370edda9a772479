"""CIFAR-10: 50 000 + 10 000 colour images, 32 x 32, as PNG or JPEG inside two parquet files.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009); the layout is
that of the files ``uoft-cs/cifar10`` on the Hugging Face hub.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from mconn.data.dataset import Images, find_folder
from mconn.errors import DataError

FILES = ("train.parquet", "test.parquet")
SHAPE = (32, 32, 3)
REMEDY = (
    "get train.parquet and test.parquet of https://huggingface.co/datasets/uoft-cs/cifar10 "
    "and name their folder with --data-dir"
)


def read(data_dir: Path | None = None) -> Images:
    """Read ``train.parquet`` and ``test.parquet`` from the first folder that has them.

    Raises:
        DataError: if a file is missing, or is not what it should be.
    """
    folder = find_folder("cifar10", FILES, data_dir)
    if folder is None:
        raise DataError(f"CIFAR-10's train.parquet is in none of the data folders: {REMEDY}")
    (train_pixels, train_labels), (test_pixels, test_labels) = (
        _read_parquet(folder / file) for file in FILES
    )
    return Images(
        train_pixels=train_pixels,
        train_labels=train_labels,
        test_pixels=test_pixels,
        test_labels=test_labels,
        white=255,
        classes=10,
    )


def _read_parquet(
    path: Path,
) -> tuple[UInt8[np.ndarray, "n height width channels"], Int[np.ndarray, " n"]]:
    """Decode the columns ``img`` (a struct with the field ``bytes``) and ``label``.

    Raises:
        DataError: if the file is truncated, or a column or an image is not what it should be.
    """
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path, columns=["img", "label"])
        encoded = table.flatten()["img.bytes"].to_pylist()
        labels = table["label"].to_numpy().astype(np.int64)
        pixels = np.stack([_decode(image) for image in encoded])
    except (ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is truncated or is not CIFAR-10 ({' '.join(str(error).split())}): {REMEDY}"
        ) from error
    return pixels, labels


def _decode(image: Any) -> UInt8[np.ndarray, "height width channels"]:
    """The pixels of one PNG or JPEG image."""
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(image)))
    if pixels.shape != SHAPE:
        raise ValueError(f"an image has the shape {pixels.shape}, not {SHAPE}")
    return pixels
