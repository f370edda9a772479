"""The ledger in words, for the terminal, and as a page of the documentation, in Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence

from mconn.experiment import Claim, cell
from mconn.ledger.records import Record, Records
from mconn.ledger.statements import run_command
from mconn.ledger.verdicts import Finding, Judged, Kind

_ORDER: tuple[Kind, ...] = (
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
    told = ", ".join(f"{found[kind]} {kind}" for kind in _ORDER if found[kind])
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


_HEAD = """\
# Claims: what was put to the test

Every statement of the notes that this project started from, with the right statement, what was
measured, and the verdict that follows. A verdict stands only if all of its evidence, which are
claims of the studies, was measured and came out; if one claim did not, the statement is **open**.
`mconn claims` prints this table with the numbers of your own runs, `mconn claims 9` one row in
full, `mconn claims --all` the claims of the studies as well.

This page is made of `claims.json` beside it by `mconn claims --markdown docs/claims.md`, and that
file by `mconn claims --record` of runs of the configs as they are.
"""


def render(judged: Sequence[Judged], records: Records) -> str:
    """The page.

    Args:
        judged: the rows.
        records: by study, for the second part.
    """
    kept = [records[study] for study in sorted(records)]
    parts = [
        _HEAD,
        f"{counts(judged)}. {claim_counts(kept)}.\n",
        _table(
            ("#", "the notes say", "verdict"),
            ((str(each.statement.number), _link(each), each.verdict) for each in judged),
        ),
        "## The statements one by one\n",
        *(_row(each) for each in judged),
        "## The claims of the studies\n\nWhat each study expected, from whom, and what came out.\n",
        *(_study(record) for record in kept),
    ]
    return "\n".join(parts)


def _row(judged: Judged) -> str:
    statement = judged.statement
    lines = [
        f"### {statement.number}. {_escape(statement.said)} {{: #row-{statement.number} }}\n",
        f"Notes, {statement.where}. **{_capital(_escape(judged.verdict))}**\n",
        f"{_escape(statement.right)}\n",
        _escape(f"Source: {statement.source}. {statement.published}".rstrip()),
        "",
    ]
    found = ours(judged.findings)
    if found:
        lines += ["Ours:\n", *(f"- {_escape(line)}" for line in found), ""]
        lines += [", ".join(f"`{command}`" for command in commands(judged.findings)), ""]
    return "\n".join(lines)


def _study(record: Record) -> str:
    rows = (
        (
            claim.statement,
            claim.source,
            expected(claim),
            measured(claim),
            "holds" if claim.holds else "✗ fails",
        )
        for claim in record.claims
    )
    return f"### {record.title}\n\n`{run_command(record.study)}`: {origin(record)}.\n\n" + _table(
        ("claim", "source", "expected", "measured", ""), rows
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_escape(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _link(judged: Judged) -> str:
    return f"[{judged.statement.said}](#row-{judged.statement.number})"


def _escape(text: str) -> str:
    for character in "\\|*_<":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
