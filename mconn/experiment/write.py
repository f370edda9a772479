"""Writes what a run leaves behind: tables, figures, facts, versions, and the page."""

import dataclasses
import shutil
from collections.abc import Mapping
from typing import Any

from mconn.experiment import figures, page
from mconn.experiment.code import source_folder, versions
from mconn.experiment.folder import RunFolder
from mconn.experiment.report import Experiment, Report
from mconn.experiment.stage import Result
from mconn.experiment.store import write_json


def write_report(
    folder: RunFolder,
    report: Report,
    experiment: Experiment,
    results: Mapping[str, Result],
    log: list[dict[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    """Write everything but ``run.json``.

    Args:
        folder: where to.
        report: what the experiment says.
        experiment: the resolved config.
        results: the stages' results by name; their tables are written as ``<stage>-<table>``.
        log: one entry per stage that was obtained.
        seconds: how long the run took.

    Returns:
        The report's entries of ``run.json``.
    """
    import pyarrow.parquet

    for name in ("tables", "figures"):
        shutil.rmtree(folder.path / name, ignore_errors=True)
        (folder.path / name).mkdir(parents=True)
    for name, table in all_tables(report, results).items():
        pyarrow.parquet.write_table(table, folder.path / "tables" / f"{name}.parquet")
    for section in report.sections:
        for name, figure in section.figures.items():
            figures.save(figure, folder.path / "figures" / name)
    made_by = versions(source_folder(experiment))
    facts = {name: dict(result.facts) for name, result in results.items()}
    record = {
        "title": report.title,
        "question": report.question,
        "summary": report.summary,
        "claims": [dataclasses.asdict(claim) for claim in report.claims],
        "seeds": seeds(experiment),
        "seconds": seconds,
        "older": {stage["name"]: stage["older"] for stage in log if stage["older"]},
    }
    write_json(folder.path / "facts.json", facts)
    write_json(folder.path / "versions.json", made_by)
    write_json(folder.path / "stages.json", log)
    folder.report.write_text(
        page.render(folder.path, report, experiment, log, made_by, record), encoding="utf-8"
    )
    return record


def all_tables(report: Report, results: Mapping[str, Result]) -> dict[str, Any]:
    """The tables of the stages and of the report, by the names of their files."""
    tables = {
        f"{stage}-{name}".replace(" ", "-"): table
        for stage, result in results.items()
        for name, table in result.tables.items()
    }
    if report.headline is not None:
        tables["headline"] = report.headline
    for section in report.sections:
        tables.update(section.tables)
    return tables


def seeds(value: Any, where: str = "") -> dict[str, Any]:
    """Every field called ``seed`` or ``seeds`` in nested dataclasses, by its path."""
    if isinstance(value, tuple):
        parts = {f"{where}[{i}]": item for i, item in enumerate(value)}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {
            f"{where}.{field.name}".removeprefix("."): getattr(value, field.name)
            for field in dataclasses.fields(value)
            if field.repr
        }
    else:
        return {}
    found: dict[str, Any] = {}
    for path, item in parts.items():
        is_seed = path.rpartition(".")[2] in ("seed", "seeds")
        found |= {path: item} if is_seed else seeds(item, path)
    return found
