"""What a run leaves behind: tables, figures, facts, versions, and one self-contained HTML page.

The page has no script and fetches nothing; it is light, dark, and fit to print.
"""

import base64
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mconn.experiment.claims import Claim
from mconn.experiment.code import source_folder, versions
from mconn.experiment.figures import save
from mconn.experiment.folder import RunFolder
from mconn.experiment.report import Experiment, Report
from mconn.experiment.serialise import names
from mconn.experiment.stage import Result, Table
from mconn.experiment.store import write_json
from mconn.progress import seconds

LARGEST_SVG = 1_000_000
"""Larger drawings, in bytes, are embedded as PNG."""

LONGEST_TABLE = 30
"""Longer tables, in rows, are cut on the page; the parquet file has all rows."""


def write_report(
    folder: RunFolder,
    report: Report,
    experiment: Experiment,
    results: Mapping[str, Result],
    log: list[dict[str, Any]],
    spent: float,
) -> dict[str, Any]:
    """Write everything but ``run.json``.

    Args:
        folder: where to.
        report: what the experiment says.
        experiment: the resolved config.
        results: the stages' results by name; their tables are written as ``<stage>-<table>``.
        log: one entry per stage that was obtained.
        spent: how long the run took, in seconds.

    Returns:
        The report's entries of ``run.json``.
    """
    import pyarrow.parquet

    for name in ("tables", "figures"):
        shutil.rmtree(folder.path / name, ignore_errors=True)
        (folder.path / name).mkdir(parents=True)
    for name, table in _all_tables(report, results).items():
        pyarrow.parquet.write_table(table, folder.path / "tables" / f"{name}.parquet")
    for section in report.sections:
        for name, figure in section.figures.items():
            save(figure, folder.path / "figures" / name)
    made_by = versions(source_folder(experiment))
    facts = {name: dict(result.facts) for name, result in results.items()}
    record = {
        "title": report.title,
        "question": report.question,
        "summary": report.summary,
        "claims": [dataclasses.asdict(claim) for claim in report.claims],
        "seeds": _seeds(experiment),
        "seconds": spent,
        "older": {stage["name"]: stage["older"] for stage in log if stage["older"]},
    }
    write_json(folder.path / "facts.json", facts)
    write_json(folder.path / "versions.json", made_by)
    write_json(folder.path / "stages.json", log)
    folder.report.write_text(
        render(folder.path, report, experiment, log, made_by, record), encoding="utf-8"
    )
    return record


def _all_tables(report: Report, results: Mapping[str, Result]) -> dict[str, Any]:
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


def _seeds(value: Any, where: str = "") -> dict[str, Any]:
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
        found |= {path: item} if is_seed else _seeds(item, path)
    return found


def render(
    folder: Path,
    report: Report,
    config: Any,
    stages: Sequence[dict[str, Any]],
    versions: dict[str, Any],
    record: dict[str, Any],
) -> str:
    """The page's HTML.

    Args:
        folder: the run's folder, which holds the figures already.
        report: what the experiment says.
        config: the resolved experiment.
        stages: one entry per stage, as in ``stages.json``.
        versions: as in ``versions.json``.
        record: as in ``run.json``.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"paragraphs": _paragraphs, "seconds": seconds, "cell": cell}
    figures = {
        name: embed(folder / "figures" / name)
        for section in report.sections
        for name in section.figures
    }
    return environment.get_template("report.html").render(
        run=folder.name,
        report=report,
        headline=rows(report.headline) if report.headline is not None else None,
        figures=figures,
        tables={
            name: rows(table)
            for section in report.sections
            for name, table in section.tables.items()
        },
        holding=sum(claim.holds for claim in report.claims),
        claims=[_claim_row(claim) for claim in report.claims],
        config=flatten(config),
        stages=stages,
        versions=versions,
        record=record,
        files=sorted(path.name for path in (folder / "tables").iterdir()),
    )


def embed(path: Path) -> str:
    """A figure as a data address."""
    svg = path.with_name(f"{path.name}.svg").read_bytes()
    if len(svg) <= LARGEST_SVG:
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    png = path.with_name(f"{path.name}.png").read_bytes()
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def rows(table: Table) -> dict[str, Any]:
    """A table's head and body as text, with the columns that hold numbers."""
    import pyarrow

    numeric = [
        pyarrow.types.is_integer(field.type) or pyarrow.types.is_floating(field.type)
        for field in table.schema
    ]
    shown = table.slice(0, LONGEST_TABLE).to_pylist()
    return {
        "head": [name.replace("_", " ") for name in table.column_names],
        "body": [[cell(value) for value in row.values()] for row in shown],
        "numeric": numeric,
        "rows": table.num_rows,
    }


def _claim_row(claim: Claim) -> dict[str, Any]:
    expected, measured = cell(claim.expected), cell(claim.measured)
    return dataclasses.asdict(claim) | {"expected": expected, "measured": measured}


def cell(value: Any) -> str:
    """A value for people: floats with at most three significant digits."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # From a thousand on, `g` would write a power of ten.
        return f"{value:.0f}" if 999.5 <= abs(value) < 1e5 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")  # a thin space between thousands
    return str(value)


def _paragraphs(text: str) -> list[tuple[bool, str]]:
    """The paragraphs of a text, which empty lines separate, and whether each is a listing.

    A paragraph with an indented line is a listing: its lines are kept.
    """
    parts = [part.strip("\n") for part in text.split("\n\n") if part.strip()]
    return [("\n  " in f"\n{part}", part) for part in parts]


def flatten(value: Any, where: str = "") -> list[tuple[str, str]]:
    """Nested dataclasses as pairs of a dotted name and a value; tuples of dataclasses, too."""
    if isinstance(value, tuple) and any(dataclasses.is_dataclass(item) for item in value):
        return [pair for i, item in enumerate(value) for pair in flatten(item, f"{where}[{i}]")]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return [(where, repr(value))]
    pairs = [(where or "experiment", type(value).__name__)]
    for name in names(value):
        pairs += flatten(getattr(value, name), f"{where}.{name}".removeprefix("."))
    return pairs
