"""The tables, for the terminal and for Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.alignment.measure import Measured, Seconds
from benchmarks.alignment.residual import Recoveries

COMPARISON = (
    "Inner: <a, permuted b> in float64, the median over turns in one process, higher is better. "
    "Permutations: how many the system knows of; the plain peer is given them. First: CPU seconds "
    "of discovery, and of the match after it, in a fresh process without a compilation cache; "
    "imports are not in them, everything else is. CPU s: of a match, the median over the turns, "
    "after one that is not counted; the peers visit in another random order every turn. Ratio: CPU "
    "seconds of mconn per CPU second of the peer. One thread everywhere."
)
RECOVERIES = (
    "Runs in which every unit is put back. Network: the sizes of its stream and of its hidden "
    "layers, its blocks, and the maps into the stream and out of it; no biases. Noise: standard "
    "deviation of what is added to the copy, per root mean square of the leaf. Plain: Git Re-Basin."
)


class Table(NamedTuple):
    """A title, how many columns hold words, the headings, the rows, and what is said below."""

    title: str
    words: int
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str

    def show(self) -> None:
        """Print it."""
        table = RichTable(title=self.title)
        for i, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if i < self.words else "right")
        for row in self.rows:
            table.add_row(*row)
        console = Console(width=130, highlight=False)
        console.print(table)
        console.print(self.notes)

    def markdown(self) -> str:
        """It as a section of a page."""
        rule = [":--"] * self.words + ["--:"] * (len(self.headings) - self.words)
        lines = ["| " + " | ".join(row) + " |" for row in (self.headings, rule, *self.rows)]
        return "\n\n".join([f"## {self.title}", "\n".join(lines), self.notes]) + "\n"


def comparison(results: Sequence[Measured]) -> Table:
    """A row per case and system."""
    ours = {(row.case, row.family): row.cpu for row in results if row.system == "mconn"}
    rows = [
        [
            row.case,
            row.family,
            row.system,
            f"{row.objective:.2f}",
            f"{100 * min(row.recovered):.1f} %" if row.recovered else "",
            f"{row.permutations[0]} of {row.permutations[1]}",
            cpu(row.first_discovery) if row.system != "plain" else "",
            cpu(row.first_matching),
            f"{row.cpu:.4f}",
            f"{ours[row.case, row.family] / row.cpu:.2f}" if row.system != "mconn" else "",
        ]
        for row in results
    ]
    headings = (
        "case",
        "weights",
        "system",
        "inner",
        "units put back",
        "permutations",
        "first discovery",
        "first match",
        "CPU s",
        "ratio",
    )
    return Table("Alignment of the same weights", 3, headings, rows, COMPARISON)


def cpu(seconds: Seconds | None) -> str:
    """CPU seconds, if they were measured."""
    return "" if seconds is None else f"{seconds.cpu:.2f}"


def recoveries(results: Sequence[Recoveries]) -> Table:
    """A row per variant and noise."""
    rows = [
        [
            row.variant.name,
            f"{row.noise:g}",
            *(f"{count} of {row.runs}" for count in row.counts.values()),
        ]
        for row in results
    ]
    headings = ("network", "noise", *results[0].counts)
    return Table("Permuted residual networks recovered", 2, headings, rows, RECOVERIES)
