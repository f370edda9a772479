"""Complete runs of a results folder as records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mconn.errors import MconnError
from mconn.experiment.claims import Claim
from mconn.experiment.config import load
from mconn.experiment.folder import RunFolder, all_runs
from mconn.experiment.serialise import digest, encode
from mconn.experiment.store import read_json
from mconn.ledger.records import Record, Records


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
            now[study] = default_digest(configs / f"{file}.py", function)
        if configured == now[study]:
            found[study] = record(study, folder)
    return found


def default_digest(file: Path, function: str) -> str:
    """The part of a run's name that tells its config, for a call without options; or nothing."""
    if not file.is_file():
        return ""
    try:
        experiment = load(f"{file}:{function}" if function else str(file)).build()
    except MconnError:  # there is no such function any more, or it cannot be called so
        return ""
    return digest(encode(experiment))[:10]


def record(study: str, folder: RunFolder) -> Record:
    """What a complete run says of itself.

    Raises:
        CheckpointError: naming the run, if an entry is missing.
    """
    try:
        return described(
            study, folder.name, folder.record, read_json(folder.path / "versions.json")
        )
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise folder.corrupt(folder.path / "run.json") from error


def described(study: str, run: str, told: dict[str, Any], versions: dict[str, Any]) -> Record:
    """The record of what ``run.json`` and ``versions.json`` say."""
    made = told["made"].values()
    codes = [versions["code"], *(stage.get("by", {}).get("code") for stage in made)]
    return Record(
        study=study,
        run=run,
        title=told["title"],
        measured=min([stage["when"] for stage in made] or [told["started"]]),
        reported=told["started"],
        seconds=round(sum((stage["seconds"] for stage in made), start=0.0), 1),
        versions={"python": versions["python"], **dict(main_packages(versions["packages"]))},
        device=versions["device"],
        claims=tuple(Claim(**claim) for claim in told["claims"]),
        commit=versions["code"]["commit"] if versions["code"] else "",
        clean=clean(codes),
        older=told.get("older", {}),
    )


def clean(codes: list[dict[str, Any] | None]) -> bool | None:
    """Whether all code was that of its commit; None if that is not known of some."""
    if any(code["changed"] for code in codes if code):
        return False
    return True if all(codes) else None


def main_packages(packages: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The versions that a reader may want to know."""
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
