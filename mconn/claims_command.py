"""``mconn claims``: what was put to the test, what came out, and how to reproduce it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.ledger import (
    Checkout,
    Judged,
    Record,
    find_checkout,
    from_results,
    judge,
    merge,
    read_records,
    render,
    write_records,
)
from mconn.ledger.statements import run_command
from mconn.ledger.words import claim_counts, commands, counts, expected, measured, origin, ours
from mconn.options import ClaimsOptions

BRIEF = 2
"""Claims of a statement in the overview."""

COLOURS = {"holds": "green", "refuted": "red", "conditional": "yellow", "open": "magenta"}


def claims(words: list[str]) -> int:
    """Read the records and the rows, judge, print or write.

    Raises:
        MconnError: one sentence for whatever the user can mend.
    """
    options = tyro.cli(
        ClaimsOptions,
        args=words,
        prog="mconn claims",
        description="The statements of the notes and the claims of the studies, put to the test.",
    )
    checkout = find_checkout(Path.cwd())
    recorded = read_records(checkout.records)
    runs = from_results(options.results, checkout.configs)
    records = without_small(merge(recorded, runs))
    if options.record:
        keep(checkout, options.results, runs, records)
        recorded = records
    if options.markdown is not None:
        # Of the recorded runs alone, so that the page and the file beside it always agree.
        write(options.markdown, render(judge_all(checkout, recorded), recorded))
    if not options.record and options.markdown is None:
        show(options, judge_all(checkout, records), records)
    return 0


def judge_all(checkout: Checkout, records: dict[str, Record]) -> list[Judged]:
    """Every statement with its findings."""
    return [judge(statement, records) for statement in checkout.statements()]


def without_small(records: dict[str, Record]) -> dict[str, Record]:
    """The records but for those at a size for tests of studies that were run at another."""
    larger = {file_of(each) for each in records.values() if each.size != "smoke"}
    return {
        study: each
        for study, each in records.items()
        if each.size != "smoke" or file_of(each) not in larger
    }


def file_of(record: Record) -> str:
    """The name of a study's config file."""
    return record.study.partition(":")[0]


def keep(
    checkout: Checkout, results: Path, runs: dict[str, Record], records: dict[str, Record]
) -> None:
    """Write the records into the checkout.

    Raises:
        ConfigError: if there is no run to record.
    """
    if not runs:
        raise ConfigError(
            f"no complete run of an unchanged config lies in {results}: run one without options, "
            "as in `mconn run configs/symmetry_orbits.py`, or name the folder with --results"
        )
    write_records(checkout.records, records)
    told = f"{len(runs)} from {results}, {len(records)} in all"
    sys.stdout.write(f"recorded: {told}: {checkout.records}\n")


def write(file: Path, text: str) -> None:
    """Write the page.

    Raises:
        ConfigError: if the file cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"'{file}' cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error
    sys.stdout.write(f"written: {file}\n")


def show(options: ClaimsOptions, judged: Sequence[Judged], records: dict[str, Record]) -> None:
    """Print what was asked for.

    Raises:
        ConfigError: if a row or a study is asked for that there is not.
    """
    console = Console()
    if options.study:
        check_choice("study", options.study, sorted(records))
        print_study(console, records[options.study])
        return
    known = {str(each.statement.number): each for each in judged}
    for number in options.rows:
        check_choice("row", str(number), known)
    chosen = [known[str(number)] for number in options.rows]
    for each in chosen:
        print_row(console, each)
    if chosen:
        return
    console.print(overview(judged))
    if options.all:
        for study in sorted(records):
            print_study(console, records[study])
    console.print(Text(counts(judged)))
    console.print(Text(claim_counts(records.values())))


def overview(judged: Sequence[Judged]) -> Table:
    """The rows: what was said, whose number, ours, the verdict and the command."""
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False, header_style="bold", expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    for name, ratio in (("the notes say", 5), ("source, its number; ours; command", 9)):
        table.add_column(name, ratio=ratio, overflow="fold")
    table.add_column("verdict", ratio=4)
    for each in judged:
        table.add_row(
            str(each.statement.number),
            Text(each.statement.said),
            Text("\n".join(found(each, brief=True))),
            Text(each.verdict, COLOURS.get(each.kind, "dim")),
        )
    return table


def found(judged: Judged, brief: bool = False) -> list[str]:
    """The source with its number, ours, and the commands."""
    statement = judged.statement
    lines = ours(judged.findings)
    shown = lines[:BRIEF] if brief else lines
    left = len(lines) - len(shown)
    more = [f"- and {left} more: mconn claims {statement.number}"] if left else []
    return [
        " ".join(filter(None, [f"{statement.source}.", statement.published])),
        *(f"- {line}" for line in shown),
        *more,
        *commands(judged.findings),
    ]


def print_row(console: Console, judged: Judged) -> None:
    """One row in full."""
    statement = judged.statement
    console.print(Text(f"{statement.number}. {statement.said}", style="bold"))
    console.print(Text(f"   notes, {statement.where}", style="dim"))
    console.print(Text(judged.verdict, COLOURS.get(judged.kind, "dim")))
    console.print(Text(f"Right: {statement.right}"))
    for line in found(judged):
        console.print(Text(line))
    console.print()


def print_study(console: Console, record: Record) -> None:
    """The claims of one study."""
    console.print(Text(record.title, style="bold"))
    console.print(Text(f"{run_command(record.study)}: {origin(record)}", style="dim"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=True)
    table.add_column("", no_wrap=True)
    for name, ratio in {"claim": 5, "source": 3, "expected": 3, "measured": 3}.items():
        table.add_column(name, ratio=ratio)
    for claim in record.claims:
        verdict = Text("holds", "green") if claim.holds else Text("fails", "red")
        texts = (claim.statement, claim.source, expected(claim), measured(claim))
        table.add_row(verdict, *map(Text, texts))
    console.print(table)
    console.print()
