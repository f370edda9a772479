import pytest
from examples import statement

from mconn.errors import ConfigError
from mconn.ledger import Evidence, check_numbers
from mconn.ledger.statements import run_command

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
