import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from mconn.data import DataConfig, load
from mconn.data.cifar10 import _read_parquet
from mconn.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
LABELS = [3, 8, 8, 0, 6, 1]


def encoded(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def write(path, images, labels=LABELS, column="img"):
    rows = [{"bytes": image, "path": None} for image in images]
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pa.table({column: rows, "label": labels}), path)
    return path


def test_png_images_are_exact(tmp_path):
    path = write(tmp_path / "test.parquet", [encoded(image) for image in PIXELS])
    pixels, labels = _read_parquet(path)
    np.testing.assert_array_equal(pixels, PIXELS)
    np.testing.assert_array_equal(labels, LABELS)


def test_jpeg_images_are_read_too(tmp_path):
    smooth = np.broadcast_to(np.arange(0, 256, 8, dtype=np.uint8)[:, None, None], (6, 32, 32, 3))
    path = write(tmp_path / "test.parquet", [encoded(image, "JPEG") for image in smooth])
    pixels, _ = _read_parquet(path)
    assert np.abs(pixels.astype(int) - smooth).max() < 16


def test_both_files_make_a_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("MCONN_DATA", str(tmp_path))
    for file in ("train", "test"):
        write(tmp_path / "cifar10" / f"{file}.parquet", [encoded(image) for image in PIXELS])
    dataset = load(DataConfig("cifar10", normalise="unit"))
    np.testing.assert_allclose(dataset.train.inputs, PIXELS / np.float32(255), rtol=1e-6)
    assert dataset.test.inputs.shape == (6, 32, 32, 3)


def test_the_stored_files_are_read(shared):
    pixels, labels = _read_parquet(shared / "data" / "cifar10" / "test.parquet")
    assert pixels.shape == (10_000, 32, 32, 3)
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 1_000))


def test_absent_files_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.delenv("MCONN_DATA", raising=False)
    with pytest.raises(DataError, match=r"train.parquet .*huggingface.co.* --data-dir"):
        load(DataConfig("cifar10"), tmp_path)
    write(tmp_path / "train.parquet", [encoded(image) for image in PIXELS])
    with pytest.raises(DataError, match=r"test.parquet is missing beside train.parquet"):
        load(DataConfig("cifar10"), tmp_path)


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_truncated_file_is_named(tmp_path, keep):
    path = write(tmp_path / "test.parquet", [encoded(image) for image in PIXELS])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"^{path} is truncated .*huggingface.co"):
        _read_parquet(path)


@pytest.mark.parametrize("damage", ["column", "image", "null", "size"])
def test_another_content_is_named(tmp_path, damage):
    images = [encoded(image) for image in PIXELS]
    if damage == "image":
        images[4] = images[4][:200]
    if damage == "null":
        images[4] = None
    if damage == "size":
        images[4] = encoded(PIXELS[4, :16])
    column = "picture" if damage == "column" else "img"
    path = write(tmp_path / "test.parquet", images, column=column)
    with pytest.raises(DataError, match=f"^{path} "):
        _read_parquet(path)
