"""Statements that can be put to the test, and the claims of studies that settle them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mconn.errors import ConfigError

Verdict = Literal["holds", "refuted", "conditional"]


@dataclass(frozen=True)
class Evidence:
    """Claims of one study that a verdict rests on.

    Attributes:
        study: a config, as ``digits_curves`` or, for another function of its file,
            ``many_models:decayed``.
        claim: the id of a claim, or of a group of claims, which all count.
        fails: the verdict rests on the claims' failing, not on their holding.
    """

    study: str
    claim: str
    fails: bool = False

    @property
    def command(self) -> str:
        """What makes the study's numbers."""
        return run_command(self.study)


@dataclass(frozen=True)
class Statement:
    """What somebody stated, what is right instead, and what would show it.

    Attributes:
        number: of the row, unique.
        said: the statement.
        where: the place where it stands.
        right: the right statement, one that the evidence speaks for.
        source: of the right statement.
        verdict: on ``said``, provided that all of the evidence comes out. None as long as there is
            no evidence.
        evidence: the claims that settle it.
        condition: on what it depends, if the verdict is conditional.
        published: the source's numbers.
        untestable: why nothing here can test it; empty if something can.
    """

    number: int
    said: str
    where: str
    right: str
    source: str
    verdict: Verdict | None = None
    evidence: tuple[Evidence, ...] = ()
    condition: str = ""
    published: str = ""
    untestable: str = ""

    def __post_init__(self) -> None:
        row = f"row {self.number} of the ledger"
        if bool(self.evidence) != (self.verdict is not None):
            raise ConfigError(f"{row} has a verdict or evidence without the other: give both")
        if bool(self.condition) != (self.verdict == "conditional"):
            raise ConfigError(f"{row}: a condition belongs to the verdict 'conditional': give both")
        if self.evidence and self.untestable:
            raise ConfigError(f"{row} is called untestable and has evidence: give one of the two")


def run_command(study: str) -> str:
    """The command that runs a study, which is named as in `Evidence`."""
    file, _, function = study.partition(":")
    return f"mconn run configs/{file}.py" + (f":{function}" if function else "")


def check_numbers(statements: Sequence[Statement]) -> None:
    """Refuse rows that are not numbered 1, 2, 3, ... in their order.

    Raises:
        ConfigError: naming the first number that is out of place.
    """
    for expected, statement in enumerate(statements, start=1):
        if statement.number != expected:
            raise ConfigError(
                f"row {statement.number} of the ledger stands where row {expected} should: "
                "number the rows 1, 2, 3, ... in their order"
            )
