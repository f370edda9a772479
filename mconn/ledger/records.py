"""What the studies found: their claims, with the code and the machine that made them.

The records lie in a checkout of the repository, beside the studies and the rows of the ledger, or
are made from complete runs of a results folder.
"""

import dataclasses
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mconn.errors import CheckpointError, ConfigError, MconnError
from mconn.experiment import (
    Claim,
    RunFolder,
    all_runs,
    digest,
    encode,
    load_config,
    read_json,
    write_json,
)
from mconn.ledger.statements import Statement, check_numbers

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
    def file(self) -> str:
        """The name of the study's config file."""
        return self.study.partition(":")[0]

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
        return {study: _build(study, entry) for study, entry in read_json(file).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} holds no records of runs ({type(error).__name__}: {error}): "
            "`mconn claims --record` writes it anew from the results folder"
        ) from error


def _build(study: str, entry: dict[str, Any]) -> Record:
    claims = tuple(Claim(**claim) for claim in entry["claims"])
    return Record(study, **{**entry, "claims": claims})


def from_results(results: Path, configs: Path) -> dict[str, Record]:
    """The newest complete runs of config functions that were called without options.

    A run with other options, or of a config that has changed since, is another experiment than the
    one that the command of the ledger makes; it is left out.

    Args:
        results: the results folder.
        configs: the folder of config files.

    Raises:
        CheckpointError: naming the run, if one that would count cannot be read.
    """
    found: dict[str, Record] = {}
    now: dict[str, str] = {}
    for folder in all_runs(results):  # the newest first
        name, _, configured = folder.name.rpartition("-")
        file, _, function = name.partition("-")
        study = f"{file}:{function}" if function else file
        if folder.state != "complete" or study in found:
            continue
        if study not in now:
            now[study] = _default_digest(configs / f"{file}.py", function)
        if configured == now[study]:
            found[study] = _record(study, folder)
    return found


def _default_digest(file: Path, function: str) -> str:
    if not file.is_file():
        return ""
    try:
        experiment = load_config(f"{file}:{function}" if function else str(file)).build()
    except MconnError:  # there is no such function any more, or it cannot be called so
        return ""
    return digest(encode(experiment))[:10]


def _record(study: str, folder: RunFolder) -> Record:
    try:
        return _described(
            study, folder.name, folder.record, read_json(folder.path / "versions.json")
        )
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise folder.corrupt(folder.path / "run.json") from error


def _described(study: str, run: str, told: dict[str, Any], versions: dict[str, Any]) -> Record:
    made = told["made"].values()
    codes = [versions["code"], *(stage.get("by", {}).get("code") for stage in made)]
    return Record(
        study=study,
        run=run,
        title=told["title"],
        measured=min([stage["when"] for stage in made] or [told["started"]]),
        reported=told["started"],
        seconds=round(sum((stage["seconds"] for stage in made), start=0.0), 1),
        versions={"python": versions["python"], **dict(_main_packages(versions["packages"]))},
        device=versions["device"],
        claims=tuple(Claim(**claim) for claim in told["claims"]),
        commit=versions["code"]["commit"] if versions["code"] else "",
        clean=_clean(codes),
        older=told.get("older", {}),
    )


def _clean(codes: list[dict[str, Any] | None]) -> bool | None:
    if any(code["changed"] for code in codes if code):
        return False
    return True if all(codes) else None


def _main_packages(packages: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in ("mconn", "jax", "flax", "optax"):
        if name in packages:
            yield name, packages[name]


def merge(recorded: Records, newer: Records) -> dict[str, Record]:
    """Records, overlaid by those of them that were reported later, and by the others."""
    merged = dict(recorded)
    for study, each in newer.items():
        if study not in merged or each.reported >= merged[study].reported:
            merged[study] = each
    return merged


ROWS = "experiments.ledger"
"""The module with the rows."""


@dataclass(frozen=True)
class Checkout:
    """A folder with the studies.

    Attributes:
        folder: the repository's own.
    """

    folder: Path

    @property
    def configs(self) -> Path:
        """The folder of the config files."""
        return self.folder / "configs"

    @property
    def records(self) -> Path:
        """The file of recorded runs."""
        return self.folder / "docs" / "claims.json"

    @property
    def page(self) -> Path:
        """The page of the documentation that is made from the records."""
        return self.folder / "docs" / "claims.md"

    def statements(self) -> tuple[Statement, ...]:
        """The rows.

        Raises:
            ConfigError: if the rows are not numbered in order, or name a config that does not
                exist.
        """
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        statements = importlib.import_module(ROWS).STATEMENTS
        check_numbers(statements)
        for statement in statements:
            for evidence in statement.evidence:
                file = self.configs / f"{evidence.study.partition(':')[0]}.py"
                if not file.is_file():
                    raise ConfigError(
                        f"row {statement.number} of the ledger names the study '{evidence.study}', "
                        f"but there is no {file}: name a config that exists"
                    )
        return statements


def find_checkout(folder: Path) -> Checkout:
    """The checkout that a folder lies in.

    Raises:
        ConfigError: if it lies in none.
    """
    rows = Path(*ROWS.split("."), "__init__.py")
    for each in (folder, *folder.parents):
        if (each / rows).is_file():
            return Checkout(each)
    raise ConfigError(
        f"{folder} lies in no checkout of mconn, which holds the studies and their recorded "
        "numbers: change into one, and try again"
    )
