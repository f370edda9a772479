import json
import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from notes import Notes

from mconn.data import DataConfig
from mconn.errors import CheckpointError
from mconn.models import MLP
from mconn.progress import SILENT
from mconn.training import Optimiser, TrainConfig
from mconn.training.checkpoints import describe, open_checkpoints, uninterrupted

CONFIG = TrainConfig(MLP(8), DataConfig("digits"), Optimiser(), epochs=9)


def tree(epoch):
    noise = np.random.default_rng(epoch).normal(size=(2, 5000))  # which does not compress
    return {"w": noise.astype(np.float32), "n": np.asarray([epoch], np.int32)}


@pytest.fixture(autouse=True)
def pythons_own_ctrl_c():
    """A shell starts what it puts into the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def folder(tmp_path):
    """The checkpoints of epochs 1, 2 and 3, of which the last two are kept."""
    with open_checkpoints(tmp_path / "run", CONFIG, SILENT) as checkpoints:
        assert checkpoints.restore(tree(0)) is None
        for epoch in (1, 2, 3):
            checkpoints.save(epoch, tree(epoch))
    return tmp_path / "run"


def restored(folder, progress=SILENT):
    with open_checkpoints(folder, CONFIG, progress) as checkpoints:
        epoch, found = checkpoints.restore(tree(0))
    for name, leaf in tree(epoch).items():
        np.testing.assert_array_equal(found[name], leaf)
    return epoch


def test_the_last_two_epochs_are_kept(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["2", "3", "training.json"]
    assert restored(folder) == 3


def largest_file(folder):
    return max(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def truncate(folder):
    path = largest_file(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder):
    path = largest_file(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def remove_array(folder):
    largest_file(folder).unlink()


def truncate_metadata(folder):
    (folder / "state" / "_METADATA").write_text("{")


def empty(folder):
    shutil.rmtree(folder / "state")


DAMAGES = [truncate, flip_a_bit, remove_array, truncate_metadata, empty]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(folder, damage):
    damage(folder / "3")
    notes = Notes()
    assert restored(folder, notes) == 2
    assert len(notes.lines) == 1
    assert notes.lines[0].startswith(f"the checkpoint {folder / '3'} is damaged")
    assert not (folder / "3").exists()  # so that epoch 3 can be saved again
    with open_checkpoints(folder, CONFIG, SILENT) as checkpoints:
        checkpoints.save(3, tree(3))
    assert restored(folder) == 3


@pytest.mark.parametrize("damage", DAMAGES)
def test_with_none_left_nothing_starts_anew_silently(folder, damage):
    damage(folder / "2")
    damage(folder / "3")
    with pytest.raises(CheckpointError, match=rf"{folder} can be read \(epochs 3, 2\): delete"):
        restored(folder)
    assert (folder / "3").exists()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"batch_size": 50}, "batch_size is 100 there, 50 here"),
        ({"epochs": 10}, "epochs is 9 there, 10 here"),
        ({"seeds": (0, 1, 2)}, r"seeds is \(0, 1\) there"),
        ({"model": MLP(9)}, "width = 8"),
        ({"optimiser": Optimiser(learning_rate=0.1)}, "learning_rate=0.001"),
        ({"data": DataConfig("digits", validation=3)}, "validation=0"),
    ],
)
def test_the_folder_of_another_training_is_refused(folder, change, name):
    with (
        pytest.raises(CheckpointError, match=f"{folder} belong to another training .*{name}"),
        open_checkpoints(folder, replace(CONFIG, **change), SILENT),
    ):
        pass
    assert restored(folder) == 3


def test_a_description_that_cannot_be_read_is_named(folder):
    (folder / "training.json").write_text('{"epochs": "9"')
    with pytest.raises(CheckpointError, match=f"{folder / 'training.json'} is damaged"):
        restored(folder)
    (folder / "training.json").unlink()
    with pytest.raises(CheckpointError, match=f"{folder} holds checkpoints but no training.json"):
        restored(folder)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(CheckpointError, match=f"{tmp_path / 'file' / 'run'} cannot be used"),
        open_checkpoints(tmp_path / "file" / "run", CONFIG, SILENT),
    ):
        pass


def test_a_description_is_json_without_addresses(folder):
    description = describe(CONFIG)
    assert json.loads((folder / "training.json").read_text()) == description
    with_function = replace(CONFIG, model=lambda x: x)
    assert " at 0x" not in describe(with_function)["model"]


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_waits_for_the_end_of_the_block(presses):
    done = []

    @uninterrupted()
    def work():
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_block_is_not_lost_with_ctrl_c():
    @uninterrupted()
    def work():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the block")

    with pytest.raises(KeyboardInterrupt) as stopped:
        work()
    assert isinstance(stopped.value.__context__, ValueError)


def test_other_threads_leave_the_signals_alone():
    done = []

    def work():
        with uninterrupted():
            done.append("all of it")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["all of it"]


def test_ctrl_c_leaves_the_save_in_progress_complete(tmp_path):
    def work():
        with open_checkpoints(tmp_path / "run", CONFIG, SILENT) as checkpoints:
            wait = checkpoints.manager.wait_until_finished

            def press_again():
                signal.raise_signal(signal.SIGINT)
                wait()

            checkpoints.save(1, tree(1))
            checkpoints.manager.wait_until_finished = press_again
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert restored(tmp_path / "run") == 1
