"""Commands on saved networks: a config, networks beside it, and a call of the command line.

What takes long, a training, a fitted curve, damaged checkpoints, is made once for all tests, and
copied for each.
"""

import contextlib
import io
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

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
QUICK = ("--fit-epochs", "2", "--positions", "5")
FIRST, SECOND = np.random.default_rng(1).permutation(8), np.random.default_rng(2).permutation(8)


def network(seed: int = 0, inputs: int = 64, width: int = 8, dtype: type = np.float32) -> Leaves:
    random = np.random.default_rng(seed)
    sizes = [inputs, width, width, 10]
    shapes = {
        f"Dense_{i}/{name}": shape
        for i, (above, below) in enumerate(itertools.pairwise(sizes))
        for name, shape in (("bias", (below,)), ("kernel", (above, below)))
    }
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def permuted(leaves: Leaves) -> Leaves:
    """With the hidden units in another order, by hand."""
    return {
        "Dense_0/bias": leaves["Dense_0/bias"][FIRST],
        "Dense_0/kernel": leaves["Dense_0/kernel"][:, FIRST],
        "Dense_1/bias": leaves["Dense_1/bias"][SECOND],
        "Dense_1/kernel": leaves["Dense_1/kernel"][FIRST][:, SECOND],
        "Dense_2/bias": leaves["Dense_2/bias"],
        "Dense_2/kernel": leaves["Dense_2/kernel"][SECOND],
    }


def nested(leaves: Leaves) -> dict[str, Leaves]:
    tree: dict[str, Leaves] = {}
    for name, value in leaves.items():
        module, _, leaf = name.partition("/")
        tree.setdefault(module, {})[leaf] = value
    return tree


def save(name: str | Path, leaves: Leaves, separator: str = "|", level: str = "") -> None:
    arrays = {level + leaf.replace("/", separator): value for leaf, value in leaves.items()}
    np.savez(name, **arrays)  # pyright: ignore[reportArgumentType]


def save_orbax(name: str | Path, tree: Mapping[str, object]) -> None:
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as writer:
        writer.save(Path(name).absolute(), tree)


def load(name: str | Path) -> Leaves:
    with np.load(name, allow_pickle=False) as file:
        return {leaf: file[leaf] for leaf in file.files}


def mconn(*words: str) -> tuple[int, str, str]:
    """The status of a command in this process, and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    # What it sets in the environment is for a fresh process.
    with (
        mock.patch("mconn.cli.options.set_up_jax"),
        mock.patch.dict(os.environ, {"COLUMNS": "120"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = cli.main(words)
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the config and two networks, one a permuted copy of the other."""
    folder = tmp_path_factory.mktemp("networks")
    (folder / "configs").mkdir()
    (folder / "configs" / "network.py").write_text(CONFIG)
    for name, leaves in (("a", network()), ("b", permuted(network())), ("other", network(1))):
        save(folder / f"{name}.npz", leaves)
    return folder


def made(base: Path, factory: pytest.TempPathFactory, *words: str) -> Path:
    """The folder after a command."""
    folder = factory.mktemp("made") / "in"
    shutil.copytree(base, folder)
    with contextlib.chdir(folder):
        status, _, err = mconn(*words)
        assert status == 0, err
    return folder


@pytest.fixture(scope="session")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a run of the config."""
    return made(base, tmp_path_factory, "run", "configs/network.py")


@pytest.fixture(scope="session")
def curved(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a fitted curve."""
    words = ("path", "a.npz", "other.npz", *MODEL, "--out", "curve", *QUICK)
    return made(base, tmp_path_factory, *words)


@contextlib.contextmanager
def inside(folder: Path, copy: Path) -> Iterator[Path]:
    """A copy of a folder as the current one, with modules of its own."""
    shutil.copytree(folder, copy)
    path, modules = list(sys.path), set(sys.modules)
    with contextlib.chdir(copy):
        yield copy
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("configs."):
            del sys.modules[name]


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Iterator[Path]:
    with inside(base, tmp_path / "in") as copy:
        yield copy


@pytest.fixture
def call(folder: Path) -> Call:
    return mconn
