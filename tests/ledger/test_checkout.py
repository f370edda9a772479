"""The ledger of this repository."""

from pathlib import Path

import pytest

from mconn.errors import ConfigError
from mconn.experiment.config import load
from mconn.ledger import Checkout, find_checkout, judge, read_records, render

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
