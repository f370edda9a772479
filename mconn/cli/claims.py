"""``mconn claims``: what was put to the test, what came out, and how to reproduce it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

from mconn.checks import check_choice
from mconn.cli import options
from mconn.cli.options import Call, Flag, ResultsCommand, say, writing
from mconn.errors import ConfigError

if TYPE_CHECKING:
    from mconn.ledger import Checkout, Judged, Record

BRIEF = 2
"""Claims of a statement in the overview."""

_COLOURS = {"holds": "green", "refuted": "red", "conditional": "yellow", "open": "magenta"}


@dataclass(frozen=True, kw_only=True)
class Claims(ResultsCommand):
    """The statements of the notes and the claims of the studies, put to the test."""

    rows: Positional[tuple[int, ...]] = ()
    """Numbers of statements to show in full; none for the overview."""

    all: Flag = False
    """Show the claims of all studies, too."""

    study: str = ""
    """Show the claims of this study, such as digits_curves."""

    record: Flag = False
    """Keep the runs of the results folder in docs/claims.json of the checkout."""

    markdown: Path | None = None
    """File to write the page of the documentation to, from what was recorded."""

    def run(self, call: Call) -> None:
        """Read the records and the rows, judge, print or write."""
        options.set_up_jax()  # the configs of runs are read, to see whether they have changed
        from mconn import ledger

        checkout = ledger.find_checkout(Path.cwd())
        recorded = ledger.read_records(checkout.records)
        runs = ledger.from_results(self.results, checkout.configs)
        records = _without_small(ledger.merge(recorded, runs))
        if self.record:
            self._keep(checkout, runs, records)
            recorded = records
        if self.markdown is not None:
            # Of the recorded runs alone, so that the page and the file beside it always agree.
            with writing(self.markdown):
                page = ledger.render(_judge_all(checkout, recorded), recorded)
                self.markdown.write_text(page, encoding="utf-8")
            say(f"written: {self.markdown}")
        if not self.record and self.markdown is None:
            self._show(_judge_all(checkout, records), records)

    def _keep(
        self, checkout: "Checkout", runs: dict[str, "Record"], records: dict[str, "Record"]
    ) -> None:
        from mconn.ledger import write_records

        if not runs:
            raise ConfigError(
                f"no complete run of an unchanged config lies in {self.results}: run one without "
                "options, as in `mconn run configs/symmetry_orbits.py`, or name the folder with "
                "--results"
            )
        write_records(checkout.records, records)
        told = f"{len(runs)} from {self.results}, {len(records)} in all"
        say(f"recorded: {told}: {checkout.records}")

    def _show(self, judged: Sequence["Judged"], records: dict[str, "Record"]) -> None:
        from mconn.ledger import claim_counts, counts

        console = Console()
        if self.study:
            check_choice("study", self.study, sorted(records))
            _print_study(console, records[self.study])
            return
        known = {str(each.statement.number): each for each in judged}
        for number in self.rows:
            check_choice("row", str(number), known)
        for number in self.rows:
            _print_row(console, known[str(number)])
        if self.rows:
            return
        console.print(_overview(judged))
        if self.all:
            for study in sorted(records):
                _print_study(console, records[study])
        console.print(Text(counts(judged)))
        console.print(Text(claim_counts(records.values())))


def _judge_all(checkout: "Checkout", records: dict[str, "Record"]) -> list["Judged"]:
    from mconn.ledger import judge

    return [judge(statement, records) for statement in checkout.statements()]


def _without_small(records: dict[str, "Record"]) -> dict[str, "Record"]:
    larger = {each.file for each in records.values() if each.size != "smoke"}
    return {
        study: each
        for study, each in records.items()
        if each.size != "smoke" or each.file not in larger
    }


def _overview(judged: Sequence["Judged"]) -> Table:
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False, header_style="bold", expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    for name, ratio in (("the notes say", 5), ("source, its number; ours; command", 9)):
        table.add_column(name, ratio=ratio, overflow="fold")
    table.add_column("verdict", ratio=4)
    for each in judged:
        table.add_row(
            str(each.statement.number),
            Text(each.statement.said),
            Text("\n".join(_found(each, brief=True))),
            Text(each.verdict, _COLOURS.get(each.kind, "dim")),
        )
    return table


def _found(judged: "Judged", brief: bool = False) -> list[str]:
    from mconn.ledger import commands, ours

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


def _print_row(console: Console, judged: "Judged") -> None:
    statement = judged.statement
    console.print(Text(f"{statement.number}. {statement.said}", style="bold"))
    console.print(Text(f"   notes, {statement.where}", style="dim"))
    console.print(Text(judged.verdict, _COLOURS.get(judged.kind, "dim")))
    console.print(Text(f"Right: {statement.right}"))
    for line in _found(judged):
        console.print(Text(line))
    console.print()


def _print_study(console: Console, record: "Record") -> None:
    from mconn.ledger import expected, measured, origin, run_command

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
