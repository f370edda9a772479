"""Runs of a results folder as records."""

import json
from pathlib import Path

import pytest

from mconn.errors import CheckpointError
from mconn.experiment import run
from mconn.experiment.config import load
from mconn.ledger import from_results, origin, read_records, write_records

CONFIG = """
from dataclasses import dataclass

from mconn.experiment import Claim, Experiment, Report, Result, Stage


@dataclass(frozen=True)
class Count(Stage):
    number: int

    def run(self, inputs, context):
        return Result(facts={"number": self.number})


@dataclass(frozen=True)
class Counting(Experiment):
    count: Count

    def stages(self):
        return {"count": self.count}

    def report(self, results):
        number = results["count"].facts["number"]
        claims = (Claim("it is large", "arithmetic", "above 2", number, number > 2, id="large"),)
        return Report("Counting", "How many?", f"{number} it is", claims=claims)


def counting(number: int = 3) -> Counting:
    return Counting(Count(number))


def smoke() -> Counting:
    return counting(1)
"""


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    folder = tmp_path / "ledger_configs"
    folder.mkdir()
    (folder / "counting.py").write_text(CONFIG)
    return folder


def test_runs_without_options_are_taken(tmp_path, configs):
    results = tmp_path / "results"
    for target in ("counting.py", "counting.py:smoke"):
        config = load(str(configs / target))
        run(config.build(), results, name=config.run_name)
    config = load(str(configs / "counting.py"))
    run(config.build(5), results, name=config.run_name)
    found = from_results(results, configs)
    assert set(found) == {"counting", "counting:smoke"}
    full = found["counting"]
    assert [claim.measured for claim in full.claims] == [3]
    assert (full.size, found["counting:smoke"].size) == ("full", "smoke")
    assert full.versions["jax"]
    assert full.measured <= full.reported or full.measured[:10] == full.reported[:10]


@pytest.mark.parametrize(
    ("report", "stage", "clean", "told"),
    [
        (False, False, True, "commit 0123456789)"),
        (False, True, False, "commit 0123456789, with uncommitted changes)"),
        (True, False, False, "commit 0123456789, with uncommitted changes)"),
        (False, None, None, "commit 0123456789)"),
        (None, None, None, ")"),
    ],
)
def test_a_record_knows_its_commit(tmp_path, configs, report, stage, clean, told):
    def code(changed):
        return None if changed is None else {"commit": "0123456789ab", "changed": changed}

    config = load(str(configs / "counting.py"))
    folder = run(config.build(), tmp_path / "results", name=config.run_name)
    versions = json.loads((folder.path / "versions.json").read_text())
    (folder.path / "versions.json").write_text(json.dumps(versions | {"code": code(report)}))
    (made,) = folder.record["made"].items()
    made[1]["by"]["code"] = code(stage)
    folder.note(made=dict([made]), older={"count": "by commit f00"})
    (found,) = from_results(tmp_path / "results", configs).values()
    assert (found.commit, found.clean) == (code(report)["commit"] if code(report) else "", clean)
    assert found.older == {"count": "by commit f00"}
    assert origin(found).endswith(told.replace(")", ", and older code of count)"))
    file = tmp_path / "records.json"
    write_records(file, {found.study: found})
    assert read_records(file) == {found.study: found}


def test_a_run_of_a_config_that_has_changed_or_gone_is_left_out(tmp_path, configs):
    results = tmp_path / "results"
    config = load(str(configs / "counting.py"))
    folder = run(config.build(), results, name=config.run_name)
    (configs / "counting.py").write_text(CONFIG.replace("number: int = 3", "number: int = 4"))
    assert from_results(results, configs) == {}
    (configs / "counting.py").unlink()
    assert from_results(results, configs) == {}
    assert folder.state == "complete"


def test_a_run_that_failed_is_left_out(tmp_path, configs):
    results = tmp_path / "results"
    config = load(str(configs / "counting.py"))
    folder = run(config.build(), results, name=config.run_name)
    record = json.loads((folder.path / "run.json").read_text())
    (folder.path / "run.json").write_text(json.dumps(record | {"state": "failed"}))
    assert from_results(results, configs) == {}


def test_a_run_that_cannot_be_read_is_named(tmp_path, configs):
    results = tmp_path / "results"
    config = load(str(configs / "counting.py"))
    folder = run(config.build(), results, name=config.run_name)
    (folder.path / "versions.json").unlink()
    with pytest.raises(CheckpointError, match=r"counting-\w+/run\.json is corrupt"):
        from_results(results, configs)


def test_there_need_not_be_a_results_folder(tmp_path, configs):
    assert from_results(tmp_path / "nothing", configs) == {}
