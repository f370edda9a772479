"""Work that can be resumed: on disk, whole or not at all, refused to another work."""

import dataclasses
import inspect
import json
import signal
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from notes import Notes

from mconn import paths, saving
from mconn.errors import CheckpointError, StructureError
from mconn.saving import Folder, describe, digest, flat, last_step, open_keeper, restored, save_step
from mconn.training import Optimiser
from tests import processes

ARRAYS = {
    "a/b": np.arange(6, dtype=np.int32).reshape(2, 3),
    "file": np.array(2.5),
    "none": np.zeros((0, 3), np.float32),
}
TREE = {"w": np.arange(4, dtype=jnp.bfloat16), "n": [np.array([True]), np.float64(0.1)]}
WORK = {"epochs": 9, "optimiser": Optimiser(), "start": np.arange(3)}


@pytest.fixture(autouse=True)
def pythons_own_ctrl_c():
    """A shell starts what it puts into the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def kept(tmp_path):
    """The keeper of a work after its third step."""
    keeper = open_keeper(tmp_path / "work", "fit", **WORK)
    assert last_step(keeper) is None
    for step in (1, 2, 3):
        save_step(keeper, step, {"step": np.full(500, step)})
    return keeper


def equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == np.shape(theirs)
        assert ours.tobytes() == np.asarray(theirs).tobytes()


def test_arrays_come_back_as_they_were(tmp_path):
    keeper = open_keeper(str(tmp_path / "work"), "test", number=1)
    assert keeper.names() == []
    assert keeper.load("one") is None
    keeper.save("two", {})
    keeper.save("one", ARRAYS)
    assert keeper.names() == ["one", "two"]
    equal(keeper.load("one"), ARRAYS)
    keeper.save("one", flat(TREE))
    equal(restored(open_keeper(tmp_path / "work", "test", number=1).load("one"), TREE), TREE)
    keeper.delete("two")
    keeper.delete("two")
    assert keeper.names() == ["one"]
    with pytest.raises(CheckpointError, match=r"has no array \['x'\]: it was written by another"):
        restored(keeper.load("one"), {"x": 1})


def test_no_changed_byte_changes_the_arrays(tmp_path):
    keeper = open_keeper(tmp_path, "test")
    keeper.save("one", {"a": np.arange(3)})
    path = tmp_path / "one.npz"
    content, refused = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            equal(keeper.load("one"), {"a": np.arange(3)})
        except CheckpointError:
            refused += 1
    assert refused > len(content) / 2  # the others are dates, and copies of sizes
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=f"{path} is damaged .*: delete it"):
            keeper.load("one")


def test_an_unfinished_file_is_none(tmp_path, monkeypatch):
    keeper = open_keeper(tmp_path, "test")
    keeper.save("one", ARRAYS)

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", stop)
    for name in ("one", "two"):
        with pytest.raises(KeyboardInterrupt):
            keeper.save(name, {"a": np.zeros(3)})
    monkeypatch.undo()
    assert keeper.names() == ["one"]
    equal(keeper.load("one"), ARRAYS)


def test_the_last_two_steps_are_kept(kept):
    assert kept.names() == ["step-000000002", "step-000000003"]
    step, arrays = last_step(kept)
    assert step == 3
    np.testing.assert_array_equal(restored(arrays, {"step": 0})["step"], np.full(500, 3))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_step_is_named_and_the_one_before_is_taken(kept, damage):
    def hurt(step):
        path = kept.path / f"step-{step:09d}.npz"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        shorter = content[: {"truncated": 1000, "empty": 0}.get(damage)]
        path.write_bytes(bytes(shorter))
        return path

    path, notes = hurt(3), Notes()
    found = last_step(kept, notes)
    assert found is not None
    assert found[0] == 2
    (line,) = notes.lines
    assert line.startswith(f"{path} is damaged (")
    assert line.endswith("): going back to the step before")
    save_step(kept, 3, {"step": np.full(500, 3)})
    assert last_step(kept)[0] == 3
    hurt(2)
    hurt(3)
    with pytest.raises(CheckpointError, match=rf"kept in {kept} can be read \(steps 3, 2\): del"):
        last_step(kept)
    assert kept.names() == ["step-000000002", "step-000000003"]


@pytest.mark.parametrize(
    ("work", "change", "which"),
    [
        ("fit", {"epochs": 10}, "epochs is 9 there, 10 here"),
        ("fit", {"optimiser": Optimiser(learning_rate=0.1)}, "learning_rate=0.001"),
        ("fit", {"start": np.arange(3.0)}, "start is another one"),
        ("fit", {"more": 1}, "more is nothing there, 1 here"),
        ("band", {}, "work is fit there, band here"),
    ],
)
def test_the_folder_of_another_work_is_refused(kept, work, change, which):
    with pytest.raises(CheckpointError, match=rf"{kept} belongs to another {work} \(.*{which}"):
        open_keeper(kept.path, work, **WORK | change)
    assert last_step(open_keeper(kept.path, "fit", **WORK))[0] == 3


def test_a_folder_that_cannot_be_used_is_named(kept, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=f"{tmp_path / 'file' / 'run'} cannot be used"):
        open_keeper(tmp_path / "file" / "run", "fit")
    description = kept.path / "work.json"
    description.write_text('{"epochs": "9"')
    with pytest.raises(CheckpointError, match=f"{description} is damaged .*: delete {kept}"):
        open_keeper(kept.path, "fit", **WORK)
    description.unlink()
    with pytest.raises(CheckpointError, match=rf"{kept} holds .npz files but no work.json"):
        open_keeper(kept.path, "fit", **WORK)
    with pytest.raises(StructureError, match="the keeper is a int: pass the path of a folder"):
        inspect.unwrap(open_keeper)(3, "fit")  # beneath the type checker of the tests


def test_nothing_is_kept_without_a_keeper():
    assert open_keeper(None, "fit") is None
    save_step(None, 1, TREE)
    assert last_step(None) is None


def test_a_description_is_text_without_addresses():
    def function():
        pass

    path = paths.bezier({"w": np.zeros(3)}, {"w": np.ones(3)})
    found = describe(model=function, path=path, name="two  words")
    assert json.loads(json.dumps(found)) == found
    assert "function" in found["model"]
    assert " at 0x" not in found["model"]
    assert found["path"] == "sha256 " + digest(path)
    assert found["name"] == "two words"


def test_a_digest_tells_values_dtypes_shapes_and_structures_apart():
    line = paths.line({"w": np.zeros(3, "f4")}, {"w": np.ones(3, "f4")})
    trees = [
        "text",
        ["te", "xt"],
        ["tex", "t"],
        np.zeros(4, "f4"),
        np.zeros(4, "i4"),
        np.zeros((2, 2), "f4"),
        np.ones(4, "f4"),
        [np.zeros(2, "f4"), np.zeros(2, "f4")],
        {"w": np.zeros(4, "f4")},
        1,
        1.0,
        None,
        len,
        line,
        dataclasses.replace(line, fixed=(0,)),
        paths.bezier({"w": np.zeros(3, "f4")}, {"w": np.ones(3, "f4")}, bends=1),
    ]
    assert len({digest(tree) for tree in trees}) == len(trees)
    assert digest(jnp.ones(4)) == digest(np.ones(4, "f4"))
    assert digest("abc").startswith("ba7816bf8f01cfea")  # that of sha256sum


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_waits_for_the_end_of_the_block(presses):
    done = []

    @saving.uninterrupted()
    def work():
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        done.append("all of it")
        raise ValueError("of the block")

    with pytest.raises(KeyboardInterrupt) as stopped:
        work()
    assert done == ["all of it"]
    assert isinstance(stopped.value.__context__, ValueError)  # which is not lost
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_the_signals_alone():
    done = []
    thread = threading.Thread(target=saving.uninterrupted()(lambda: done.append("all of it")))
    thread.start()
    thread.join()
    assert done == ["all of it"]


TWO = """
import numpy as np
from mconn.saving import last_step, open_keeper, save_step
keeper = open_keeper(sys.argv[5], "test")
for step in range(1, 4 + process):
    save_step(keeper, step, {"a": np.array(step + 10 * process)})
if process == 1:
    assert keeper.names() == ["step-000000003"]
    (keeper.path / "step-000000003.npz").write_bytes(b"")
else:
    assert keeper.names() == ["step-000000003"]
    save_step(keeper, 4, {"a": np.array(4)})
from jax.experimental.multihost_utils import sync_global_devices
sync_global_devices("saved")
step, arrays = last_step(keeper)
assert (step, int(arrays["['a']"])) == (4, 4 + 10 * process), step
"""


def test_processes_keep_apart_and_agree(tmp_path):
    """One is a step ahead, then its older step is damaged."""
    processes.run(TWO, str(tmp_path / "work"), devices=1, processes=2)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["process-0", "process-1"]
    assert isinstance(Folder(Path("x")).path, Path)
