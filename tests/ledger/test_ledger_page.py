from examples import claim, record, statement

from mconn.ledger import Evidence, judge, render


def test_the_page_tells_what_was_said_found_and_run():
    swans = record(
        "swans",
        claim("there is/a black one_of_two", interval="[0.8, 1] over lakes"),
        claim("b", False),
    )
    rows = [
        statement(Evidence("swans", "there is"), published="One in ten."),
        statement(number=2, said="eggs | nests", untestable="none *here*"),
    ]
    records = {"swans": swans}
    page = render([judge(row, records) for row in rows], records)
    assert "2 statements of the notes: 1 refuted, 1 not testable." in page
    assert "2 claims of 1 studies: 1 hold, 1 fail." in page
    assert "| 1 | [all swans are white](#row-1) | refuted |" in page
    assert "### 1. all swans are white {: #row-1 }" in page
    assert "Source: a bird watcher. One in ten." in page
    assert "- there is/a black one\\_of\\_two: 0.9 [0.8, 1] over lakes" in page
    assert "`mconn run configs/swans.py`" in page
    assert "| 2 | [eggs \\| nests](#row-2) | not testable here: none \\*here\\* |" in page
    assert "| b | a paper | 1 | 0.9 | ✗ fails |" in page
    assert "measured 2026-01-01 on 2 x cpu (python 3.11, jax 0.10)" in page
