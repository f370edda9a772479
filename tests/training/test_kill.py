"""``kill -9`` in the middle of training, for real."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from notes import Recorder
from test_train import assert_same_bits

from mconn.data import DataConfig, load
from mconn.models import CNN
from mconn.training import Optimiser, TrainConfig, train

CONFIG = TrainConfig(
    CNN(width=4, depth=1, normaliser="batch"),
    DataConfig("digits", validation=200, subset=300),
    Optimiser("adamw", 3e-3, weight_decay=1e-2, warmup_epochs=1),
    seeds=(3, 8),
    epochs=60,
)

CHILD = """
import sys
import time
sys.path += ["tests", "tests/training"]
import conftest
from mconn.data import load
from mconn.training import train
from test_kill import CONFIG
from notes import Recorder


class Told(Recorder):
    def note(self, text):
        sys.stdout.write(f"{text}\\n")

    def updated(self, completed, fields):
        sys.stdout.write(f"epoch {completed}\\n")
        sys.stdout.flush()
        time.sleep(0.1)  # so that the end is far when the signal comes


train(CONFIG, load(CONFIG.data), sys.argv[1], Told())
"""


def test_a_training_killed_twice_ends_with_the_same_bits(tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path / "run")]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    ) as child:
        said = [child.stdout.readline() for _ in range(3)]
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert said == ["epoch 1\n", "epoch 2\n", "epoch 3\n"]
    dataset = load(CONFIG.data)
    again = Recorder(stop_after=40)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, dataset, tmp_path / "run", again)
    assert 2 <= again.updates[0][0] < 40  # after the last epoch whose state was complete
    resumed = train(CONFIG, dataset, tmp_path / "run")
    whole = train(CONFIG, dataset, tmp_path / "whole")
    assert_same_bits(resumed, whole)
    assert list(resumed.history) == list(whole.history)
    kept = [sorted(path.name for path in (tmp_path / run).glob("*")) for run in ("run", "whole")]
    assert kept[0] == kept[1] == ["step-000000059.npz", "step-000000060.npz", "work.json"]
