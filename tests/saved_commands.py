"""Commands on saved networks: a config, two networks beside it, and a call of the command line."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mconn import cli

CONFIG = '''
from dataclasses import dataclass

from mconn.data import DataConfig
from mconn.experiment import Experiment, Report
from mconn.experiment.stages import Train
from mconn.models import MLP
from mconn.training import TrainConfig


@dataclass(frozen=True)
class Training(Experiment):
    train: TrainConfig

    def stages(self):
        return {"train": Train(self.train)}

    def report(self, results):
        return Report(title="Training", question="Does it train?", summary="yes")


def network(width: int = 8, data: str = "digits") -> Training:
    """Train a network.

    Args:
        width: units of a hidden layer.
        data: the data set.
    """
    config = DataConfig(data, normalise="unit")
    return Training(TrainConfig(MLP(width, 2), config, seeds=(3, 5), epochs=1))
'''

Leaves = dict[str, np.ndarray]
Call = Callable[..., tuple[int, str, str]]

MODEL = ("--model", "configs/network.py")


def network(seed: int = 0, inputs: int = 64, width: int = 8, dtype: type = np.float32) -> Leaves:
    random = np.random.default_rng(seed)
    sizes = [inputs, width, width, 10]
    shapes = {
        f"Dense_{i}/{name}": shape
        for i, (above, below) in enumerate(itertools.pairwise(sizes))
        for name, shape in (("bias", (below,)), ("kernel", (above, below)))
    }
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def save(name: str, leaves: Leaves, separator: str = "|", level: str = "") -> None:
    arrays = {level + leaf.replace("/", separator): value for leaf, value in leaves.items()}
    np.savez(name, **arrays)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "network.py").write_text(CONFIG)
    path, modules = list(sys.path), set(sys.modules)
    monkeypatch.chdir(tmp_path)
    save("a.npz", network())
    save("b.npz", network(1))
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("configs."):
            del sys.modules[name]


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    # What it sets in the environment is for a fresh process.
    monkeypatch.setattr("mconn.cli.options.set_up_jax", lambda: None)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*words: str) -> tuple[int, str, str]:
        status = cli.main(words)
        return (status, *capsys.readouterr())

    return call
