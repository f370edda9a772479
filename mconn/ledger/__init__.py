"""The claims ledger: statements, what was measured about them, and the verdicts that follow.

A `Statement` of somebody's names its `Evidence`: claims of studies. What the studies found is kept
as one `Record` for each; `judge` derives the verdict from the records, so that a statement whose
evidence did not come out, or was not measured, never reads as settled.

Statement, Evidence, check_numbers -- what was stated, and the claims that settle it
Record, read_records, write_records -- what a study found, on file
from_results, merge -- complete runs of a results folder as records
judge, Judged, Finding -- the verdict that follows
Checkout, find_checkout -- where the studies, the rows and the records lie
render -- the page of the documentation; measured, expected, ours, origin, counts, ... -- its words
"""

from mconn.ledger.page import (
    claim_counts as claim_counts,
    commands as commands,
    counts as counts,
    expected as expected,
    measured as measured,
    origin as origin,
    ours as ours,
    render as render,
)
from mconn.ledger.records import (
    Checkout as Checkout,
    Record as Record,
    find_checkout as find_checkout,
    from_results as from_results,
    merge as merge,
    read_records as read_records,
    write_records as write_records,
)
from mconn.ledger.statements import (
    Evidence as Evidence,
    Statement as Statement,
    check_numbers as check_numbers,
    run_command as run_command,
)
from mconn.ledger.verdicts import Finding as Finding, Judged as Judged, judge as judge
