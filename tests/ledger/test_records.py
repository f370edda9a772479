"""Runs of a results folder as records."""

import json
from pathlib import Path

import pytest
from examples import claim, record

from mconn.errors import CheckpointError, ConfigError
from mconn.experiment import run
from mconn.experiment.config import load
from mconn.ledger import (
    Checkout,
    find_checkout,
    from_results,
    judge,
    merge,
    origin,
    read_records,
    render,
    write_records,
)

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


def test_records_come_back_from_their_file(tmp_path):
    kept = {
        "swans:smoke": record("swans:smoke", claim("a", interval="[0, 2] over pairs")),
        "nests": record("nests", claim("b", holds=False)),
    }
    write_records(tmp_path / "claims.json", kept)
    back = read_records(tmp_path / "claims.json")
    assert back == kept
    assert list(back) == ["nests", "swans:smoke"]
    assert [back[study].size for study in back] == ["full", "smoke"]
    assert [back[study].holding for study in back] == [0, 1]


def test_there_need_not_be_a_file(tmp_path):
    assert read_records(tmp_path / "claims.json") == {}


@pytest.mark.parametrize("text", ["[]", "{", '{"swans": {"claims": [{}]}}', '{"swans": 1}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"claims\.json holds no records of runs"):
        read_records(tmp_path / "claims.json")


def test_later_runs_overlay_earlier_ones():
    old, new = (record("swans", reported=f"202{year}-01-01T00:00:00+00:00") for year in (5, 6))
    other = record("nests")
    assert merge({"swans": old}, {"swans": new, "nests": other}) == {"swans": new, "nests": other}
    assert merge({"swans": new}, {"swans": old}) == {"swans": new}


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout() -> Checkout:
    return find_checkout(ROOT)


def test_the_checkout_is_found_from_within(checkout, tmp_path):
    assert find_checkout(ROOT / "mconn" / "ledger") == checkout
    with pytest.raises(ConfigError, match="lies in no checkout of mconn"):
        find_checkout(tmp_path)


def test_every_correction_has_a_row(checkout):
    statements = checkout.statements()
    assert len(statements) >= 25
    untestable = {each.number for each in statements if each.untestable}
    assert {20, 21, 23} <= untestable
    for each in statements[:25]:
        assert each.evidence or each.number in untestable, each.said


def test_evidence_names_configs_and_claims_that_exist(checkout):
    records = read_records(checkout.records)
    for statement in checkout.statements():
        for finding in judge(statement, records).findings:
            evidence = finding.evidence
            file, _, function = evidence.study.partition(":")
            assert load(f"{checkout.configs / file}.py{':' if function else ''}{function}")
            if finding.record is not None:
                assert finding.claims, f"row {statement.number}: {evidence}"


def test_a_study_that_does_not_exist_is_refused(checkout, tmp_path):
    with pytest.raises(ConfigError, match=r"row 1 of the ledger names the study .* there is no"):
        Checkout(tmp_path).statements()


def test_the_page_is_that_of_the_records(checkout):
    records = read_records(checkout.records)
    page = render([judge(each, records) for each in checkout.statements()], records)
    assert checkout.page.read_text(encoding="utf-8") == page, (
        "docs/claims.md is out of date: mconn claims --markdown docs/claims.md"
    )
