"""What an experiment says: its question, headline numbers, figures, tables and claims."""

import abc
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mconn.errors import ConfigError
from mconn.experiment.claims import Claim
from mconn.experiment.stage import Result, Stage, Table, as_table

Figure = Any
"""A ``matplotlib.figure.Figure``."""


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        heading: a few words.
        text: paragraphs, separated by empty lines.
        figures: by name, which is also the name of the files.
        tables: by name, which is also the name of the parquet file; rows or frames become tables.
        captions: a sentence or two for a figure or a table, by its name.
    """

    heading: str
    text: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tables = {name: as_table(rows) for name, rows in self.tables.items()}
        object.__setattr__(self, "tables", tables)


@dataclass(frozen=True)
class Report:
    """What is shown of a run.

    Attributes:
        title: the study's title.
        question: what was asked, in a sentence or two.
        summary: the answer in one sentence with its numbers; ``mconn list`` shows it.
        headline: the few numbers that matter, as a table, or None.
        sections: the rest, in order.
        claims: what was expected, and whether it came out.
        note: what the reader must know to read the headline table, such as what its errors are.

    Raises:
        ConfigError: if two claims have the same id.
    """

    title: str
    question: str
    summary: str
    headline: Table | None = None
    sections: Sequence[Section] = ()
    claims: Sequence[Claim] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.headline is not None:
            object.__setattr__(self, "headline", as_table(self.headline))
        count = Counter(claim.id for claim in self.claims)
        twice = [name for name, times in count.items() if times > 1]
        if twice:
            raise ConfigError(f"several claims have the id '{twice[0]}': give each its own")


@dataclass(frozen=True)
class Experiment(abc.ABC):
    """A declared experiment: a frozen dataclass that says which stages to run and what to show.

    A config function returns one. Its fields are its sizes and choices.
    """

    @abc.abstractmethod
    def stages(self) -> dict[str, Stage]:
        """The stages by the names under which `report` gets their results.

        Stages that they need as inputs are run as well and may be left out.
        """

    @abc.abstractmethod
    def report(self, results: Mapping[str, Result]) -> Report:
        """Draw the figures and state the numbers, from the results alone."""
