"""``kill -9`` in the middle of training, for real."""

import signal
import subprocess
import sys
from pathlib import Path

import jax

from mconn.data import DataConfig, load
from mconn.models import CNN
from mconn.training import Optimiser, TrainConfig, train
from mconn.trees import named_leaves

CONFIG = TrainConfig(
    CNN(width=4, depth=2, normaliser="batch"),
    DataConfig("digits", validation=200),
    Optimiser("adamw", 3e-3, weight_decay=1e-2, warmup_epochs=1),
    seeds=(3, 8),
    epochs=12,
)

CHILD = """
import sys
from contextlib import contextmanager
from pathlib import Path

import jax

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_compilation_cache_dir", sys.argv[2])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

from mconn.data import load
from mconn.progress import Progress, Task
from mconn.training import train
from tests.training.test_kill import CONFIG


class Told(Progress):
    @contextmanager
    def task(self, description, *, total, unit="step"):
        class Line(Task):
            def update(self, completed, **fields):
                sys.stdout.write(f"epoch {completed}\\n")
                sys.stdout.flush()

        yield Line()


train(CONFIG, load(CONFIG.data), Path(sys.argv[1]), Told())
"""


def killed(folder, epochs):
    """Train in another process and kill it after some epochs; what it said of its epochs."""
    command = [sys.executable, "-c", CHILD, str(folder), str(jax.config.jax_compilation_cache_dir)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    ) as child:
        said = [child.stdout.readline() for _ in range(epochs)]
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    return [int(line.split()[1]) for line in said]


def test_a_training_killed_twice_ends_with_the_same_bits(tmp_path):
    first = killed(tmp_path / "run", 3)
    assert first == [1, 2, 3]
    second = killed(tmp_path / "run", 4)
    assert second[0] in (2, 3, 4)  # after the last epoch whose checkpoint was complete
    dataset = load(CONFIG.data)
    resumed = train(CONFIG, dataset, tmp_path / "run")
    whole = train(CONFIG, dataset, tmp_path / "whole")
    assert list(resumed.history) == list(whole.history)
    expected = named_leaves((whole.params, whole.history))
    found = named_leaves((resumed.params, resumed.history))
    assert list(found) == list(expected)
    for name, leaf in found.items():
        assert leaf.tobytes() == expected[name].tobytes(), name
    kept = [sorted(path.name for path in (tmp_path / run).iterdir()) for run in ("run", "whole")]
    assert kept[0] == kept[1] == ["11", "12", "training.json"]
