"""``mconn list``."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mconn.cli.options import Call, ResultsCommand, say

_COLOURS = {"failed": "red", "corrupt": "red", "interrupted": "yellow", "running": "cyan"}


@dataclass(frozen=True, kw_only=True)
class List(ResultsCommand):
    """The runs in the results folder, newest first."""

    def run(self, call: Call) -> None:
        """Print a row for each run."""
        from mconn.experiment import all_runs

        runs = all_runs(self.results)
        if not runs:
            say(f"no runs in {self.results}: `mconn run FILE` makes one")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in ("run", "when", "state"):
            table.add_column(head, no_wrap=True)
        table.add_column("result")
        for folder in runs:
            record = {} if folder.state == "corrupt" else folder.record
            when = record.get("started", "")[:16].replace("T", " ")
            told = record.get("error") if folder.state == "failed" else record.get("summary")
            told = (told or "").partition("\n")[0]
            style = _COLOURS.get(folder.state, "")
            table.add_row(folder.name, when, Text(folder.state, style=style), Text(told))
        Console().print(table)
