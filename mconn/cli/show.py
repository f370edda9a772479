"""``mconn show``: the headline numbers and the claims of a run."""

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

from mconn.cli.options import Call, ResultsCommand
from mconn.errors import ConfigError

if TYPE_CHECKING:
    from mconn.experiment import RunFolder


@dataclass(frozen=True, kw_only=True)
class Show(ResultsCommand):
    """The headline numbers and claims of a run."""

    name: Positional[str] = ""
    """Name of a run or the beginning of it, or its folder; the newest run if left out."""

    def run(self, call: Call) -> None:
        """Print them."""
        from mconn.experiment import all_runs, find_run

        if self.name:
            print_run(find_run(self.results, self.name))
            return
        runs = all_runs(self.results)
        if not runs:
            raise ConfigError(f"there are no runs in {self.results}: `mconn run FILE` makes one")
        print_run(runs[0])


def print_run(folder: "RunFolder") -> None:
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
        shown.append(_headline(folder.table("headline")))  # may be corrupt: nothing is printed yet
    for each in shown:
        console.print(each)
    console.print(_claims(record["claims"]))
    for name, by in record.get("older", {}).items():
        console.print(Text(f"of other code: {name} {by}", style="yellow"), soft_wrap=True)
    console.print(Text(f"report: {folder.report}"), soft_wrap=True)


def _headline(stored: Any) -> Table:
    from mconn.experiment import rows

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


def _claims(stored: list[dict[str, Any]]) -> Table:
    from mconn.experiment import cell

    table = Table.grid(padding=(0, 2))
    for claim in stored:
        verdict = Text("holds", "green") if claim["holds"] else Text("fails", "red")
        found = f"{cell(claim['measured'])} {claim.get('interval', '')}".rstrip()
        told = f"{claim['statement']}: {found}, expected {cell(claim['expected'])}"
        table.add_row(verdict, Text(f"{told} {claim['tolerance']}".rstrip()))
    return table
