import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import toys
from notes import Notes
from toys import Numbers, Sums, Total, sums

from mconn.errors import CheckpointError, ConfigError, DivergenceError
from mconn.experiment import Experiment, RunFolder, Store, run
from mconn.experiment.runner import kebab


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    toys.RAN.clear()


def test_a_run_leaves_everything_in_its_folder(tmp_path: Path) -> None:
    folder = run(sums(drawn=True), tmp_path, name="adding")
    assert folder.path.parent == tmp_path / "runs"
    assert folder.name.startswith("adding-")
    assert folder.state == "complete"
    assert toys.RAN == ["numbers", "total", "report"]
    files = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*.*")}
    assert files == {
        *("run.json", "config.json", "versions.json", "stages.json", "facts.json", "report.html"),
        *(f"figures/{name}.{kind}" for name in ("profile", "barriers") for kind in ("png", "svg")),
        *(f"tables/{n}.parquet" for n in ("headline", "barriers", "profile", "total-total")),
    }
    assert folder.experiment == sums(drawn=True)
    assert folder.facts["total"] == {"total": 3.0}
    assert folder.table("total-total")["total"].to_pylist() == [3.0]
    record = folder.record
    assert record["summary"] == "The numbers add up to 3."
    assert [claim["holds"] for claim in record["claims"]] == [True, False]
    assert record["seeds"] == {"total.numbers.seeds": [0, 1]}
    versions = json.loads((folder.path / "versions.json").read_text())
    assert versions["packages"].keys() >= {"mconn", "jax", "jaxlib", "flax", "optax", "numpy"}
    assert versions["code"] is None or len(versions["code"]["commit"]) == 40
    stages = json.loads((folder.path / "stages.json").read_text())
    assert [stage["name"] for stage in stages] == ["numbers", "total"]
    assert not any(stage["from_store"] for stage in stages)


def test_an_unchanged_experiment_is_neither_run_nor_drawn(tmp_path: Path) -> None:
    first = run(sums(), tmp_path)
    page = first.report.stat().st_mtime_ns
    toys.RAN.clear()
    notes = Notes()
    again = run(sums(), tmp_path, progress=notes)
    assert again == first
    assert toys.RAN == []
    assert again.report.stat().st_mtime_ns == page
    assert notes.lines == [f"{again.name}: complete and unchanged"]


def test_changing_a_late_stage_keeps_the_early_ones(tmp_path: Path) -> None:
    first = run(sums(), tmp_path)
    toys.RAN.clear()
    notes = Notes()
    second = run(sums(others=(Numbers(4),)), tmp_path, progress=notes)
    assert toys.RAN == ["numbers", "total", "report"]
    assert second != first
    assert second.facts["total"] == {"total": 9.0}
    assert notes.lines[0].startswith("numbers: from the store (")
    stages = json.loads((second.path / "stages.json").read_text())
    assert [(stage["name"], stage["from_store"]) for stage in stages] == [
        ("numbers", True),
        ("Numbers", False),
        ("total", False),
    ]


def test_a_missing_result_is_made_again(tmp_path: Path) -> None:
    folder = run(sums(), tmp_path)
    entry = Store(tmp_path).entry(sums().total).folder
    for path in sorted(entry.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    entry.rmdir()
    toys.RAN.clear()
    assert run(sums(), tmp_path) == folder
    assert toys.RAN == ["total", "report"]


def test_the_report_is_drawn_again_when_the_code_changes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = run(sums(drawn=True), tmp_path).path / "figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    toys.RAN.clear()
    monkeypatch.setattr("mconn.experiment.runner.source_digest", lambda _: "other")
    run(sums(drawn=True), tmp_path)
    assert toys.RAN == ["report"]
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == before
    assert len(before) == 4


def test_a_failing_stage_is_recorded_and_mended_by_a_rerun(tmp_path: Path) -> None:
    experiment = sums(fails=True)
    with pytest.raises(DivergenceError):
        run(experiment, tmp_path)
    (folder,) = (RunFolder(path) for path in (tmp_path / "runs").iterdir())
    assert folder.state == "failed"
    assert folder.record["error"].startswith("DivergenceError: the loss of seed 1")
    toys.RAN.clear()
    with pytest.raises(DivergenceError):
        run(experiment, tmp_path)
    assert toys.RAN == ["total"]


def test_ctrl_c_leaves_an_interrupted_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Total, "run", press)
        with pytest.raises(KeyboardInterrupt):
            run(sums(), tmp_path)
    (folder,) = (RunFolder(path) for path in (tmp_path / "runs").iterdir())
    assert folder.state == "interrupted"
    assert run(sums(), tmp_path).state == "complete"


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_file_as_the_results_folder_is_named(tmp_path: Path, below: str) -> None:
    results = tmp_path / "file" / below
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"{results} cannot be used .*: name another"):
        run(sums(), results)


def test_a_results_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(ConfigError, match=r"/proc/nope cannot be used .*: name another"):
        run(sums(), Path("/proc/nope"))


@pytest.mark.parametrize("where", ["locks", "runs", "store", "work"])
def test_a_results_folder_that_cannot_be_written_is_named(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def refuse(path: str | Path, *arguments: Any, **options: Any) -> None:
        if Path(path).is_relative_to(tmp_path / where):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *arguments, **options)

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be used .Permission denied: "):
        run(sums(), tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("RESOURCE_EXHAUSTED: [OS error 28: No space left on device]"),  # orbax's
    ],
)
def test_a_full_disk_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("mconn.experiment.store.write_json", full)
        with pytest.raises(ConfigError, match=f"the disk of .*{tmp_path} is full: make space"):
            run(sums(), tmp_path)
    assert run(sums(), tmp_path).state == "complete"


def test_an_error_of_the_system_elsewhere_is_not_the_results_folder_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        Path("/nowhere/numbers").read_text()

    monkeypatch.setattr(Total, "run", missing)
    with pytest.raises(FileNotFoundError, match="/nowhere/numbers"):
        run(sums(), tmp_path)


def test_a_corrupt_result_stops_the_run(tmp_path: Path) -> None:
    run(sums(), tmp_path)
    entry = Store(tmp_path).entry(sums().total.numbers).folder
    (entry / "facts.json").write_text("{}")
    with pytest.raises(CheckpointError, match="delete that folder"):
        run(sums(others=(Numbers(9),)), tmp_path)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from toys import sums, Numbers, Sums, Total
from mconn.experiment import run
run(Sums(Total(Numbers({count}, pause={pause}))), Path({results!r}), name="toy")
"""


def start(results: Path, count: int, pause: float) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    script = SCRIPT.format(here=here, results=str(results), count=count, pause=pause)
    return subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=os.environ
    )


def wait_for(path: Path) -> None:
    for _ in range(1200):
        if path.exists() and path.read_text() not in ("", "1"):
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never appeared")


def test_a_killed_run_goes_on_from_the_stage_s_checkpoint(tmp_path: Path) -> None:
    numbers = Numbers(200, pause=0.02)
    process = start(tmp_path, 200, 0.02)
    wait_for(Store(tmp_path).entry(numbers).work / "done")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = (RunFolder(path) for path in (tmp_path / "runs").iterdir())
    assert folder.state == "interrupted"
    assert not Store(tmp_path).entry(numbers).complete
    again = run(Sums(Total(numbers)), tmp_path, name="toy")
    assert again == folder
    assert again.facts["numbers"]["resumed_at"] >= 2
    assert again.facts["total"]["total"] == sum(range(200))


def test_two_processes_make_one_result(tmp_path: Path) -> None:
    numbers = Numbers(200, pause=0.02)
    process = start(tmp_path, 200, 0.02)
    wait_for(Store(tmp_path).entry(numbers).work / "done")
    notes = Notes()
    folder = run(Sums(Total(numbers)), tmp_path, name="toy", progress=notes)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    assert f"{folder.name}: another process runs the same experiment; waiting for it" in notes.lines
    assert toys.RAN == []
    assert Store(tmp_path).entry(numbers).load().tree["values"].sum() == sum(range(200))
    assert folder.state == "complete"


def test_names_of_runs() -> None:
    assert kebab(sums()) == "sums"

    class LinearConnectivity3D(Sums):
        pass

    assert kebab(LinearConnectivity3D(sums().total)) == "linear-connectivity3-d"


def test_an_experiment_declares_stages_and_a_report() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Experiment()  # pyright: ignore[reportAbstractUsage]
