"""What an experiment says: its question, headline numbers, figures, tables and claims."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mconn.experiment.stage import Result, Stage, Table

Figure = Any
"""A ``matplotlib.figure.Figure``."""


@dataclass(frozen=True)
class Claim:
    """A statement that the numbers can refute: what was expected, what came out, does it hold.

    Attributes:
        statement: one sentence, such as "weight matching lowers the train barrier".
        source: who says so: a paper with its figure, or "this project's pilots".
        expected: the source's number or relation, as shown to the reader.
        measured: ours.
        tolerance: how far apart the two may be, in words; empty where the relation is exact.
        holds: whether the claim holds. A claim that fails is shown as failing; it is no error.
        interval: of the measured number, with what it is taken over, such as "[1.12, 1.15] over
            pairs"; empty where the number is exact or tells its spread itself.
    """

    statement: str
    source: str
    expected: str | float | int
    measured: str | float | int
    holds: bool
    tolerance: str = ""
    interval: str = ""

    @classmethod
    def near(
        cls,
        statement: str,
        source: str,
        expected: float | int,
        measured: float | int,
        relative: float,
        interval: str = "",
    ) -> "Claim":
        """The claim that a number is within a share of the expected one.

        Args:
            statement: one sentence.
            source: who says so.
            expected: the source's number.
            measured: ours.
            relative: the largest ``|measured - expected| / |expected|`` that is accepted.
            interval: of our number.
        """
        holds = abs(measured - expected) <= relative * abs(expected)
        tolerance = f"± {100 * relative:g} %"
        return cls(statement, source, expected, measured, holds, tolerance, interval)


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        heading: a few words.
        text: paragraphs, separated by empty lines.
        figures: by name, which is also the name of the files.
        tables: by name, which is also the name of the parquet file.
        captions: a sentence or two for a figure or a table, by its name.
    """

    heading: str
    text: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)


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
    """

    title: str
    question: str
    summary: str
    headline: Table | None = None
    sections: Sequence[Section] = ()
    claims: Sequence[Claim] = ()
    note: str = ""


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
