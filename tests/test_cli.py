import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from saved_commands import mconn as command
from terminal import program

import mconn
from mconn import symmetry
from mconn.cli.main import COMMANDS
from mconn.cli.options import set_up_jax
from mconn.machine import cores

NETWORK = '''
from dataclasses import dataclass

from mconn.data import DataConfig
from mconn.experiment import Experiment
from mconn.models import MLP
from mconn.training import TrainConfig


@dataclass(frozen=True)
class Training(Experiment):
    train: TrainConfig

    def stages(self):
        return {}

    def report(self, results):
        raise NotImplementedError


def network(width: int = 3) -> Training:
    """Train a network.

    Args:
        width: units of a hidden layer.
    """
    return Training(TrainConfig(MLP(width, 1), DataConfig("digits")))
'''

STUDY = '''
import time
from dataclasses import dataclass

import pyarrow as pa

from mconn.errors import DataError
from mconn.experiment import Claim, Experiment, Report, Result, Stage


@dataclass(frozen=True)
class Count(Stage):
    """Counts."""

    number: int
    pause: float

    def run(self, inputs, context):
        mark = context.work / "done"
        done = int(mark.read_text()) if mark.exists() else 0
        if self.number < 0:
            raise DataError("numbers.gz is missing: install it, or pass --data-dir")
        with context.progress.task("count", total=self.number, unit="number") as task:
            for i in range(done, self.number):
                time.sleep(self.pause)
                mark.write_text(str(i + 1))
                task.update(i + 1, loss=0.5)
        return Result(facts={"number": self.number, "resumed_at": done})


@dataclass(frozen=True)
class Counting(Experiment):
    """Counting."""

    count: Count

    def stages(self):
        return {"count": self.count}

    def report(self, results):
        facts = results["count"].facts
        return Report(
            title="Counting",
            question="How many?",
            summary=f"There are {facts['number']} (from {facts['resumed_at']}).",
            headline=pa.table({"what": ["all"], "how_many": [facts["number"]]}),
            claims=(
                Claim("There are three", "nobody", 3, facts["number"], False, "exactly", id="n"),
            ),
        )
'''

CONFIG = '''
from mconn.experiment import Experiment
from studies.counting import Count, Counting


def counting(number: int = 3, pause: float = 0.0) -> Experiment:
    """Count to a number.

    Nothing else.

    Args:
        number: how far to count.
        pause: seconds between two numbers.
    """
    return Counting(Count(number, pause))


def taken(results: int = 3) -> Experiment:
    return counting(results)


def untyped(number) -> Experiment:
    return counting(number)


def failing(number: int = 3) -> Experiment:
    return counting(number // 0)
'''

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def repository(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("repository")
    (folder / "studies").mkdir()
    (folder / "studies" / "counting.py").write_text(STUDY)
    (folder / "configs").mkdir()
    (folder / "configs" / "counting.py").write_text(CONFIG)
    (folder / "configs" / "network.py").write_text(NETWORK)
    path, modules = list(sys.path), set(sys.modules)
    monkeypatch.chdir(folder)
    yield folder
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("configs.", "studies")):
            del sys.modules[name]


@pytest.fixture
def call(repository: Path) -> Call:
    return command


def process(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mconn.cli", *words],
        cwd=folder,
        env={**os.environ, "MCONN_CACHE": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_run_prints_the_headline_and_the_report(call: Call, repository: Path) -> None:
    status, out, err = call("run", "configs/counting.py", "--number", "4")
    assert status == 0
    assert "There are 4 (from 0)." in out
    assert re.search(r"^all +4", out, re.MULTILINE)
    assert "fails  There are three: 4, expected 3 exactly" in out
    assert "count: 4 numbers\n" in err
    page = re.search(r"^report: (.*)$", out, re.MULTILINE)
    assert page is not None
    assert (repository / page[1]).is_file()


def test_an_unchanged_run_is_not_repeated(call: Call) -> None:
    _, first, _ = call("run", "configs/counting.py")
    status, out, err = call("run", "configs/counting.py")
    assert status == 0
    assert out == first
    assert re.fullmatch(r"counting-\w{10}: complete and unchanged\n", err)


def test_results_go_where_they_are_told(call: Call, repository: Path) -> None:
    call("run", "configs/counting.py", "--results", "elsewhere")
    assert (repository / "elsewhere" / "runs").is_dir()
    assert not (repository / "results").exists()


def test_list_and_show(call: Call) -> None:
    assert call("list")[1] == "no runs in results: `mconn run FILE` makes one\n"
    call("run", "configs/counting.py")
    call("run", "configs/counting.py", "--number", "-1")
    status, out, _ = call("list")
    assert status == 0
    assert out.splitlines()[0].split() == ["run", "when", "state", "result"]
    assert re.search(r"counting-\w{10} +\d{4}-\d\d-\d\d \d\d:\d\d +complete +There are 3", out)
    assert re.search(r"failed +DataError: numbers.gz is missing", out)
    done = re.findall(r"(counting-\w{10}).*complete", out)[0]
    status, out, _ = call("show", done)
    assert (status, "There are 3" in out) == (0, True)
    failed = re.findall(r"(counting-\w{10}).*failed", out := call("list")[1])[0]
    assert f"{failed} has failed: DataError: numbers.gz is missing" in call("show", failed)[1]


def test_list_shows_one_line_of_an_error_and_survives_a_corrupt_run(
    call: Call, repository: Path
) -> None:
    call("run", "configs/counting.py")
    call("run", "configs/counting.py", "--number", "4")
    call("run", "configs/counting.py", "--number", "5")
    four, five = sorted(
        (repository / "results" / "runs").glob("*/run.json"),
        key=lambda path: path.stat().st_mtime,
    )[1:]
    four.write_text("{")
    five.write_text(json.dumps({"state": "failed", "error": "first line\nsecond line"}))
    status, out, _ = call("list")
    assert status == 0
    assert "There are 3" in out
    assert re.search(r"failed +first line", out)
    assert "second line" not in out
    assert re.search(f"{four.parent.name} +corrupt", out)
    status, out, err = call("show", four.parent.name)
    assert (status, out) == (2, "")
    assert "run.json is corrupt: delete the folder" in err


def test_show_of_a_corrupt_table_is_one_sentence(call: Call, repository: Path) -> None:
    call("run", "configs/counting.py")
    (table,) = (repository / "results").rglob("tables/headline.parquet")
    table.write_bytes(b"nothing")
    status, out, err = call("show")
    assert (status, out) == (2, "")
    assert "headline.parquet is corrupt: delete the folder" in err


def test_symmetry_prints_the_group_and_its_certificate(call: Call, repository: Path) -> None:
    words = ("symmetry", "configs/network.py", "--width", "4", "--json", "group.json")
    status, out, err = call(*words)
    assert (status, err) == (0, "")
    assert out.startswith("2 generators, discrete part of order 10^1.38, continuous part of dim")
    assert "\n  Dense_0: permutation of 4\n" in out
    assert "\n  Dense_0 scaling: scaling of 4\n" in out
    assert "  an output: 2 axes\n" in out
    lines = r"^certificate: .*\n  Dense_0: \d\.\d.*\n  Dense_0 scaling: \d\.\de-1\d\n\Z"
    assert re.search(lines, out, re.MULTILINE)
    group = symmetry.from_json(json.loads((repository / "group.json").read_text()))
    assert group.sizes == {"Dense_0": 4, "Dense_0 scaling": 4}


def test_show_without_a_name_shows_the_newest(call: Call) -> None:
    call("run", "configs/counting.py")
    assert "There are 3" in call("show")[1]


def test_help_and_version(call: Call) -> None:
    status, out, _ = call("--help")
    assert status == 0
    for name, kind in COMMANDS.items():
        assert re.search(rf"• {name} +{re.escape(kind.__doc__.splitlines()[0][:40])}", out)
        status, shown, _ = call(name, "--help")
        assert status == 0
        assert f"usage: mconn {name}" in shown
    assert call("symmetry")[0] == 2
    assert call("--version")[:2] == (0, f"mconn {mconn.__version__}\n")
    assert call()[0] == 2
    status, out, _ = call("list", "--help")
    assert (status, "--results PATH" in out) == (0, True)


def test_the_help_of_an_experiment_is_its_docstring(call: Call) -> None:
    status, out, _ = call("run", "configs/counting.py", "--help")
    assert status == 0
    for text in ("Count to a number.", "--number INT", "how far to count. (default: 3)"):
        assert text in out
    assert "Nothing else" not in out
    for option in ("--results PATH", "--data-dir", "--debug"):
        assert option in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--number", "3"], "the config file comes first, before '--number'"),
        (["run", "configs/cuonting.py"], "(did you mean 'configs/counting.py'?)"),
        (["run", "configs/counting.py:countnig"], "(did you mean 'counting'?)"),
        (["run", "configs/counting.py:taken"], "argument 'results' of taken in"),
        (["run", "configs/counting.py:untyped"], "untyped in .* needs a type"),
        (["run", "configs/counting.py:failing"], "line 27: ZeroDivisionError"),
        (["run", "configs/counting.py", "--number", "-1"], "numbers.gz is missing: install it"),
        (
            ["symmetry", "configs/counting.py"],
            "a Counting trains no network whose symmetry could be found: give it a field `train`",
        ),
        (["symmetry", "--json", "x"], "the config file comes first, before '--json'"),
        (["show", "nothing"], "there is no run 'nothing' in results: `mconn list` shows them"),
        (["show"], "there are no runs in results"),
    ],
)
def test_bad_input_is_one_sentence(call: Call, words: list[str], message: str) -> None:
    status, out, err = call(*words)
    assert status == 2
    assert out == ""
    assert err.endswith("\n")
    last = err.splitlines()[-1]
    assert last.startswith("mconn: ")
    assert message in last or re.search(message, last)
    assert "Traceback" not in err


def test_an_unknown_option_names_the_nearest(call: Call) -> None:
    status, _, err = call("run", "configs/counting.py", "--nubmer", "3")
    assert status == 2
    assert "--nubmer" in err
    assert "--number INT" in err
    assert call("symmetry", "configs/network.py", "--results", "x")[0] == 2
    assert "Available subcommands: run, symmetry" in call("ruhn")[2]


def test_a_file_that_cannot_be_written(call: Call) -> None:
    status, _, err = call("symmetry", "configs/network.py", "--json", "nowhere/group.json")
    assert status == 2
    assert err.startswith("mconn: 'nowhere/group.json' cannot be written (No such file")


def test_a_value_of_the_wrong_type_names_its_option(call: Call) -> None:
    status, _, err = call("run", "configs/counting.py", "--number", "three")
    assert status == 2
    assert "Error parsing --number" in err


@pytest.mark.parametrize("how", ["option", "environment"])
def test_the_traceback_is_there_for_those_who_ask(
    call: Call, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    words = ["run", "configs/counting.py:failing"]
    if how == "option":
        words.append("--debug")
    else:
        monkeypatch.setenv("MCONN_DEBUG", "1")
    with pytest.raises(mconn.errors.ConfigError):
        call(*words)


def test_ctrl_c_says_how_to_go_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("mconn.cli.list.List.run", press)
    before = signal.getsignal(signal.SIGINT)
    try:
        stopped = call("list")
        # Another one, while the interpreter ends, prints no traceback.
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped == (130, "", "\nmconn: stopped; the same command goes on from here\n")


def test_a_stopped_run_goes_on_where_it_was(repository: Path) -> None:
    words = ["-m", "mconn.cli", "run", "configs/counting.py", "--number", "40", "--pause", "0.05"]
    with program(words, repository) as (running, child):
        child.expect(r"\d/40 numbers")
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        child.expect("mconn: stopped; the same command goes on from here")
        assert running.wait() == 130
    assert "interrupted" in command("list")[1]
    status, out, err = command(*words[2:])
    assert status == 0, err
    found = re.search(r"There are 40 \(from (\d+)\)", out)
    assert found is not None
    assert int(found[1]) > 0


def test_errors_of_a_real_process(repository: Path) -> None:
    done = process(repository, "run", "--number", "3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mconn: the config file comes first, before '--number': ")


def test_a_closed_pipe_is_quiet(repository: Path) -> None:
    script = f"{sys.executable} -m mconn.cli --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # the pipe may close after the text is through


def test_help_is_fast(repository: Path) -> None:
    script = "import sys, mconn.cli; mconn.cli.main(['--help']); print('jax' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False\n")


def test_jax_is_set_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment does not choose otherwise."""
    environment = {name: value for name, value in os.environ.items() if "XLA" not in name}
    environment = {name: value for name, value in environment.items() if "JAX" not in name}
    environment["MCONN_CACHE"] = str(repository / "cache")

    def chosen(**more: str) -> dict[str, str]:
        with mock.patch.dict(os.environ, environment | more, clear=True):
            set_up_jax()
            return dict(os.environ)

    assert chosen()["JAX_NUM_CPU_DEVICES"] == str(cores())
    assert chosen(JAX_NUM_CPU_DEVICES="3")["JAX_NUM_CPU_DEVICES"] == "3"
    flags = "--xla_force_host_platform_device_count=5"
    assert "JAX_NUM_CPU_DEVICES" not in chosen(XLA_FLAGS=flags)
    precision = "JAX_DEFAULT_MATMUL_PRECISION"
    assert chosen(**{precision: "tensorfloat32"})[precision] == "tensorfloat32"

    script = (
        "import mconn.cli.options; mconn.cli.options.set_up_jax(); import jax; "
        "print(len(jax.devices()), jax.config.jax_compilation_cache_dir, "
        "jax.config.jax_default_matmul_precision)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(cores()), str(repository / "cache" / "compiled"), "highest"]
