"""Numbers, findings and counts of the ledger in words, for the terminal and for the page."""

from collections import Counter
from collections.abc import Iterable, Sequence

from mconn.experiment.claims import Claim
from mconn.experiment.page import cell
from mconn.ledger.records import Record
from mconn.ledger.verdicts import Finding, Judged, Kind

ORDER: tuple[Kind, ...] = (
    "refuted",
    "conditional",
    "holds",
    "open",
    "not measured",
    "not testable",
)


def measured(claim: Claim) -> str:
    """Our number with its interval."""
    return f"{cell(claim.measured)} {claim.interval}".rstrip()


def expected(claim: Claim) -> str:
    """The source's number with what may lie between it and ours."""
    return f"{cell(claim.expected)} {claim.tolerance}".rstrip()


def ours(findings: Iterable[Finding]) -> list[str]:
    """What was measured, a line for every claim."""
    return [
        f"{claim.statement}: {measured(claim)}" for finding in findings for claim in finding.claims
    ]


def commands(findings: Iterable[Finding]) -> list[str]:
    """The commands that reproduce the findings, each once."""
    return list(dict.fromkeys(finding.evidence.command for finding in findings))


def counts(judged: Sequence[Judged]) -> str:
    """How many statements have each verdict."""
    found = Counter(each.kind for each in judged)
    told = ", ".join(f"{found[kind]} {kind}" for kind in ORDER if found[kind])
    return f"{len(judged)} statements of the notes: {told}"


def claim_counts(records: Iterable[Record]) -> str:
    """How many claims of the studies hold."""
    kept = list(records)
    holding, total = sum(each.holding for each in kept), sum(len(each.claims) for each in kept)
    return f"{total} claims of {len(kept)} studies: {holding} hold, {total - holding} fail"


def origin(record: Record) -> str:
    """By what, on what and when a record was made."""
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    when = record.measured[:10]
    size = " at a size for tests," if record.size == "smoke" else ""
    code = ""
    if record.commit:
        code = f", commit {record.commit[:10]}"
        code += ", with uncommitted changes" if record.clean is False else ""
    if record.older:
        code += f", and older code of {', '.join(record.older)}"
    return (
        f"{len(record.claims)} claims,{size} measured {when} on {record.device} ({versions}{code})"
    )
