import gzip
import hashlib
import struct
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest

from mconn.data import DataConfig, fashion_mnist, load
from mconn.data.fashion_mnist import MD5, SYSTEM_FOLDERS, _fetch, _read_idx
from mconn.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5)).astype(np.uint8)


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)  # the same bytes every second


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(idx(PIXELS))
    return path


def test_an_idx_file_is_read(file):
    np.testing.assert_array_equal(_read_idx(file, (3, 4, 5)), PIXELS)


@pytest.mark.parametrize("keep", [0, 5, 12, 40, -1])
def test_a_truncated_file_is_named_with_the_way_out(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"^{file} .*install the Debian package"):
        _read_idx(file, (3, 4, 5))


@pytest.mark.parametrize(
    "content",
    [
        b"<html>not found</html>",
        gzip.compress(b"\0\0\x08\x01" + b"\0" * 60),
        idx(PIXELS[:2]),
        idx(PIXELS.astype(np.uint8)[..., None]),
        gzip.compress(gzip.decompress(idx(PIXELS))[:-7]),
        gzip.compress(gzip.decompress(idx(PIXELS)) + b"\0"),
        idx(PIXELS)[:30] + b"\xff\xff\xff" + idx(PIXELS)[33:],
    ],
    ids=["html", "labels", "fewer", "axes", "short", "long", "damaged"],
)
def test_a_file_of_another_kind_is_named(file, content):
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"^{file} "):
        _read_idx(file, (3, 4, 5))


def test_the_whole_data_set_is_read_where_debian_put_it():
    if not SYSTEM_FOLDERS[0].is_dir():
        pytest.skip("needs the Debian package dataset-fashion-mnist")
    dataset = load(DataConfig("fashion_mnist", validation=5_000))
    assert dataset.train.inputs.shape == (55_000, 28, 28, 1)
    assert len(dataset.validation) == 5_000
    assert dataset.test.inputs.shape == (10_000, 28, 28, 1)
    assert abs(dataset.train.inputs.mean(dtype=np.float64)) < 1e-5
    assert abs(dataset.train.inputs.std(dtype=np.float64) - 1) < 1e-5
    np.testing.assert_array_equal(np.bincount(dataset.test.labels), np.full(10, 1_000))
    np.testing.assert_array_equal(dataset.test.labels[:5], [9, 2, 1, 1, 6])


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of one file on this machine, the requests that it saw, and a cache of our own."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(idx(PIXELS))

        def log_message(self, format, *args):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(fashion_mnist, "URL", f"http://127.0.0.1:{http.server_port}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield requests
    http.shutdown()
    thread.join()
    http.server_close()


FILE = "t10k-labels-idx1-ubyte.gz"


def test_a_missing_file_is_downloaded_once(server, monkeypatch):
    monkeypatch.setitem(MD5, FILE, hashlib.md5(idx(PIXELS)).hexdigest())
    path = _fetch(FILE)
    np.testing.assert_array_equal(_read_idx(path, (3, 4, 5)), PIXELS)
    assert _fetch(FILE) == path
    assert server == [f"/{FILE}"]


def test_a_download_with_a_wrong_hash_is_refused(server, tmp_path):
    with pytest.raises(DataError, match=f"{FILE} is on no disk .* hash .* dataset-fashion-mnist"):
        _fetch(FILE)
    assert server == [f"/{FILE}"]
    assert not list(tmp_path.rglob(FILE))


def test_no_network_says_how_to_get_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr(fashion_mnist, "URL", "http://127.0.0.1:1")
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DataError, match=r"could not be downloaded .* dataset-fashion-mnist"):
        load(DataConfig("fashion_mnist"))
