import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest
from toys import Numbers

from mconn.errors import CheckpointError, StructureError
from mconn.experiment import Result, Store
from mconn.experiment.store import Entry, exclusive, is_held


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return Store(tmp_path).entry(Numbers(3))


def save(entry: Entry, result: Result) -> Result:
    entry.save(result, {"seconds": 1.5})
    return entry.load()


def test_a_result_comes_back_as_it_was(entry: Entry) -> None:
    tree = {
        "params": {"Dense_0": {"kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)}},
        "empty": {},
        "half": jnp.ones((3,), jnp.bfloat16),
        "double": np.array([1e-300, np.nan]),
        "count": np.asarray(3, np.int32),
        "flags": np.array([True, False]),
        "a/b:c d": {"é": np.ones(1)},
    }
    table = pa.table({"t": [0.0, 1.0], "name": ["a", None]})
    facts = {"scalar": np.float32(0.5), "list": [1, 2], "none": None, "text": "ü"}
    again = save(entry, Result(tree=tree, tables={"profile": table}, facts=facts))
    assert jax.tree.structure(again.tree) == jax.tree.structure(tree)
    for old, new in zip(jax.tree.leaves(tree), jax.tree.leaves(again.tree), strict=True):
        assert isinstance(new, np.ndarray)
        assert new.dtype == old.dtype
        np.testing.assert_array_equal(new, np.asarray(old))
    assert again.tables["profile"].equals(table)
    assert again.facts == {"scalar": 0.5, "list": [1, 2], "none": None, "text": "ü"}
    assert entry.made()["seconds"] == 1.5


@pytest.mark.parametrize("tree", [None, {}, {"a": {}}])
def test_an_empty_tree_comes_back(entry: Entry, tree: Any) -> None:
    assert save(entry, Result(tree=tree)).tree == tree


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"layers": (np.ones(1),)}, "'layers' in the tree of stage Numbers is a tuple"),
        ({"a": {"b": [1]}}, "'a/b' in the tree of stage Numbers is a list"),
        ({"a": 1.0}, "'a' in the tree of stage Numbers is a float"),
        ({"a": None}, "is a NoneType"),
        ({1: np.ones(1)}, "the key 1"),
        ({"a": np.zeros((0, 3))}, "without entries"),
        ({"a.b": np.ones(1), "a": {"b": np.ones(2)}}, "rename one"),
        ({"a": np.array([object()])}, "is a ndarray"),
    ],
)
def test_trees_that_would_change_are_refused(entry: Entry, tree: Any, message: str) -> None:
    with pytest.raises(StructureError, match=message):
        entry.save(Result(tree=tree), {})
    assert not entry.complete


def test_a_typed_key_is_refused(entry: Entry) -> None:
    with pytest.raises(StructureError, match="'key' in the tree"):
        entry.save(Result(tree={"key": jax.random.key(0)}), {})


def test_a_half_written_result_is_not_there(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mconn.experiment.store.save_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            entry.save(Result(tree={"a": np.ones(3)}), {})
    assert not entry.complete
    assert save(entry, Result(tree={"a": np.ones(3)})).tree["a"].sum() == 3


def test_checkpoints_are_dropped_when_the_result_is_complete(entry: Entry) -> None:
    work = entry.work
    work.mkdir(parents=True)
    (work / "step").write_text("7")
    save(entry, Result())
    assert not work.exists()


def test_the_first_of_two_results_stays(entry: Entry) -> None:
    save(entry, Result(facts={"who": "first"}))
    assert save(entry, Result(facts={"who": "second"})).facts["who"] == "first"


def damage_tree(folder: Path) -> None:
    files = (path for path in (folder / "tree").rglob("*") if path.is_file())
    path = max(files, key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")


@pytest.mark.parametrize(
    "damage",
    [
        damage_tree,
        lambda folder: shutil.rmtree(folder / "tree"),
        lambda folder: (folder / "facts.json").write_text(""),
        lambda folder: (folder / "tables" / "t.parquet").write_bytes(b""),
        lambda folder: (folder / "files.json").unlink(),
        lambda folder: (folder / "files.json").write_text("{"),
    ],
)
def test_a_corrupt_result_names_its_folder_and_the_way_out(entry: Entry, damage: Any) -> None:
    tables = {"t": pa.table({"a": [1]})}
    entry.save(Result({"a": np.ones(300)}, tables), {})
    damage(entry.folder)
    with pytest.raises(CheckpointError, match="delete that folder") as caught:
        entry.load()
    assert str(entry.folder) in str(caught.value)
    shutil.rmtree(entry.folder)
    assert save(entry, Result()).tree is None


def test_an_unreadable_record_is_corrupt(entry: Entry) -> None:
    save(entry, Result())
    (entry.folder / "made.json").write_text("x")
    with pytest.raises(CheckpointError, match=r"made\.json is missing or was changed"):
        entry.made()


def test_a_held_lock_is_seen_and_a_dropped_one_is_not(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "x.lock"
    assert not is_held(lock)
    with exclusive(lock, lambda: None):
        assert is_held(lock)
    assert not is_held(lock)


def test_nobody_waits_for_a_free_lock(tmp_path: Path) -> None:
    waited: list[str] = []
    for _ in range(2):
        with exclusive(tmp_path / "x.lock", lambda: waited.append("waited")):
            pass
    assert not waited
