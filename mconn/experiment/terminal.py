"""A run on the terminal: its headline numbers and its claims."""

import textwrap
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mconn.experiment.folder import RunFolder
from mconn.experiment.page import cell, rows


def print_run(folder: RunFolder) -> None:
    """A run's summary, headline table, claims and the path of its report."""
    console = Console()
    record = folder.record
    if folder.state == "failed":
        console.print(Text(f"{folder.name} has failed: {record.get('error', '')}"), soft_wrap=True)
        return
    if "summary" not in record:
        console.print(f"{folder.name} is {folder.state}: it has no numbers yet", highlight=False)
        return
    shown: list[Any] = [Text(record["summary"], style="bold")]
    if (folder.path / "tables" / "headline.parquet").is_file():
        shown.append(headline(folder.table("headline")))  # may be corrupt: nothing is printed yet
    for each in shown:
        console.print(each)
    console.print(claims(record["claims"]))
    for name, by in record.get("older", {}).items():
        console.print(Text(f"of other code: {name} {by}", style="yellow"), soft_wrap=True)
    console.print(Text(f"report: {folder.report}"), soft_wrap=True)


def headline(stored: Any) -> Table:
    """The headline table."""
    shown = rows(stored)
    names, numeric, body = shown["head"], shown["numeric"], shown["body"]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for i, (name, number) in enumerate(zip(names, numeric, strict=True)):
        widest = max((len(row[i]) for row in body), default=0)
        # The long name of a narrow column wraps, so that its numbers stay in one piece.
        head = textwrap.fill(name, max(widest, 10))
        table.add_column(head, justify="right" if number else "left", vertical="bottom")
    for row in body:
        table.add_row(*map(Text, row))
    return table


def claims(stored: list[dict[str, Any]]) -> Table:
    """The claims, each with its verdict."""
    table = Table.grid(padding=(0, 2))
    for claim in stored:
        verdict = Text("holds", "green") if claim["holds"] else Text("fails", "red")
        found = f"{cell(claim['measured'])} {claim.get('interval', '')}".rstrip()
        told = f"{claim['statement']}: {found}, expected {cell(claim['expected'])}"
        table.add_row(verdict, Text(f"{told} {claim['tolerance']}".rstrip()))
    return table
