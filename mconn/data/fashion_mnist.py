"""Fashion-MNIST: 60 000 + 10 000 grey images of clothes, 28 x 28, in gzip idx files.

Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, arXiv:1708.07747 (2017); the format is
described at the end of http://yann.lecun.com/exdb/mnist.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mconn.data.dataset import Images, find_folder
from mconn.errors import DataError

SHAPE = (28, 28, 1)
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# The hashes of the files at URL; Debian compressed the same images again.
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
SYSTEM_FOLDERS = (Path("/usr/share/datasets/fashion-mnist"),)
REMEDY = "install the Debian package dataset-fashion-mnist, or name its folder with --data-dir"


def read(data_dir: Path | None = None) -> Images:
    """Read the four files from the first folder that has them, or download them once.

    Raises:
        DataError: if a file is missing and cannot be downloaded, or is not what it should be.
    """
    folder = find_folder("fashion-mnist", list(MD5), data_dir, SYSTEM_FOLDERS)
    train_images, train_labels, test_images, test_labels = (
        _fetch(file) if folder is None else folder / file for file in MD5
    )
    return Images(
        train_pixels=_read_idx(train_images, (60_000, *SHAPE[:2]))[..., None],
        train_labels=_read_idx(train_labels, (60_000,)),
        test_pixels=_read_idx(test_images, (10_000, *SHAPE[:2]))[..., None],
        test_labels=_read_idx(test_labels, (10_000,)),
        white=255,
        classes=10,
    )


def _fetch(file: str) -> Path:
    """Download one file into the user's cache, unless it is there already.

    Raises:
        DataError: if it cannot be downloaded, or its hash is wrong.
    """
    import pooch

    try:
        path = pooch.retrieve(
            url=f"{URL}/{file}",
            known_hash=f"md5:{MD5[file]}",
            fname=file,
            path=pooch.os_cache("mconn") / "fashion-mnist",
        )
    except (OSError, ValueError) as error:  # no network; a wrong hash
        reason = " ".join(str(error).split())
        raise DataError(
            f"Fashion-MNIST's {file} is on no disk and could not be downloaded from {URL} "
            f"({reason}): {REMEDY}"
        ) from error
    return Path(path)


def _read_idx(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """Read a gzip idx file of unsigned bytes that must have this shape.

    Raises:
        DataError: if it is truncated, damaged, or of another kind or shape.
    """
    try:
        with gzip.open(path) as stream:
            content = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged ({error}): {REMEDY}") from error
    # Two zero bytes, the code of unsigned bytes, the number of axes, then each axis' size.
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    size = len(header) + int(np.prod(shape))
    if content[: len(header)] != header or len(content) != size:
        raise DataError(
            f"{path} does not hold {' x '.join(map(str, shape))} unsigned bytes in idx format: "
            f"{REMEDY}"
        )
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
