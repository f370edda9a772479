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

STAGE = Numbers(3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def save(store: Store, result: Result) -> Result:
    store.save(STAGE, result, {"seconds": 1.5})
    return store.load(STAGE)


def test_a_result_comes_back_as_it_was(store: Store) -> None:
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
    again = save(store, Result(tree=tree, tables={"profile": table}, facts=facts))
    assert jax.tree.structure(again.tree) == jax.tree.structure(tree)
    for old, new in zip(jax.tree.leaves(tree), jax.tree.leaves(again.tree), strict=True):
        assert isinstance(new, np.ndarray)
        assert new.dtype == old.dtype
        np.testing.assert_array_equal(new, np.asarray(old))
    assert again.tables["profile"].equals(table)
    assert again.facts == {"scalar": 0.5, "list": [1, 2], "none": None, "text": "ü"}
    assert store.made(STAGE)["seconds"] == 1.5


@pytest.mark.parametrize("tree", [None, {}, {"a": {}}])
def test_an_empty_tree_comes_back(store: Store, tree: Any) -> None:
    assert save(store, Result(tree=tree)).tree == tree


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
def test_trees_that_would_change_are_refused(store: Store, tree: Any, message: str) -> None:
    with pytest.raises(StructureError, match=message):
        store.save(STAGE, Result(tree=tree), {})
    assert not store.has(STAGE)


def test_a_typed_key_is_refused(store: Store) -> None:
    with pytest.raises(StructureError, match="'key' in the tree"):
        store.save(STAGE, Result(tree={"key": jax.random.key(0)}), {})


def test_a_half_written_result_is_not_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mconn.experiment.store.save_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.save(STAGE, Result(tree={"a": np.ones(3)}), {})
    assert not store.has(STAGE)
    assert save(store, Result(tree={"a": np.ones(3)})).tree["a"].sum() == 3


def test_checkpoints_are_dropped_when_the_result_is_complete(store: Store) -> None:
    work = store.work(STAGE)
    work.mkdir(parents=True)
    (work / "step").write_text("7")
    save(store, Result())
    assert not work.exists()


def test_the_first_of_two_results_stays(store: Store) -> None:
    save(store, Result(facts={"who": "first"}))
    assert save(store, Result(facts={"who": "second"})).facts["who"] == "first"


def damage_tree(entry: Path) -> None:
    files = (path for path in (entry / "tree").rglob("*") if path.is_file())
    path = max(files, key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")


@pytest.mark.parametrize(
    "damage",
    [
        damage_tree,
        lambda entry: shutil.rmtree(entry / "tree"),
        lambda entry: (entry / "facts.json").write_text(""),
        lambda entry: (entry / "tables" / "t.parquet").write_bytes(b""),
        lambda entry: (entry / "files.json").unlink(),
        lambda entry: (entry / "files.json").write_text("{"),
    ],
)
def test_a_corrupt_result_names_its_folder_and_the_way_out(store: Store, damage: Any) -> None:
    tables = {"t": pa.table({"a": [1]})}
    store.save(STAGE, Result({"a": np.ones(300)}, tables), {})
    damage(store.entry(STAGE))
    with pytest.raises(CheckpointError, match="delete that folder") as caught:
        store.load(STAGE)
    assert str(store.entry(STAGE)) in str(caught.value)
    shutil.rmtree(store.entry(STAGE))
    assert save(store, Result()).tree is None


def test_an_unreadable_record_is_corrupt(store: Store) -> None:
    save(store, Result())
    (store.entry(STAGE) / "made.json").write_text("x")
    with pytest.raises(CheckpointError, match=r"made\.json is missing or was changed"):
        store.made(STAGE)
