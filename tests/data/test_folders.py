import pytest

from mconn.data import find_folder
from mconn.errors import DataError

FILES = ("a.gz", "b.gz")


@pytest.fixture(autouse=True)
def no_data_variable(monkeypatch):
    monkeypatch.delenv("MCONN_DATA", raising=False)


def fill(folder, files=FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_folders_are_looked_at_in_order(tmp_path, monkeypatch):
    named, variable = tmp_path / "named", tmp_path / "variable"
    system = fill(tmp_path / "system")
    named.mkdir()
    variable.mkdir()
    monkeypatch.setenv("MCONN_DATA", str(variable))
    assert find_folder("set", FILES, named, [system]) == system
    assert find_folder("set", FILES, named) is None
    for folder in (variable / "set", variable, named / "set", named):
        fill(folder)
        assert find_folder("set", FILES, named, [system]) == folder


def test_a_folder_that_does_not_exist_is_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=f"{tmp_path / 'nowhere'} does not exist"):
        find_folder("set", FILES, tmp_path / "nowhere", [fill(tmp_path / "system")])
    monkeypatch.setenv("MCONN_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=f"{tmp_path / 'gone'} does not exist"):
        find_folder("set", FILES, None)


def test_a_missing_file_is_named(tmp_path):
    fill(tmp_path, ["a.gz"])
    with pytest.raises(DataError, match=f"{tmp_path / 'b.gz'} is missing beside a.gz"):
        find_folder("set", FILES, tmp_path)
