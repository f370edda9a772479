"""The ledger's evidence names claims that the recorded studies make."""

from pathlib import Path

import pytest

from experiments.ledger import STATEMENTS
from mconn.ledger import read_records

RECORDS = read_records(Path(__file__).parents[2] / "docs" / "claims.json")
EVIDENCE = [each for statement in STATEMENTS for each in statement.evidence]


@pytest.mark.parametrize("study", sorted({each.study for each in EVIDENCE}))
def test_every_evidence_names_a_recorded_claim(study):
    record = RECORDS.get(study) or RECORDS[f"{study.partition(':')[0]}:smoke"]
    for each in EVIDENCE:
        if each.study == study:
            assert record.called(each.claim), each


@pytest.mark.parametrize("study", sorted(RECORDS))
def test_ids_are_unique_within_a_study(study):
    ids = [claim.id for claim in RECORDS[study].claims]
    assert len(set(ids)) == len(ids)
