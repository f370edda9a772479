"""The runner: brings an experiment's stages into the store, then writes the run's folder."""

import errno
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mconn.errors import ConfigError
from mconn.experiment.execute import Executor, now, source_folder
from mconn.experiment.folder import RunFolder
from mconn.experiment.locks import exclusive
from mconn.experiment.report import Experiment
from mconn.experiment.serialise import digest, encode
from mconn.experiment.store import Store, write_json
from mconn.experiment.write import write_report
from mconn.progress import SILENT, Progress


def run(
    experiment: Experiment,
    results: Path,
    *,
    name: str | None = None,
    data_dir: Path | None = None,
    progress: Progress = SILENT,
) -> RunFolder:
    """Run what is not in the store yet, and report.

    An unchanged experiment is not run or drawn again. A run that was stopped or killed goes on from
    its last complete stage, and within a stage from the checkpoints that the stage keeps.

    Args:
        experiment: what to run.
        results: the folder of all results; made if it does not exist.
        name: the run's name; the experiment's class if None.
        data_dir: the user's folder of data sets.
        progress: where to report to.

    Raises:
        ConfigError: if the experiment holds what a config cannot hold, or if the folder of results
            cannot be used.
        CheckpointError: if a stored result is corrupt.
    """
    config = encode(experiment, type(experiment).__name__)
    folder = RunFolder(results / "runs" / f"{name or kebab(experiment)}-{digest(config)[:10]}")
    store = Store(results)

    def waiting() -> None:
        progress.note(f"{folder.name}: another process runs the same experiment; waiting for it")

    with usable(results), exclusive(folder.lock, waiting):
        source = source_digest(experiment)
        if is_current(folder, store, experiment, source):
            progress.note(f"{folder.name}: complete and unchanged")
            return folder
        began = time.monotonic()
        folder.note(state="running", started=now(), error="")
        write_json(folder.path / "config.json", config)
        try:
            stages = experiment.stages()
            names = {stage.key: label for label, stage in stages.items()}
            executor = Executor(store, names, data_dir, progress)
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
        made = {stage.key: store.made(stage) for stage in stages.values()}
        folder.note(state="complete", source=source, made=made, **record)
    return folder


@contextmanager
def usable(results: Path) -> Iterator[None]:
    """Turn what the system says of the folder of results into one sentence.

    Raises:
        ConfigError: naming the folder, if something in it cannot be read or written.
    """
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


def is_current(folder: RunFolder, store: Store, experiment: Experiment, source: str) -> bool:
    """Whether the folder is complete, and neither the stored results nor the code have changed."""
    record = folder.record
    stages = experiment.stages().values()
    return (
        record.get("state") == "complete"
        and record["source"] == source
        and folder.report.is_file()
        and all(store.has(stage) for stage in stages)
        and record["made"] == {stage.key: store.made(stage) for stage in stages}
    )


def source_digest(experiment: Experiment) -> str:
    """The hash of the code that reports: this package's, and what lies beside the experiment's."""
    folders = (Path(__file__).parent, source_folder(experiment))
    files = [file for folder in folders for file in sorted(folder.glob("[!.]*")) if file.is_file()]
    code = [file for file in files if file.suffix in (".py", ".html", ".mplstyle")]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in code)).hexdigest()


def kebab(experiment: Experiment) -> str:
    """``LinearConnectivity`` as ``linear-connectivity``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(experiment).__name__).lower()
