import pytest
from examples import claim, record, statement

from mconn.errors import ConfigError
from mconn.ledger import Evidence, check_numbers, judge
from mconn.ledger.statements import run_command

BLACK = Evidence("swans", "there is a black one")
NESTS = Evidence("nests", "eggs are laid", fails=True)


def test_a_verdict_stands_if_all_of_its_evidence_came_out():
    records = {
        "swans": record("swans", claim("there is a black one/here"), claim("something else")),
        "nests": record("nests", claim("eggs are laid/by all", holds=False)),
    }
    judged = judge(statement(BLACK, NESTS), records)
    assert [finding.standing for finding in judged.findings] == ["supports", "supports"]
    assert judged.verdict == judged.kind == "refuted"


@pytest.mark.parametrize(
    ("evidence", "holds", "told"),
    [
        (BLACK, False, "open: 'there is a black one' fails in swans"),
        (
            Evidence("swans", "there is a black one", fails=True),
            True,
            "open: 'there is a black one' h",
        ),
    ],
)
def test_evidence_that_did_not_come_out_leaves_the_matter_open(evidence, holds, told):
    records = {"swans": record("swans", claim("there is a black one", holds))}
    judged = judge(statement(evidence), records)
    assert judged.kind == "open"
    assert judged.verdict.startswith(told)


def test_one_of_several_claims_that_fails_leaves_the_matter_open():
    claims = claim("there is a black one/here"), claim("there is a black one/there", holds=False)
    judged = judge(statement(BLACK), {"swans": record("swans", *claims)})
    assert judged.verdict == "open: 'there is a black one/there' fails in swans"


def test_a_verdict_without_evidence_that_was_measured_does_not_stand():
    records = {"swans": record("swans", claim("there is a black one"))}
    assert judge(statement(BLACK, NESTS), records).verdict == "not measured: nests was not run"
    assert judge(statement(NESTS, BLACK), {}).verdict == (
        "not measured: nests was not run; swans was not run"
    )
    assert judge(statement(), records).verdict == "not measured: there is no study yet"


def test_a_claim_that_the_study_does_not_make_is_missing():
    records = {"swans": record("swans", claim("all are white"))}
    assert judge(statement(BLACK), records).verdict == (
        "not measured: swans has no claim 'there is a black one'"
    )


def test_contradiction_weighs_more_than_what_is_missing():
    records = {"swans": record("swans", claim("there is a black one", holds=False))}
    assert judge(statement(NESTS, BLACK), records).kind == "open"


def test_a_small_run_counts_where_there_is_nothing_else_and_is_marked():
    black = claim("there is a black one")
    small = record("swans:smoke", black)
    judged = judge(statement(BLACK), {"swans:smoke": small})
    assert judged.verdict == "refuted (at a size for tests only)"
    full = record("swans", claim("there is a black one", holds=False))
    assert judge(statement(BLACK), {"swans:smoke": small, "swans": full}).kind == "open"


def test_conditions_and_reasons_are_told():
    records = {"swans": record("swans", claim("there is a black one"))}
    judged = judge(statement(BLACK, verdict="conditional", condition="on the lake"), records)
    assert judged.verdict == "conditional: on the lake"
    judged = judge(statement(untestable="there are no swans here"), records)
    assert (judged.kind, judged.verdict) == (
        "not testable",
        "not testable here: there are no swans here",
    )


SEEN = Evidence("swans", "a black one")


@pytest.mark.parametrize(
    ("evidence", "changes", "message"),
    [
        ((SEEN,), {"verdict": None}, "a verdict or evidence without the other"),
        ((), {"verdict": "holds"}, "a verdict or evidence without the other"),
        ((SEEN,), {"verdict": "conditional"}, "a condition belongs to the verdict"),
        ((SEEN,), {"condition": "on the lake"}, "a condition belongs to the verdict"),
        ((SEEN,), {"untestable": "there are no swans"}, "untestable and has evidence"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(evidence, changes, message):
    with pytest.raises(ConfigError, match=f"row 1 of the ledger.*{message}"):
        statement(*evidence, **changes)


def test_rows_are_numbered_in_their_order():
    check_numbers([statement(number=1), statement(number=2)])
    with pytest.raises(ConfigError, match="row 3 of the ledger stands where row 2 should"):
        check_numbers([statement(number=1), statement(number=3)])


def test_evidence_names_the_command_that_makes_it():
    assert SEEN.command == "mconn run configs/swans.py"
    assert run_command("swans:black") == "mconn run configs/swans.py:black"
