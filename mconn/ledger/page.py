"""The ledger as a page of the documentation, in Markdown."""

from collections.abc import Iterable, Sequence

from mconn.ledger.records import Record, Records
from mconn.ledger.statements import run_command
from mconn.ledger.verdicts import Judged
from mconn.ledger.words import claim_counts, commands, counts, expected, measured, origin, ours

HEAD = """\
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
        HEAD,
        f"{counts(judged)}. {claim_counts(kept)}.\n",
        table(
            ("#", "the notes say", "verdict"),
            ((str(each.statement.number), link(each), each.verdict) for each in judged),
        ),
        "## The statements one by one\n",
        *(row(each) for each in judged),
        "## The claims of the studies\n\nWhat each study expected, from whom, and what came out.\n",
        *(study(record) for record in kept),
    ]
    return "\n".join(parts)


def row(judged: Judged) -> str:
    """One statement in full."""
    statement = judged.statement
    lines = [
        f"### {statement.number}. {escape(statement.said)} {{: #row-{statement.number} }}\n",
        f"Notes, {statement.where}. **{capital(escape(judged.verdict))}**\n",
        f"{escape(statement.right)}\n",
        escape(f"Source: {statement.source}. {statement.published}".rstrip()),
        "",
    ]
    found = ours(judged.findings)
    if found:
        lines += ["Ours:\n", *(f"- {escape(line)}" for line in found), ""]
        lines += [", ".join(f"`{command}`" for command in commands(judged.findings)), ""]
    return "\n".join(lines)


def study(record: Record) -> str:
    """The claims of one study as a table."""
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
    return f"### {record.title}\n\n`{run_command(record.study)}`: {origin(record)}.\n\n" + table(
        ("claim", "source", "expected", "measured", ""), rows
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *([escape(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def link(judged: Judged) -> str:
    """A statement that leads to its row."""
    return f"[{judged.statement.said}](#row-{judged.statement.number})"


def escape(text: str) -> str:
    """A text that Markdown shows as it is, inside a table and outside."""
    for character in "\\|*_<":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def capital(text: str) -> str:
    """A text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]
