"""The folder of one run, and the folders of all runs."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any, Literal

from mconn.errors import CheckpointError, ConfigError
from mconn.experiment.report import Experiment
from mconn.experiment.serialise import decode
from mconn.experiment.stage import Table
from mconn.experiment.store import is_held, read_json, write_json

State = Literal["running", "complete", "interrupted", "failed", "corrupt"]


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """What one run left behind, below ``results/runs/<name>-<hash>/``.

    ``run.json`` (state, question, summary, claims, seeds), ``config.json``, ``versions.json``,
    ``stages.json``, ``facts.json``, ``tables/*.parquet``, ``figures/*.png`` and ``*.svg``,
    ``report.html``.
    """

    path: Path

    @property
    def name(self) -> str:
        """The run's name with the hash of its config."""
        return self.path.name

    @property
    def lock(self) -> Path:
        """The file that is locked while the run goes on."""
        return self.path.parents[1] / "locks" / f"{self.name}.lock"

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.path / "report.html"

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` says; empty if the run has not begun.

        Raises:
            CheckpointError: naming the folder, if the file cannot be read.
        """
        try:
            return dict(read_json(self.path / "run.json").items())
        except FileNotFoundError:
            return {}
        except (AttributeError, ValueError) as error:  # no JSON object, or no JSON
            raise self.corrupt(self.path / "run.json") from error

    def note(self, **changes: Any) -> None:
        """Write entries of ``run.json``; a reader sees all the old ones or all the new ones."""
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / "run.json.partial"
        write_json(partial, {**self.record, **changes})
        partial.replace(self.path / "run.json")

    @property
    def state(self) -> State:
        """How the run stands; one that was killed counts as interrupted."""
        try:
            state = self.record.get("state", "interrupted")
        except CheckpointError:
            return "corrupt"
        return "interrupted" if state == "running" and not is_held(self.lock) else state

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """The facts of each stage."""
        return read_json(self.path / "facts.json")

    @property
    def experiment(self) -> Experiment:
        """The experiment that was run; the modules that define it must be imported.

        Raises:
            ConfigError: if its classes are unknown, or have changed.
        """
        return decode(read_json(self.path / "config.json"))

    def table(self, name: str) -> Table:
        """A table by its name, such as ``headline`` or ``sweep-profile``.

        Raises:
            ConfigError: naming the tables that there are.
            CheckpointError: naming the file, if it cannot be read.
        """
        import pyarrow
        import pyarrow.parquet

        path = self.path / "tables" / f"{name}.parquet"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in path.parent.glob("*.parquet")))
            raise ConfigError(f"run {self.name} has no table '{name}': it has {known or 'none'}")
        try:
            return pyarrow.parquet.read_table(path)
        except (OSError, pyarrow.ArrowException) as error:
            raise self.corrupt(path) from error

    def corrupt(self, file: Path) -> CheckpointError:
        """The error for a file of the run that was damaged."""
        return CheckpointError(
            f"{file} is corrupt: delete the folder {self.path}, and the same command makes it anew "
            "from the stored stages"
        )


def all_runs(results: Path) -> list[RunFolder]:
    """The runs below a results folder, the newest first and the corrupt ones last."""
    runs = [RunFolder(path.parent) for path in (results / "runs").glob("*/run.json")]

    def started(run: RunFolder) -> str:
        return "" if run.state == "corrupt" else run.record.get("started", "")

    return sorted(runs, key=started, reverse=True)


def find_run(results: Path, name: str) -> RunFolder:
    """A run by its folder, its full name, or the beginning of its name if that is unique.

    Raises:
        ConfigError: naming the nearest run, or those that fit.
    """
    path = Path(name).resolve()  # `.` has neither a name nor a parent
    if (path / "run.json").is_file():
        return RunFolder(path)
    runs = {run.name: run for run in all_runs(results)}
    if name in runs:
        return runs[name]
    fitting = [known for known in runs if known.startswith(name)]
    if len(fitting) == 1:
        return runs[fitting[0]]
    if fitting:
        raise ConfigError(f"several runs begin with '{name}': choose one of {', '.join(fitting)}")
    nearest = difflib.get_close_matches(name, runs, n=1, cutoff=0.4)
    hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
    raise ConfigError(f"there is no run '{name}' in {results}{hint}: `mconn list` shows them")
