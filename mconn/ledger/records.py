"""What the studies found: their claims, with the code and the machine that made them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mconn.errors import CheckpointError
from mconn.experiment.claims import Claim
from mconn.experiment.store import read_json, write_json

Size = Literal["full", "accelerator", "smoke"]


@dataclass(frozen=True)
class Record:
    """The claims of one complete run of a config function without options.

    Attributes:
        study: ``digits_curves``, or ``digits_curves:smoke`` for another function of the file.
        run: the run's name with the hash of its resolved config.
        title: the report's.
        measured: when the oldest of its stages was made.
        reported: when the report was made.
        seconds: that all of its stages took when they were made.
        versions: of Python and the packages, by name.
        device: that the run used.
        claims: as reported.
        commit: of the code that reported; empty if it stood in no repository, or in older records.
        clean: whether this code, and that of every stage, was that of its commit; None if unknown.
        older: by which code the accepted results of other code were made, by stage.
    """

    study: str
    run: str
    title: str
    measured: str
    reported: str
    seconds: float
    versions: Mapping[str, str]
    device: str
    claims: tuple[Claim, ...]
    commit: str = ""
    clean: bool | None = None
    older: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def size(self) -> Size:
        """``smoke`` is for tests and proves little; the others are sizes to draw conclusions at."""
        function = self.study.partition(":")[2]
        if function == "smoke":
            return "smoke"
        return "accelerator" if function == "gpu" else "full"

    def called(self, name: str) -> list[Claim]:
        """The claim of this id, or the claims of this group."""
        return [claim for claim in self.claims if claim.is_called(name)]

    @property
    def holding(self) -> int:
        """How many of the claims hold."""
        return sum(claim.holds for claim in self.claims)


Records = Mapping[str, Record]
"""The records by study."""


def write_records(file: Path, records: Records) -> None:
    """Write records for `read_records`, sorted by study."""
    entries = {study: dataclasses.asdict(records[study]) for study in sorted(records)}
    for entry in entries.values():
        del entry["study"]
    write_json(file, entries)


def read_records(file: Path) -> dict[str, Record]:
    """Read records; none if there is no file yet.

    Raises:
        CheckpointError: naming the file, if it holds something else.
    """
    if not file.is_file():
        return {}
    try:
        return {study: build(study, entry) for study, entry in read_json(file).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} holds no records of runs ({type(error).__name__}: {error}): "
            "`mconn claims --record` writes it anew from the results folder"
        ) from error


def build(study: str, entry: dict[str, Any]) -> Record:
    """A record from its JSON values."""
    claims = tuple(Claim(**claim) for claim in entry["claims"])
    return Record(study, **{**entry, "claims": claims})
