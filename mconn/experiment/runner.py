"""The runner: brings an experiment's stages into the store, then writes the run's folder."""

import datetime
import errno
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mconn.errors import ConfigError
from mconn.experiment.code import code_digest, source_folder, versions
from mconn.experiment.folder import RunFolder
from mconn.experiment.page import write_report
from mconn.experiment.report import Experiment
from mconn.experiment.serialise import digest, encode
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.store import Entry, Store, exclusive, write_json
from mconn.progress import SILENT, Progress, seconds

_HERE = Path(__file__).parent


def run(
    experiment: Experiment,
    results: Path,
    *,
    name: str | None = None,
    data_dir: Path | None = None,
    accept_older: bool = False,
    progress: Progress = SILENT,
) -> RunFolder:
    """Run what is not in the store yet, and report.

    An unchanged experiment is not run or drawn again. A run that was stopped or killed goes on from
    its last complete stage, and within a stage from the checkpoints that the stage keeps. A stage
    whose code has changed is run again, and so are those that take its result.

    Args:
        experiment: what to run.
        results: the folder of all results; made if it does not exist.
        name: the run's name; the experiment's class if None.
        data_dir: the user's folder of data sets.
        accept_older: use a stored result of the same stage that other code has made, where there is
            none of the code as it is. The report says by which commit.
        progress: where to report to.

    Raises:
        ConfigError: if the experiment holds what a config cannot hold, or if the folder of results
            cannot be used.
        CheckpointError: if a stored result is corrupt.
    """
    config = encode(experiment, type(experiment).__name__)
    folder = RunFolder(results / "runs" / f"{name or kebab(experiment)}-{digest(config)[:10]}")
    stages = experiment.stages()
    executor = _Executor(Store(results), stages, data_dir, accept_older, progress)

    def waiting() -> None:
        progress.note(f"{folder.name}: another process runs the same experiment; waiting for it")

    with _usable(results), exclusive(folder.lock, waiting):
        source = source_digest(experiment)
        if _is_current(folder, executor, stages.values(), source):
            progress.note(f"{folder.name}: complete and unchanged")
            return folder
        began = time.monotonic()
        folder.note(state="running", started=_now(), error="")
        write_json(folder.path / "config.json", config)
        try:
            results_by_name = {label: executor.obtain(stage) for label, stage in stages.items()}
            progress.note("report: drawing")
            report = experiment.report(results_by_name)
            spent = round(time.monotonic() - began, 2)
            record = write_report(folder, report, experiment, results_by_name, executor.log, spent)
        except KeyboardInterrupt:
            folder.note(state="interrupted")
            raise
        except BaseException as error:
            folder.note(state="failed", error=f"{type(error).__name__}: {error}")
            raise
        folder.note(state="complete", source=source, made=executor.made(stages.values()), **record)
    return folder


class _Executor:
    """Obtains results of stages, inputs first, each at most once; keeps a log."""

    def __init__(
        self,
        store: Store,
        stages: Mapping[str, Stage],
        data_dir: Path | None,
        accept_older: bool,
        progress: Progress,
    ) -> None:
        self.store = store
        self.names = {stage.key: label for label, stage in stages.items()}
        self.data_dir = data_dir
        self.accept_older = accept_older
        self.progress = progress
        self.entries: dict[str, Entry] = {}
        self.results: dict[str, Result] = {}
        self.log: list[dict[str, Any]] = []

    def entry(self, stage: Stage) -> Entry:
        """Where the result of a stage is, or will be once its inputs are there."""
        if stage.key not in self.entries:
            entry = self.store.entry(stage)
            if self.accept_older and not entry.complete:
                inputs = [self.entry(each).key for each in stage.input_stages]
                entry = self.store.older(stage) or self.store.entry(stage, stage.keyed(inputs))
            self.entries[stage.key] = entry
        return self.entries[stage.key]

    def made(self, stages: Iterable[Stage]) -> dict[str, Any]:
        """When and how each of some stages was made, by the keys of their results."""
        entries = [self.entry(stage) for stage in stages]
        return {entry.key: entry.made() for entry in entries}

    def obtain(self, stage: Stage) -> Result:
        """The result of a stage, as it comes back from the store."""
        if stage.key in self.results:
            return self.results[stage.key]
        name, entry = self.names.get(stage.key, type(stage).__name__), self.entry(stage)
        stored = entry.complete or not self.make(entry, name)
        began = time.monotonic()
        result = self.results[stage.key] = entry.load()
        made = entry.made()
        older = ""
        if entry.key != stage.key:
            older = f"by {_code_of(made)}" if stored else "from results of other code"
        if stored:
            by = older and f", {older}"
            spent = seconds(made["seconds"])
            self.progress.note(f"{name}: from the store ({spent} when made{by})")
        self.log.append(
            {
                "name": name,
                "stage": type(stage).__name__,
                "key": entry.key,
                "from_store": stored,
                "older": older,
                "seconds": round(time.monotonic() - began, 2) if stored else made["seconds"],
                "made": made,
            }
        )
        return result

    def make(self, entry: Entry, name: str) -> bool:
        """Run a stage and store its result; False if another process just did."""
        stage = entry.stage
        inputs = {
            field: tuple(map(self.obtain, value))
            if isinstance(value, tuple)
            else self.obtain(value)
            for field, value in stage.inputs.items()
        }

        def waiting() -> None:
            self.progress.note(f"{name}: another process makes the same result; waiting for it")

        with entry.lock(waiting):
            if entry.complete:
                return False
            work = entry.work.absolute()
            work.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            result = stage.run(inputs, Context(self.data_dir, work, self.progress))
            made = {
                "seconds": round(time.monotonic() - began, 2),
                "when": _now(),
                "by": versions(source_folder(stage)),
            }
            entry.save(result, made)
        return True


def _code_of(made: Mapping[str, Any]) -> str:
    code = made.get("by", {}).get("code")
    if not code:
        return "code of no commit"
    return f"commit {code['commit'][:10]}" + (", with uncommitted changes" * code["changed"])


def _is_current(folder: RunFolder, executor: _Executor, stages: Any, source: str) -> bool:
    record = folder.record
    return (
        record.get("state") == "complete"
        and record["source"] == source
        and folder.report.is_file()
        and all(executor.entry(stage).complete for stage in stages)
        and record["made"] == executor.made(stages)
    )


def source_digest(experiment: Experiment) -> str:
    """The hash of the code that reports: the experiment's, this package's, and the page's look."""
    looks = [file for kind in ("html", "mplstyle") for file in sorted(_HERE.glob(f"[!.]*.{kind}"))]
    drawn = b"".join(file.read_bytes() for file in looks)
    code = code_digest([type(experiment), write_report])
    return hashlib.sha256(code.encode() + drawn).hexdigest()


def kebab(experiment: Experiment) -> str:
    """``LinearConnectivity`` as ``linear-connectivity``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(experiment).__name__).lower()


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


@contextmanager
def _usable(results: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        # Orbax makes a ValueError of a full disk, with the system's words in it.
        if any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT)):
            raise ConfigError(
                f"the disk of the results folder {results} is full: make space, and the same "
                "command goes on from the last complete stage"
            ) from error
        if not isinstance(error, OSError) or error.filename is None:
            raise
        folder, place = results.absolute(), Path(str(error.filename)).absolute()
        if not (place.is_relative_to(folder) or folder.is_relative_to(place)):
            raise
        raise ConfigError(
            f"the results folder {results} cannot be used ({error.strerror}: {place}): "
            "name another one with --results"
        ) from error
